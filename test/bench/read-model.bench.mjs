/**
 * The embedded read model against the table that one would write by hand: the same batches, the same durability. Run after
 * `npx tsc -p tsconfig.build.json`, as `node test/bench/read-model.bench.mjs [bindings]`.
 */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { v7 } from 'uuid';
import { UNOPENED } from '../../dist/libs/domain/src/index.js';
import { openSqliteReadModel } from '../../dist/libs/read-model/sqlite/index.js';
import { openDatabase, setPragma } from '../../dist/libs/sqlite/src/index.js';

const BINDINGS = Number(process.argv[2] ?? 100_000);
const BATCH = 500;
const LOOKUPS = 100_000;
const KEYS = 500;
const START = '2026-01-01T00:00:00.000Z';
const run = randomUUID();
const LATER = '2026-06-01T00:00:00.000Z';
const folder = mkdtempSync(join(tmpdir(), 'read-model-bench-'));
const seconds = (since) => Number(process.hrtime.bigint() - since) / 1e9;
const figure = (number) => Math.round(number).toLocaleString('en');

/** Record ids ascend as rows of a table do, external ids are anywhere, as the ids of other systems are. */
function bindingsFrom(first, count) {
  return Array.from({ length: count }, (_, index) => {
    const at = new Date(Date.parse(START) + Math.floor((first + index) / BATCH)).toISOString();
    return {
      id: v7(),
      recordId: String(100_000 + first + index),
      externalId: randomUUID(),
      syncDate: at,
      data: {},
      state: 'bound',
      version: 1,
      revision: first + index,
      createdAt: at,
      updatedAt: at,
    };
  });
}

/** What one writes without a ledger: two unique keys, the newest date. */
function handWritten() {
  const db = openDatabase(join(folder, 'by-hand.sqlite'), { synchronous: 'NORMAL', cacheKiB: 32_768 });
  setPragma(db, 'wal_autocheckpoint', 8_000);
  db.exec(`CREATE TABLE bindings (id INTEGER PRIMARY KEY, record_id TEXT NOT NULL, external_id TEXT NOT NULL, sync_date TEXT);
    CREATE UNIQUE INDEX by_record ON bindings (record_id); CREATE UNIQUE INDEX by_external_id ON bindings (external_id);`);
  const insert = db.prepare('INSERT INTO bindings (record_id, external_id, sync_date) VALUES (?, ?, ?)');
  const find = db.prepare('SELECT id, record_id, external_id, sync_date FROM bindings WHERE external_id = ?');
  return {
    async insert(bindings) {
      db.exec('BEGIN IMMEDIATE');
      for (const { recordId, externalId, syncDate } of bindings) insert.run(recordId, externalId, syncDate);
      db.exec('COMMIT');
    },
    async find(externalId) {
      return find.get(externalId);
    },
    async close() {
      db.close();
    },
  };
}

/** The read model with one ledger, which is given consecutive batches. */
async function readModel(name, indexes = []) {
  const model = await openSqliteReadModel({ folder });
  const ledger = { backend: name, model: 'shop.product' };
  const { generation } = await model.openLedger(ledger);
  const state = { ...UNOPENED, opened: true, rules: { ...UNOPENED.rules, localModel: 'product', indexes } };
  let after = -1;
  const created = (update) => ({ createdRevision: update.revision, update });
  const apply = (bindings, idempotency = [], history = []) => {
    const to = after + bindings.length;
    const batch = { ledger, generation, after, to, hash: 'hash', at: START, state, bindings, history, idempotency };
    after = to;
    return model.apply(batch);
  };
  return {
    model,
    ledger,
    insert: (bindings) => apply(bindings.map(created)),
    insertWithKeys(bindings) {
      const records = bindings.map((binding) => {
        const answer = { outcome: 'created', binding, revision: binding.revision };
        return { scopedKey: `5 actor ${run}-${binding.revision}`, request: randomUUID(), answer, at: binding.createdAt };
      });
      return apply(bindings.map(created), records);
    },
    sync(bindings) {
      const update = ({ id, recordId, externalId, state: bindingState, version, revision }) => {
        return {
          id,
          recordId,
          externalId,
          state: bindingState,
          version: version + 1,
          revision: BINDINGS + revision,
          updatedAt: LATER,
          syncDate: LATER,
        };
      };
      const updates = bindings.map(update);
      const history = updates.map(({ id, revision }) => ({ bindingId: id, revision, sets: ['syncDate'] }));
      return apply(
        updates.map((each) => ({ update: each })),
        [],
        history,
      );
    },
    find: (externalId) => model.findByExternalId(ledger, externalId),
    close: () => model.close(),
  };
}

/** Both take turns, so that what else the machine does meets both. */
async function insertAll(subjects, externalIds) {
  const spent = subjects.map(() => 0);
  for (let first = 0; first < BINDINGS; first += BATCH) {
    const batch = bindingsFrom(first, BATCH);
    for (const { externalId } of batch) externalIds.push(externalId);
    for (const [index, subject] of subjects.entries()) {
      const since = process.hrtime.bigint();
      await subject.insert(batch);
      spent[index] += seconds(since);
    }
  }
  return spent.map((time) => BINDINGS / time);
}

async function lookupsPerSecond(subject, externalIds) {
  const since = process.hrtime.bigint();
  for (let index = 0; index < LOOKUPS; index += 1) {
    const externalId = externalIds[(index * 7_919) % externalIds.length];
    if ((await subject.find(externalId)) === undefined) throw new Error(`${externalId} was not found`);
  }
  return LOOKUPS / seconds(since);
}

/** Batches of another kind, over bindings that are made afresh each time. */
async function perSecond(count, work, make = bindingsFrom) {
  let spent = 0;
  for (let first = 0; first < count; first += BATCH) {
    const bindings = make(first, BATCH);
    const since = process.hrtime.bigint();
    await work(bindings);
    spent += seconds(since);
  }
  return count / spent;
}

/** The median of what a writer reads for a batch of binds, of which nearly none meets a binding. */
async function decisionMs({ model, ledger }) {
  const times = [];
  for (let round = 0; round < 51; round += 1) {
    const ids = (prefix) => Array.from({ length: KEYS }, (_, index) => `${prefix}-${round}-${index}`);
    const recordIds = ['100000', ...ids('record').slice(1)];
    const since = process.hrtime.bigint();
    const { bindings } = await model.readForDecision(ledger, {
      recordIds,
      externalIds: ids('external'),
      bindingIds: [],
      scopedKeys: [],
    });
    times.push(seconds(since) * 1_000);
    if (bindings.length !== 1) throw new Error(`${bindings.length} bindings were found`);
  }
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)];
}

const byHand = handWritten();
const ours = await readModel('shop');
const rich = await readModel('rich', ['colour']);
try {
  const externalIds = [];
  const [handRate, ourRate] = await insertAll([byHand, ours], externalIds);
  console.log(`${figure(BINDINGS)} bindings in batches of ${BATCH}`);
  console.log(`inserts/s:  by hand ${figure(handRate)}, read model ${figure(ourRate)}, ratio ${(ourRate / handRate).toFixed(2)}`);

  await lookupsPerSecond(ours, externalIds);
  const handLookups = await lookupsPerSecond(byHand, externalIds);
  const ourLookups = await lookupsPerSecond(ours, externalIds);
  const ratio = (ourLookups / handLookups).toFixed(2);
  console.log(`lookups/s:  by hand ${figure(handLookups)}, read model ${figure(ourLookups)}, ratio ${ratio}`);
  console.log(`decision of ${KEYS} record ids and ${KEYS} external ids: ${(await decisionMs(ours)).toFixed(2)} ms`);

  const few = Math.min(BINDINGS, 50_000);
  const some = [];
  const withData = (first, count) =>
    bindingsFrom(first, count).map((binding) => ({ ...binding, data: { colour: `colour ${first % 7}` } }));
  const richRate = await perSecond(few, (bindings) => (some.push(...bindings), rich.insertWithKeys(bindings)), withData);
  console.log(`inserts/s with an idempotency key and an indexed field each: ${figure(richRate)}`);
  const syncRate = await perSecond(
    few,
    (bindings) => rich.sync(bindings),
    (first, count) => some.slice(first, first + count),
  );
  console.log(`sync dates moved/s: ${figure(syncRate)}`);
} finally {
  await byHand.close();
  await ours.close();
  await rich.close();
  console.log(`resident memory: ${figure(process.memoryUsage().rss / 1_048_576)} MiB`);
  rmSync(folder, { recursive: true });
}
