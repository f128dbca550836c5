/**
 * Appends through the event store against the same rows inserted by hand, in one run and on the same disk.
 *   npm run build && node test/bench/event-store.bench.mjs [events] [batch]
 */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { MAX_PAGE_EVENTS, NO_STREAM, START } from '../../dist/libs/event-store/src/port.js';
import { openSqliteEventStore } from '../../dist/libs/event-store/sqlite/index.js';
import { openDatabase, transaction } from '../../dist/libs/sqlite/src/index.js';

const EVENTS = Number(process.argv[2] ?? 100_000);
const BATCH = Number(process.argv[3] ?? 500);
const ROUNDS = 3;
const WRITERS = 16;

const event = (index) => ({
  id: randomUUID(),
  type: 'BindingCreated',
  data: {
    bindingId: randomUUID(),
    version: 1,
    recordId: String(index),
    externalId: `EXT-${index}`,
    state: 'bound',
    syncDate: '2025-03-03T12:00:00.000Z',
  },
  metadata: {
    schema: 1,
    at: '2025-03-03T12:00:00.000Z',
    actor: 'sync-job',
    correlationId: randomUUID(),
    direction: 'import',
    key: randomUUID(),
    hash: 'a'.repeat(64),
  },
});
const batches = [];
for (let start = 0; start < EVENTS; start += BATCH) {
  batches.push(Array.from({ length: Math.min(BATCH, EVENTS - start) }, (_, index) => event(start + index)));
}
const bytes = Buffer.byteLength(JSON.stringify(batches[0][0]));

/** Runs `work` in a new folder. */
async function inNewFolder(work) {
  const folder = mkdtempSync(join(tmpdir(), 'event-store-bench-'));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** How long it took, and how long it held the event loop at a time. */
async function timed(work) {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const start = performance.now();
  await work();
  const ms = performance.now() - start;
  delay.disable();
  return { ms, heldMs: delay.max / 1e6 };
}

/** What somebody would write without an event store: the same columns and index, the same durability, prepared statement. */
async function byHand(folder) {
  const db = openDatabase(join(folder, 'hand.sqlite'));
  db.exec(`CREATE TABLE events (position INTEGER PRIMARY KEY, stream INTEGER NOT NULL, revision INTEGER NOT NULL, id TEXT NOT NULL,
    type TEXT NOT NULL, data TEXT NOT NULL, metadata TEXT NOT NULL, stored_at INTEGER NOT NULL);
    CREATE UNIQUE INDEX events_by_stream ON events (stream, revision);`);
  const insert = db.prepare(
    'INSERT INTO events (stream, revision, id, type, data, metadata, stored_at) VALUES (?, ?, ?, ?, ?, ?, ?)',
  );
  let revision = NO_STREAM;
  const result = await timed(async () => {
    for (const batch of batches) {
      const now = Date.now();
      transaction(db, () => {
        for (const { id, type, data, metadata } of batch) {
          insert.run(1, ++revision, id, type, JSON.stringify(data), JSON.stringify(metadata), now);
        }
      });
    }
  });
  db.close();
  return result;
}

function throughStore(appendIn, work) {
  return async (folder) => {
    const store = await openSqliteEventStore({ folder, appendIn });
    try {
      return await work(store);
    } finally {
      await store.close();
    }
  };
}

/** One writer that waits for each append, as a single ledger does. */
const oneWriter = (store) =>
  timed(async () => {
    let revision = NO_STREAM;
    for (const batch of batches) revision = (await store.append('ledger-shop/partner', revision, batch)).revision;
  });

/** Many ledgers, each waiting for its own append: what is queued together is committed together. */
const manyWriters = (store) =>
  timed(async () => {
    let next = 0;
    const write = async (stream) => {
      let revision = NO_STREAM;
      for (let index = next++; index < batches.length; index = next++) {
        revision = (await store.append(stream, revision, batches[index])).revision;
      }
    };
    await Promise.all(Array.from({ length: WRITERS }, (_, index) => write(`ledger-shop${index}/partner`)));
  });

async function readAll(store) {
  await oneWriter(store);
  return timed(async () => {
    for (let position = START, end = false; !end;) {
      ({ position, end } = await store.readAll({ after: position, streamPrefixes: ['ledger-'], limit: MAX_PAGE_EVENTS }));
    }
  });
}

const rows = {
  'by hand, in the thread': byHand,
  'store, in the thread, one writer': throughStore('thread', oneWriter),
  'store, worker, one writer': throughStore('worker', oneWriter),
  [`store, worker, ${WRITERS} writers`]: throughStore('worker', manyWriters),
  'store, reading all': throughStore('worker', readAll),
};

console.log(`${EVENTS} events of ${bytes} bytes in appends of ${BATCH}, WAL, synchronous=FULL, best of ${ROUNDS}`);
const results = Object.fromEntries(Object.keys(rows).map((label) => [label, []]));
for (let round = 0; round < ROUNDS; round += 1) {
  for (const [label, work] of Object.entries(rows)) results[label].push(await inNewFolder(work));
}
const rateOf = (label) => EVENTS / (Math.min(...results[label].map(({ ms }) => ms)) / 1_000);
for (const label of Object.keys(rows)) {
  const ratio = rateOf(label) / rateOf('by hand, in the thread');
  const heldMs = Math.min(...results[label].map((result) => result.heldMs));
  const held = label.includes('in the thread') ? '' : `, event loop held for ${heldMs.toFixed(0)} ms at most`;
  console.log(
    `${label.padEnd(36)}${Math.round(rateOf(label)).toLocaleString('en')} events/s, ${ratio.toFixed(2)} x by hand${held}`,
  );
}
