import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BindingLedgerClient } from '#client';
import { setUp, syncAll } from '../../apps/demo/src/jobs.js';
import { readCountries } from '../../apps/demo/src/world.js';
import { catchUp } from '../../examples/country-pages/by-cron.js';
import { follow } from '../../examples/country-pages/live.js';
import { CountryPages } from '../../examples/country-pages/pages.js';
import { TestServer } from '../support/http-server.js';
import { temporaryFolders } from '../support/temporary-folders.js';

const SYSTEMS = ['shop-eu', 'erp-hq'].map((backend) => {
  const type = backend.split('-')[0] as string;
  return { backend, type, model: `${type}.country`, localModel: 'res.country', location: `https://${type}.example` };
});
const WANTED = { backend: 'shop-eu', model: 'shop.country' };
const countries = readCountries();
const newFolder = temporaryFolders();

let server: TestServer;
let client: BindingLedgerClient;
let file: string;

beforeEach(async () => {
  server = await TestServer.start();
  client = new BindingLedgerClient({ url: await server.server.listen(0, '127.0.0.1') });
  await setUp(client, SYSTEMS);
  for (const { backend, type, model } of SYSTEMS)
    await syncAll(client.ledger(backend, model), type, countries, '2026-01-10T06:00:00Z');
  file = join(newFolder(), 'pages.json');
});
afterEach(() => server.close());

const shop = () => client.ledger('shop-eu', 'shop.country');
const inLedger = async () => {
  const codes: [string, string][] = [];
  for await (const { externalId, recordId } of shop().bindings({}, { atLeast: 'head' }))
    codes.push([externalId as string, recordId]);
  return codes.toSorted(([a], [b]) => (a < b ? -1 : 1));
};

test('the job of cron has at each run what was recorded since the last', async () => {
  const run = async () => catchUp(client, WANTED, await CountryPages.open(file));
  expect(await run()).toBe(250);
  expect(await run()).toBe(0);
  await client.records('res.country', 'UNK').delete();
  await shop().bind({ recordId: 'GBR', externalId: 'UK', ifBound: 'replace' });
  expect(await run()).toBe(2);
  const { all } = await CountryPages.open(file);
  expect(all).toEqual(await inLedger());
  expect(all).toContainEqual(['UK', 'GBR']);
  expect(all.map(([code]) => code)).not.toContain('XK');
});

test('the job begins anew where the position is not known', async () => {
  const pages = await CountryPages.open(file);
  await pages.save('0000000000000007-0123456789');
  expect(await catchUp(client, WANTED, pages)).toBe(250);
  expect(pages.all).toEqual(await inLedger());
});

test('the follower has everything as it happens, and goes on where it stopped', async () => {
  const running = async (events: number) => {
    const pages = await CountryPages.open(file);
    const ended = new AbortController();
    let left = events;
    const save = pages.save.bind(pages);
    pages.save = async (position) => {
      await save(position);
      if (--left === 0) ended.abort();
    };
    await follow(client, WANTED, pages, ended.signal);
  };
  await running(100);
  const first = running(151);
  await client.records('res.country', 'UNK').delete();
  await first;
  expect((await CountryPages.open(file)).all).toEqual(await inLedger());
});
