// Bulk bind in process on the embedded store, beside a table written by hand and beside raw appends of the same events.
//   node test/bench/bulk-bind.bench.mjs [bindings, default 50000] [rounds, default 3]
// Each is run once before it is measured, so that what is compiled on the way counts for none of them; the medians are compared.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqliteEventStore } from '../../dist/libs/event-store/sqlite/index.js';
import { openLedger } from '../../dist/libs/runtime/src/index.js';
import { openDatabase, transaction } from '../../dist/libs/sqlite/src/index.js';

const COUNT = Number(process.argv[2] ?? 50_000);
const ROUNDS = Number(process.argv[3] ?? 3);
const WARM_UP = 20_000;
const BATCH = 500;
const SYNC_DATE = '2026-01-01T00:00:00.000Z';
const LEDGER = { backend: 'shop', model: 'shop.product' };
const context = { actor: 'bench', correlationId: 'bench' };
const rate = (count, ms) => Math.round(count / (ms / 1000));

/** Records and external ids in the order of a real import: records ascend, external ids do not. */
const pair = (i) => [`product-${i}`, `sku-${(i * 7_919) % 1_000_003}-${i}`];

async function inFolder(work) {
  const folder = mkdtempSync(join(tmpdir(), 'ledger-bench-'));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What everybody writes: one table with two unique indexes, which refuse what is bound already. */
const byHand = (count) =>
  inFolder(async (folder) => {
    const db = openDatabase(join(folder, 'by-hand.sqlite'), { synchronous: 'FULL' });
    db.exec(
      'CREATE TABLE bindings (id INTEGER PRIMARY KEY, record_id TEXT NOT NULL, external_id TEXT NOT NULL, sync_date TEXT, data TEXT)',
    );
    db.exec('CREATE UNIQUE INDEX by_record ON bindings (record_id)');
    db.exec('CREATE UNIQUE INDEX by_external ON bindings (external_id)');
    const insert = db.prepare('INSERT INTO bindings (record_id, external_id, sync_date, data) VALUES (?, ?, ?, ?)');
    const started = performance.now();
    for (let start = 0; start < count; start += BATCH) {
      transaction(db, () => {
        for (let i = start; i < start + BATCH; i += 1) insert.run(...pair(i), SYNC_DATE, '{}');
      });
    }
    const tookMs = performance.now() - started;
    db.close();
    return tookMs;
  });

const throughLedger = (count) =>
  inFolder(async (folder) => {
    const opened = await openLedger({ data: folder });
    await opened.catalog.defineType({ type: 'shop' }, context);
    await opened.catalog.defineModel({ model: LEDGER.model, backendType: 'shop', localModel: 'product' }, context);
    await opened.backends.register({ id: LEDGER.backend, type: 'shop', location: 'https://shop.example' }, context);
    const started = performance.now();
    const answers = [];
    for (let start = 0; start < count; start += BATCH) {
      await opened.ledger.room(LEDGER);
      const requests = [];
      for (let i = start; i < start + BATCH; i += 1) {
        const [recordId, externalId] = pair(i);
        requests.push({ command: { op: 'bind', recordId, externalId, syncDate: SYNC_DATE }, context });
      }
      answers.push(
        opened.ledger
          .executeAll(LEDGER, requests)
          .then((results) => results.filter(({ outcome }) => outcome !== 'created').length),
      );
    }
    const wrong = (await Promise.all(answers)).reduce((sum, each) => sum + each, 0);
    if (wrong > 0) throw new Error(`${wrong} binds were not created`);
    const tookMs = performance.now() - started;
    await opened.queries.await(LEDGER, { atLeast: 'head', timeoutMs: 120_000 });
    const projectedMs = performance.now() - started;
    const events = [];
    for (let after = -1; ; after = events.at(-1).revision) {
      const page = await opened.store.readStream('ledger-shop/shop.product', { after, limit: 1000 });
      events.push(...page);
      if (page.length < 1000) break;
    }
    await opened.close();
    return { tookMs, projectedMs, events };
  });

const rawAppends = (events) =>
  inFolder(async (folder) => {
    const store = await openSqliteEventStore({ folder });
    const started = performance.now();
    for (let start = 0; start < events.length; start += BATCH) {
      const batch = events.slice(start, start + BATCH).map(({ id, type, data, metadata }) => ({ id, type, data, metadata }));
      const result = await store.append('raw', start - 1, batch);
      if (!result.ok) throw new Error('a raw append was refused');
    }
    const tookMs = performance.now() - started;
    await store.close();
    return tookMs;
  });

const median = (all) => all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)];
const times = { hand: [], raw: [], answered: [], projected: [] };
for (let round = -1; round < ROUNDS; round += 1) {
  const count = round < 0 ? WARM_UP : COUNT;
  const hand = await byHand(count);
  const { tookMs, projectedMs, events } = await throughLedger(count);
  const raw = await rawAppends(events);
  if (round < 0) continue;
  times.hand.push(hand);
  times.raw.push(raw);
  times.answered.push(tookMs);
  times.projected.push(projectedMs);
}
const [hand, raw, answered, projected] = [times.hand, times.raw, times.answered, times.projected].map(median);
console.log(`medians of ${ROUNDS} rounds of ${COUNT.toLocaleString('en')} bindings`);
console.log(`table by hand        ${rate(COUNT, hand)} bindings/s`);
console.log(`raw appends          ${rate(COUNT, raw)} events/s`);
console.log(
  `ledger, answered     ${rate(COUNT, answered)} bindings/s   ${(hand / answered).toFixed(2)} x by hand (target 0.5)   ${(raw / answered).toFixed(2)} x raw appends (target 0.6)`,
);
console.log(`ledger, projected    ${rate(COUNT, projected)} bindings/s   ${(hand / projected).toFixed(2)} x by hand`);
console.log(`resident memory      ${Math.round(process.memoryUsage.rss() / 1048576)} MB`);
