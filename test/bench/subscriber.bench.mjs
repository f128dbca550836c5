// Durable handlers on the embedded store, beside the raw subscription over the same events.
//   node test/bench/subscriber.bench.mjs [events, default 100000] [runs, default 3]
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { START } from '../../dist/libs/event-store/src/port.js';
import { openLedger } from '../../dist/libs/runtime/src/index.js';
import { defineSubscriber, Subscription } from '../../dist/libs/subscriptions/src/index.js';

const EVENTS = Number(process.argv[2] ?? 100_000);
const LEDGERS = 10;
const AT_ONCE = 1_000;
const RUNS = Number(process.argv[3] ?? 3);
const rate = (ms) => Math.round(EVENTS / (ms / 1000));
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

const folder = mkdtempSync(join(tmpdir(), 'ledger-bench-'));
const opened = await openLedger({ data: folder });
const { store, vault, streams, queries } = opened;

/** As a ledger writes them; straight into the store, since writing is not what is measured. */
function eventsOf(backend, from, count) {
  return Array.from({ length: count }, (_, index) => {
    const n = from + index;
    const data = {
      bindingId: `${backend}-${n}`,
      version: 1,
      recordId: `r${n}`,
      externalId: `e${n}`,
      state: 'bound',
      data: {},
      syncDate: null,
    };
    const metadata = { schema: 1, at: new Date().toISOString(), actor: 'bench', correlationId: 'bench', hash: 'h'.repeat(64) };
    return { id: randomUUID(), type: 'BindingCreated', data, metadata };
  });
}

async function seed() {
  const heads = new Map();
  for (let written = 0; written < EVENTS; written += AT_ONCE) {
    const ledger = { backend: `shop-${(written / AT_ONCE) % LEDGERS}`, model: 'shop.product' };
    const stream = streams.ledger(ledger);
    const head = heads.get(stream) ?? -1;
    if (head < 0) {
      const rules = { localModel: 'product', cardinality: 'one', dataSchema: null, indexes: [] };
      const [opening] = eventsOf('', 0, 1);
      await store.append(stream, -1, [{ ...opening, type: 'LedgerOpened', data: { rules } }]);
    }
    const from = Math.max(head, 0);
    const result = await store.append(stream, from, eventsOf(ledger.backend, from, AT_ONCE));
    heads.set(stream, result.revision);
  }
}

async function raw() {
  const ended = new AbortController();
  let seen = 0;
  const started = performance.now();
  for await (const { events } of store.subscribe({ streamPrefixes: [`${streams.prefix}ledger-`], after: START }, ended.signal)) {
    for (const { type } of events) if (type === 'BindingCreated') seen += 1;
    if (seen === EVENTS) ended.abort();
  }
  return performance.now() - started;
}

async function durable(handle, limits = {}) {
  const name = `bench-${randomUUID()}`;
  let seen = 0;
  let finish;
  const finished = new Promise((resolve) => (finish = resolve));
  const counting = async (event) => {
    await handle(event);
    seen += 1;
    if (seen === EVENTS) finish();
  };
  const tools = { store, vault, streams, positions: queries.positions, localModelOf: (ledger) => queries.localModelOf(ledger) };
  const subscription = new Subscription(tools, defineSubscriber({ name, from: 'start', ...limits }, counting));
  const started = performance.now();
  subscription.start();
  await finished;
  const tookMs = performance.now() - started;
  await subscription.stop();
  return tookMs;
}

try {
  await seed();
  // What the projector does meanwhile is not what is measured.
  while ((await opened.readModel.position()) < (await store.endPosition()))
    await new Promise((resolve) => setTimeout(resolve, 100));
  const cases = [
    ['raw subscription, events parsed', raw],
    ['durable handler that does nothing', () => durable(() => undefined)],
    ['durable handler that waits for a turn of the event loop', () => durable(() => nextTurn())],
    ['the same, one ledger at a time', () => durable(() => nextTurn(), { concurrency: 1 })],
  ];
  console.log(`${EVENTS.toLocaleString('en')} events of ${LEDGERS} ledgers, median of ${RUNS} runs`);
  let base;
  for (const [name, work] of cases) {
    const took = [];
    for (let run = 0; run < RUNS; run += 1) took.push(await work());
    const ms = median(took);
    base ??= ms;
    console.log(`${name.padEnd(60)} ${rate(ms).toLocaleString('en').padStart(10)} events/s   ${(base / ms).toFixed(2)} × raw`);
  }
} finally {
  await opened.close();
  rmSync(folder, { recursive: true });
}
