/** `npm run demo`: real sync jobs over real data, against a ledger on a fresh embedded store. */
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BindingLedgerClient, Binder, isLedgerError, type Ledger } from '#client';
import { createLogger, createServer } from '#server';
import { lockFolder } from '#sqlite';
import { setUp, syncAll, syncFromWorkers, type System } from './jobs.js';
import { heading, line, show } from './report.js';
import { readAirports, readCountries, type CodedRecord } from './world.js';

const MARK = 'made-by-demo.txt';
const WORKERS = 4;
const FIRST_RUN = '2026-01-10T06:00:00Z';
const SECOND_RUN = '2026-02-10T06:00:00Z';

const system = (name: string, backend: string, what: string, host: string): [string, System] => [
  name,
  {
    backend,
    type: backend.split('-', 1)[0] as string,
    model: `${backend.split('-', 1)[0]}.${what}`,
    localModel: `res.${what}`,
    location: `https://${host}.example`,
  },
];
const COUNTRY_SYSTEMS = [
  system('shop', 'shop-eu', 'country', 'shop'),
  system('erp', 'erp-hq', 'country', 'erp'),
  system('federation', 'federation-ioc', 'country', 'results'),
  system('telephone', 'telephone-directory', 'country', 'directory'),
];
const AIRPORT_SYSTEMS = [
  system('booking', 'booking-gds', 'airport', 'booking'),
  system('control', 'control-tower', 'airport', 'control'),
];

/** The folder for the demonstration's ledger, emptied if an earlier demonstration made it; nobody else's is touched. */
function freshFolder(folder: string): string {
  if (folder === ':memory:')
    throw new Error('LEDGER_DATA is :memory:, which is for a server; the demonstration leaves a folder: name one, or unset it');
  if (existsSync(folder) && readdirSync(folder).length > 0) {
    if (!existsSync(join(folder, MARK)))
      throw new Error(`${folder} holds a ledger that is not the demonstration's: name another folder with LEDGER_DATA`);
    // A ledger that somebody has open is not taken away beneath it: this fails then, and says so.
    lockFolder(folder).release();
    for (const entry of readdirSync(folder)) rmSync(join(folder, entry), { recursive: true });
  }
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, MARK), 'npm run demo made this ledger, and makes it anew each time.\n');
  return folder;
}

async function syncCountries(client: BindingLedgerClient, countries: readonly CodedRecord[]): Promise<void> {
  heading(`${countries.length} countries, bound to four systems by their codes`);
  for (const [name, { backend, model }] of COUNTRY_SYSTEMS) {
    const without = countries.filter(({ codes }) => codes[name] === undefined).length;
    show(
      `first sync with ${backend} (${without} have no code)`,
      await syncAll(client.ledger(backend, model), name, countries, FIRST_RUN),
    );
  }
  heading('A month later: what is newer moves the sync date, what comes late changes nothing');
  const [shop, erp] = [ledgerOf(client, COUNTRY_SYSTEMS, 0), ledgerOf(client, COUNTRY_SYSTEMS, 1)];
  show(
    'second sync with shop-eu, of half the countries',
    await syncAll(shop, 'shop', countries.slice(0, countries.length / 2), SECOND_RUN),
  );
  show('the first sync with shop-eu once more, late', await syncAll(shop, 'shop', countries, FIRST_RUN));
  show('a crashed sync with erp-hq, run again', await syncAll(erp, 'erp', countries, FIRST_RUN));
  const stale = [];
  for await (const binding of shop.bindings({ syncedBefore: SECOND_RUN }, { atLeast: 'head' })) stale.push(binding);
  line(`not synchronized with shop-eu since the second sync: ${stale.length}`);
}

async function syncAirports(client: BindingLedgerClient, airports: readonly CodedRecord[]): Promise<void> {
  heading(`${airports.length.toLocaleString('en')} airports, from ${WORKERS} workers at once that all meet all of them`);
  for (const [name, { backend, model }] of AIRPORT_SYSTEMS) {
    const ledger = client.ledger(backend, model);
    const coded = airports.filter(({ codes }) => codes[name] !== undefined).length;
    show(`${WORKERS} workers with ${backend}`, await syncFromWorkers(ledger, name, airports, FIRST_RUN, WORKERS));
    const { live } = await ledger.status({ atLeast: 'head' });
    line(
      `airports with a code: ${coded}; bindings in the ledger: ${live}${live === coded ? ': no duplicate, none missing' : ': THESE DIFFER'}`,
    );
    if (live !== coded) process.exitCode = 1;
  }
}

async function changeThings(client: BindingLedgerClient): Promise<void> {
  heading('One by one: a rename, a clash, an unbinding, a deleted record');
  const shop = new Binder(ledgerOf(client, COUNTRY_SYSTEMS, 0));
  const ledger = ledgerOf(client, COUNTRY_SYSTEMS, 0);
  const renamed = await ledger.bind({ recordId: 'GBR', externalId: 'UK', ifBound: 'replace' });
  const fresh = { atLeast: renamed.revision };
  const [uk, gb] = [await shop.toInternal('UK', { unwrap: true, ...fresh }), await shop.toInternal('GB', fresh)];
  line(
    `the shop renames GB to UK: ${renamed.outcome}; UK is now record ${uk}, and GB ${gb === undefined ? 'is not bound' : 'IS STILL BOUND'}`,
  );
  try {
    await ledger.bind({ recordId: 'UKR', externalId: 'UK', ifBound: 'replace' });
  } catch (error) {
    if (!isLedgerError(error, 'EXTERNAL_ID_TAKEN')) throw error;
    line(`a job takes UK for Ukraine: ${error.code}, held by record ${error.problem.holder?.recordId}`);
  }
  const unbound = await ledger.unbind({ externalId: 'AQ' }, {}, { reason: 'nobody ships to Antarctica' });
  line(`Antarctica leaves the shop: ${unbound.outcome}; once more: ${(await ledger.unbind({ externalId: 'AQ' })).outcome}`);
  const kosovo = client.records('res.country', 'UNK');
  const before = [];
  for (const { backend, externalId } of await kosovo.bindings()) before.push(`${backend} ${externalId}`);
  const { unbound: gone } = await kosovo.delete();
  line(`Kosovo was known to ${before.length} systems (${before.join(', ')}); its record is deleted: ${gone.length} unbound`);
}

function ledgerOf(client: BindingLedgerClient, systems: [string, System][], index: number): Ledger {
  const { backend, model } = (systems[index] as [string, System])[1];
  return client.ledger(backend, model);
}

async function main(): Promise<void> {
  const folder = freshFolder(process.env['LEDGER_DATA']?.trim() || './data');
  const server = await createServer({ ledger: { data: folder }, logger: createLogger('warn') });
  try {
    const client = new BindingLedgerClient({ url: await server.listen(0, '127.0.0.1') });
    const systems = [...COUNTRY_SYSTEMS, ...AIRPORT_SYSTEMS].map(([, each]) => each);
    await setUp(client, systems);
    line(`a fresh ledger in ${folder}, with ${systems.length} backends`);
    await syncCountries(client, readCountries());
    await syncAirports(client, await readAirports());
    await changeThings(client);
  } finally {
    await server.close();
  }
  heading(`The ledger stays in ${folder}. Go on with:`);
  line('npm start                                                       the server on it');
  line(
    'npm run ledger -- lookup shop-eu shop.country --external UK     the command line on it (while the server runs: --url URL)',
  );
  line('npm run demo                                                    all of it anew: what is in the folder is deleted');
  line('Data: countries by mledoze/countries (ODbL), airports by airport-data-js (CC BY 4.0).');
}

await main().catch((error: unknown) => {
  process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
