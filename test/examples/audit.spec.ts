/** The guide "Proving that nobody rewrote it", on the demonstration's data: what it shows is what is run here. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { BindingLedgerClient } from '#client';
import { createLogger, createServer } from '#server';
import { openDatabase } from '#sqlite';
import { setUp, syncAll } from '../../apps/demo/src/jobs.js';
import { readCountries } from '../../apps/demo/src/world.js';
import { auditAgainst, digestsToKeep } from '../../examples/audit/audit.js';
import { temporaryFolders } from '../support/temporary-folders.js';

const SYSTEMS = ['shop-eu', 'erp-hq'].map((backend) => {
  const type = backend.split('-')[0] as string;
  return { backend, type, model: `${type}.country`, localModel: 'res.country', location: `https://${type}.example` };
});
const newFolder = temporaryFolders();
const root = join(import.meta.dirname, '../..');

async function withLedger<T>(folder: string, work: (client: BindingLedgerClient) => Promise<T>): Promise<T> {
  const server = await createServer({ ledger: { data: folder, threads: 'none' }, logger: createLogger('silent') });
  try {
    return await work(new BindingLedgerClient({ url: await server.listen(0, '127.0.0.1') }));
  } finally {
    await server.close();
  }
}

test('the guide shows the code of the example', () => {
  const code = readFileSync(join(root, 'examples/audit/audit.ts'), 'utf8').replaceAll(/^ +/gm, '');
  const guide = readFileSync(join(root, 'docs/guides/audit.md'), 'utf8');
  const blocks = [...guide.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, block]) => (block as string).replaceAll(/^ +/gm, ''));
  expect(blocks).toHaveLength(2);
  for (const block of blocks) expect(code).toContain(block.trimEnd());
});

test('digests that were kept find a country that somebody rewrote, and name its event', async () => {
  const folder = newFolder();
  const kept = await withLedger(folder, async (client) => {
    await setUp(client, SYSTEMS);
    for (const { backend, type, model } of SYSTEMS)
      await syncAll(client.ledger(backend, model), type, readCountries(), '2026-01-10T06:00:00Z');
    const digests = await digestsToKeep(client);
    await client.ledger('shop-eu', 'shop.country').bind({ recordId: 'GBR', externalId: 'UK', ifBound: 'replace' });
    const reports = await auditAgainst(client, digests);
    expect(reports.map(({ ledger, ok }) => [ledger, ok])).toEqual([
      ['erp-hq/erp.country', true],
      ['shop-eu/shop.country', true],
    ]);
    return digests;
  });
  const db = openDatabase(join(folder, 'ledger.sqlite'));
  const rewritten = db
    .prepare<{ id: string; revision: number }>(
      "SELECT id, revision FROM events WHERE type = 'BindingCreated' AND data LIKE '%\"FRA\"%' LIMIT 1",
    )
    .get();
  db.prepare(`UPDATE events SET data = replace(data, '"FRA"', '"FRX"') WHERE id = ?`).run(rewritten?.id ?? '');
  db.close();
  const reports = await withLedger(folder, (client) => auditAgainst(client, kept));
  const bad = reports.filter(({ ok }) => !ok);
  expect(bad).toHaveLength(1);
  expect(bad[0]?.firstBad).toEqual({
    revision: rewritten?.revision,
    eventId: rewritten?.id,
    why: expect.stringContaining('its hash does not follow from its content'),
  });
});
