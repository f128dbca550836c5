// The ledger on EventStoreDB, beside the client by itself, in the same run: bulk bind, single bind, and catching up.
//   node test/bench/eventstoredb.bench.mjs [bindings, default 40000] [rounds, default 5] [flush]
// With `flush` the stand-in flushes every append to the disk before it acknowledges it, as a node does.
// The ledger is opened once and works as a server does, for long, each round on another ledger of it. Two rounds before them are not
// measured, so that what is compiled on the way counts for neither side.
// EVENTSTORE_TEST_URL names a node; without it, it runs against the stand-in. The read model is a SQLite file.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventStoreDBClient, jsonEvent, NO_STREAM, START, streamNameFilter } from '@eventstore/db-client';
import { openEventStoreDb } from '../../dist/libs/event-store/eventstoredb/index.js';
import { openSqliteReadModel } from '../../dist/libs/read-model/sqlite/index.js';
import { openLedger } from '../../dist/libs/runtime/src/index.js';
import { openSqliteVault } from '../../dist/libs/vault/sqlite/index.js';
import { inTurn } from './in-turn.mjs';
import { benchmarkNode } from './stand-in.mjs';

const COUNT = Number(process.argv[2] ?? 40_000);
const ROUNDS = Number(process.argv[3] ?? 5);
const BATCH = 500;
const SINGLES = 1_000;
const SYNC_DATE = '2026-01-01T00:00:00.000Z';
const MODEL = 'shop.product';
const WARM_UP_ROUNDS = 2;
const context = { actor: 'bench', correlationId: 'bench' };
const rate = (count, ms) => Math.round(count / (ms / 1000));
const median = (all) => all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)];
const nameOf = (label) => `bench${randomBytes(4).toString('hex')}-${label}`;

/** As in a server: it is projected in a thread of its own. */
async function openOn(url, streamPrefix, folder) {
  const store = await openEventStoreDb({ url, streamPrefix });
  const readModel = await openSqliteReadModel({ folder });
  const vault = await openSqliteVault({ folder: ':memory:' });
  return openLedger({ stores: { store, readModel, vault, elsewhere: { eventStoreUrl: url, folder } }, streamPrefix });
}

async function prepare({ catalog }) {
  await catalog.defineType({ type: 'shop' }, context);
  await catalog.defineModel({ model: MODEL, backendType: 'shop', localModel: 'product' }, context);
}

async function ledgerOf(round, { backends }) {
  const backend = `shop${round}`;
  await backends.register({ id: backend, type: 'shop', location: 'https://shop.example' }, context);
  return { backend, model: MODEL };
}

const bindOf = (i) => ({
  command: { op: 'bind', recordId: `product-${i}`, externalId: `sku-${(i * 7_919) % 1_000_003}-${i}`, syncDate: SYNC_DATE },
  context,
});

async function bulkBind(opened, ledger) {
  const started = performance.now();
  await inTurn(COUNT / BATCH, async (batch) => {
    const requests = Array.from({ length: BATCH }, (_, index) => bindOf(batch * BATCH + index));
    const results = await opened.ledger.executeAllInTurn(ledger, requests);
    const wrong = results.find(({ outcome }) => outcome !== 'created');
    if (wrong !== undefined) throw new Error(`a bind was not created: ${wrong.refused} ${wrong.detail}`);
  });
  return performance.now() - started;
}

async function singleBinds(opened, ledger) {
  const times = [];
  for (let i = 0; i < SINGLES; i += 1) {
    const started = performance.now();
    const { outcome } = await opened.ledger.execute(ledger, bindOf(COUNT + i).command, context);
    if (outcome !== 'created') throw new Error(`a bind came to ${outcome}`);
    times.push(performance.now() - started);
  }
  return times;
}

/** The events of the ledger as the client takes them, in the batches in which the ledger wrote them. */
async function eventsOf(opened, stream) {
  const events = [];
  for (;;) {
    const page = await opened.store.readStream(stream, { after: events.length - 1, limit: 4_096 });
    events.push(...page);
    if (page.length === 0) return events;
  }
}

const toClient = ({ id, type, data, metadata }) => jsonEvent({ id, type, data, metadata });

async function rawAppends(client, events) {
  const stream = nameOf('raw');
  const batches = [];
  for (let start = 0; start < events.length; start += BATCH) batches.push(events.slice(start, start + BATCH).map(toClient));
  const started = performance.now();
  let expectedRevision = NO_STREAM;
  for (const batch of batches)
    expectedRevision = (await client.appendToStream(stream, batch, { expectedRevision })).nextExpectedRevision;
  return performance.now() - started;
}

async function rawSingles(client, events) {
  const [stream, times] = [nameOf('single'), []];
  let expectedRevision = NO_STREAM;
  for (const event of events.slice(0, SINGLES)) {
    const started = performance.now();
    expectedRevision = (await client.appendToStream(stream, toClient(event), { expectedRevision })).nextExpectedRevision;
    times.push(performance.now() - started);
  }
  return times;
}

/** The raw subscription, with the same filter, from the start, with nothing done with the events. */
async function rawCatchUp(client, prefixes, wanted) {
  const started = performance.now();
  let seen = 0;
  const filter = streamNameFilter({ prefixes, maxSearchWindow: 64, checkpointInterval: 1, checkpointReached: () => undefined });
  for await (const _event of client.subscribeToAll({ fromPosition: START, filter })) if ((seen += 1) === wanted) break;
  return performance.now() - started;
}

/** The projector's subscription, as the projector takes it. */
async function ledgerCatchUp(url, prefixes, wanted) {
  const store = await openEventStoreDb({ url, check: false });
  // Connected, as the client is.
  await store.ping();
  const started = performance.now();
  let seen = 0;
  const ending = new AbortController();
  for await (const { events } of store.subscribe({ streamPrefixes: prefixes, after: '' }, ending.signal))
    if ((seen += events.length) >= wanted) break;
  const tookMs = performance.now() - started;
  await store.close();
  return tookMs;
}

const node = await benchmarkNode({ flush: process.argv[4] === 'flush' });
const client = EventStoreDBClient.connectionString(node.url);
const ratios = { bulk: [], single: [], catchUp: [] };
const prefix = nameOf('');
const folder = mkdtempSync(join(tmpdir(), 'ledger-bench-'));
const opened = await openOn(node.url, prefix, folder);
try {
  await prepare(opened);
  for (let round = 0; round < WARM_UP_ROUNDS + ROUNDS; round += 1) {
    const ledger = await ledgerOf(round, opened);
    const bulkMs = await bulkBind(opened, ledger);
    await opened.queries.await(ledger, { atLeast: 'head', timeoutMs: 120_000 });
    const singleMs = median(await singleBinds(opened, ledger));
    const stream = `${prefix}ledger-${ledger.backend}/${MODEL}`;
    const events = await eventsOf(opened, stream);
    const rawMs = await rawAppends(client, events.slice(1, COUNT + 1));
    const rawSingleMs = median(await rawSingles(client, events));
    const prefixes = [stream];
    const rawCatchUpMs = await rawCatchUp(client, prefixes, events.length);
    const catchUpMs = await ledgerCatchUp(node.url, prefixes, events.length);
    console.log(
      `${round < WARM_UP_ROUNDS ? 'warming up' : `round ${round - WARM_UP_ROUNDS}`}: bulk bind ${rate(COUNT, bulkMs)}/s, raw appends ${rate(COUNT, rawMs)}/s; ` +
        `single bind ${singleMs.toFixed(2)} ms, raw ${rawSingleMs.toFixed(2)} ms; ` +
        `subscription ${rate(events.length, catchUpMs)}/s, raw ${rate(events.length, rawCatchUpMs)}/s`,
    );
    if (round < WARM_UP_ROUNDS) continue;
    ratios.bulk.push(rawMs / bulkMs);
    ratios.single.push(singleMs / rawSingleMs);
    ratios.catchUp.push(rawCatchUpMs / catchUpMs);
  }
  console.log(`on ${node.what}, medians of ${ROUNDS} rounds:`);
  console.log(`bulk bind            ${median(ratios.bulk).toFixed(2)} x raw appends one at a time (target 1.0)`);
  console.log(`single bind, median  ${median(ratios.single).toFixed(2)} x a raw single append (target: at most 1.5)`);
  console.log(`catching up          ${median(ratios.catchUp).toFixed(2)} x the raw subscription (target 0.9)`);
} finally {
  await opened.close();
  rmSync(folder, { recursive: true });
  await client.dispose();
  await node.stop();
}
process.exit();
