// Bulk bind in process on the embedded store, beside a table written by hand and beside raw appends of the same events.
//   node test/bench/bulk-bind.bench.mjs [bindings, default 50000] [rounds, default 9]
// Each is opened once and works as a server does, for long: the first rounds, in which its code is compiled, do not count. The rounds
// of the three alternate, each with a table, a ledger and a stream of its own.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqliteEventStore } from '../../dist/libs/event-store/sqlite/index.js';
import { openLedger } from '../../dist/libs/runtime/src/index.js';
import { openDatabase, transaction } from '../../dist/libs/sqlite/src/index.js';
import { inTurn, pair } from './in-turn.mjs';

const COUNT = Number(process.argv[2] ?? 50_000);
const ROUNDS = Number(process.argv[3] ?? 9);
const WARM_UP_ROUNDS = 2;
const BATCH = 500;
const SYNC_DATE = '2026-01-01T00:00:00.000Z';
const MODEL = 'shop.product';
const context = { actor: 'bench', correlationId: 'bench' };
const rate = (count, ms) => Math.round(count / (ms / 1000));

/** What everybody writes: one table with two unique indexes, which refuse what is bound already. */
function openByHand(folder) {
  const db = openDatabase(join(folder, 'by-hand.sqlite'), { synchronous: 'FULL' });
  const bind = async (round, count) => {
    db.exec(
      `CREATE TABLE bindings_${round} (id INTEGER PRIMARY KEY, record_id TEXT NOT NULL, external_id TEXT NOT NULL, sync_date TEXT, data TEXT)`,
    );
    db.exec(`CREATE UNIQUE INDEX by_record_${round} ON bindings_${round} (record_id)`);
    db.exec(`CREATE UNIQUE INDEX by_external_${round} ON bindings_${round} (external_id)`);
    const insert = db.prepare(`INSERT INTO bindings_${round} (record_id, external_id, sync_date, data) VALUES (?, ?, ?, ?)`);
    const started = performance.now();
    for (let start = 0; start < count; start += BATCH) {
      transaction(db, () => {
        for (let i = start; i < start + BATCH; i += 1) insert.run(...pair(i), SYNC_DATE, '{}');
      });
    }
    return performance.now() - started;
  };
  return { bind, close: () => db.close() };
}

async function openThroughLedger(folder) {
  const opened = await openLedger({ data: folder });
  await opened.catalog.defineType({ type: 'shop' }, context);
  await opened.catalog.defineModel({ model: MODEL, backendType: 'shop', localModel: 'product' }, context);

  const bindAll = (ledger, count) =>
    inTurn(count / BATCH, async (batch) => {
      const requests = Array.from({ length: BATCH }, (_, index) => {
        const [recordId, externalId] = pair(batch * BATCH + index);
        return { command: { op: 'bind', recordId, externalId, syncDate: SYNC_DATE }, context };
      });
      const results = await opened.ledger.executeAllInTurn(ledger, requests);
      if (results.some(({ outcome }) => outcome !== 'created')) throw new Error('a bind was not created');
    });

  const bind = async (round, count) => {
    const ledger = { backend: `shop${round}`, model: MODEL };
    await opened.backends.register({ id: ledger.backend, type: 'shop', location: 'https://shop.example' }, context);
    const started = performance.now();
    await bindAll(ledger, count);
    const tookMs = performance.now() - started;
    await opened.queries.await(ledger, { atLeast: 'head', timeoutMs: 120_000 });
    const projectedMs = performance.now() - started;
    const events = [];
    for (let after = -1; ; after = events.at(-1).revision) {
      const page = await opened.store.readStream(`ledger-${ledger.backend}/${MODEL}`, { after, limit: 1000 });
      events.push(...page);
      if (page.length < 1000) break;
    }
    return { tookMs, projectedMs, events };
  };
  return { bind, close: () => opened.close() };
}

async function openRawAppends(folder) {
  const store = await openSqliteEventStore({ folder });
  const bind = async (round, events) => {
    const started = performance.now();
    for (let start = 0; start < events.length; start += BATCH) {
      const batch = events.slice(start, start + BATCH).map(({ id, type, data, metadata }) => ({ id, type, data, metadata }));
      const result = await store.append(`raw-${round}`, start - 1, batch);
      if (!result.ok) throw new Error('a raw append was refused');
    }
    return performance.now() - started;
  };
  return { bind, close: () => store.close() };
}

const median = (all) => all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)];
const times = { hand: [], raw: [], answered: [], projected: [] };
const folders = ['hand', 'ledger', 'raw'].map(() => mkdtempSync(join(tmpdir(), 'ledger-bench-')));
const byHand = openByHand(folders[0]);
const ledger = await openThroughLedger(folders[1]);
const rawAppends = await openRawAppends(folders[2]);
try {
  for (let round = 0; round < WARM_UP_ROUNDS + ROUNDS; round += 1) {
    const hand = await byHand.bind(round, COUNT);
    const { tookMs, projectedMs, events } = await ledger.bind(round, COUNT);
    const raw = await rawAppends.bind(round, events);
    if (round < WARM_UP_ROUNDS) continue;
    times.hand.push(hand);
    times.raw.push(raw);
    times.answered.push(tookMs);
    times.projected.push(projectedMs);
  }
} finally {
  byHand.close();
  await ledger.close();
  await rawAppends.close();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}
const [hand, raw, answered, projected] = [times.hand, times.raw, times.answered, times.projected].map(median);
// Each round is compared with those beside it: the machine is not the same all the time.
const ratio = (of, to) => median(times[of].map((ms, round) => ms / times[to][round])).toFixed(2);
console.log(`medians of ${ROUNDS} rounds of ${COUNT.toLocaleString('en')} bindings`);
console.log(`table by hand        ${rate(COUNT, hand)} bindings/s`);
console.log(`raw appends          ${rate(COUNT, raw)} events/s`);
console.log(
  `ledger, answered     ${rate(COUNT, answered)} bindings/s   ${ratio('hand', 'answered')} x by hand (target 0.5)   ${ratio('raw', 'answered')} x raw appends (target 0.6)`,
);
console.log(`ledger, projected    ${rate(COUNT, projected)} bindings/s   ${ratio('hand', 'projected')} x by hand`);
console.log(`resident memory      ${Math.round(process.memoryUsage.rss() / 1048576)} MB`);
