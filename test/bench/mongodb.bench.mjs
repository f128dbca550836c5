/**
 * The read model in MongoDB, each part beside the raw driver doing the same. Run after `npx tsc -p tsconfig.build.json`, as
 * `node test/bench/mongodb.bench.mjs [bindings] [seconds a turn]`, on MONGODB_TEST_URL or a server that it starts. Wanted:
 * projection 0.8 × the slower of raw subscription and raw bulkWrite; lookups of 500 keys 0.8 × one raw $in; GET by external id
 * 0.8 × a bare Fastify route with findOne; lag at half load, median under 100 ms, p99 under 500 ms.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import fastify from 'fastify';
import { MongoClient } from 'mongodb';
import { findServer, startServer } from '../../scripts/mongodb-server.mjs';

const root = new URL(process.env.BENCH_ROOT ?? '../../dist/', import.meta.url);
const load = (file) => import(new URL(file, root));
const { createLogger, createServer } = await load('apps/server/src/index.js');
const { openSqliteEventStore } = await load('libs/event-store/sqlite/index.js');
const { openSqliteReadModel } = await load('libs/read-model/sqlite/index.js');
const { openSqliteVault } = await load('libs/vault/sqlite/index.js');
const { DEFAULT_LIMITS, Projector, projectCatalog, StreamNames } = await load('libs/ledger/src/index.js');
const { openMongo } = await load('libs/mongodb/src/index.js');
const { OPENED_LEDGER } = await load('libs/nest/src/index.js');
const { openMongoReadModel } = await load('libs/read-model/mongodb/index.js');
const { openLedger } = await load('libs/runtime/src/index.js');
const { openInMongo } = await load('libs/runtime/src/stores.js');

const COUNT = Number(process.argv[2] ?? 20_000);
const SECONDS = Number(process.argv[3] ?? 4);
const TURNS = 3;
const KEYS = 500;
const LEDGER = { backend: 'shop', model: 'shop.product' };
const context = { actor: 'bench', correlationId: 'bench' };
const streams = new StreamNames();
const folder = mkdtempSync(join(tmpdir(), 'mongodb-bench-'));
const given = process.env.MONGODB_TEST_URL;
const command = given ? undefined : findServer(console.error)?.filter((flag) => flag !== '--sync-on-commit');
if (!given && command === undefined) throw new Error('there is no server: set MONGODB_TEST_URL');
const server = command && (await startServer(command));
const urlOf = (name) => Object.assign(new URL(given ?? server.url), { pathname: `/bench_${process.pid}_${name}` }).href;
const perSecond = (count, ms) => Math.round((count * 1_000) / ms);
const openStore = () => openSqliteEventStore({ folder, appendIn: 'thread' });
const databases = [];

function databaseUrl(name) {
  databases.push(urlOf(name));
  return urlOf(name);
}

async function prepare(opened) {
  await opened.catalog.defineType({ type: 'shop' }, context);
  await opened.catalog.defineModel({ model: LEDGER.model, backendType: 'shop', localModel: 'product' }, context);
  await opened.backends.register({ id: LEDGER.backend, type: 'shop', location: 'https://shop.example.org' }, context);
}

const bindOf = (index) => ({
  command: { op: 'bind', recordId: `r${index}`, externalId: `e${index}`, data: { group: 'retail' } },
  context,
});

async function bindAll(opened, count) {
  for (let start = 0; start < count; start += 500) {
    await opened.ledger.executeAllInTurn(
      LEDGER,
      Array.from({ length: 500 }, (_, index) => bindOf(start + index)),
    );
  }
}

/** The events that are projected: written by the ledger itself, into a folder. */
async function writeEvents() {
  const stores = {
    store: await openStore(),
    readModel: await openSqliteReadModel({ memory: true }),
    vault: await openSqliteVault({ folder: ':memory:' }),
  };
  const opened = await openLedger({ stores });
  await prepare(opened);
  await bindAll(opened, COUNT);
  await opened.close();
}

async function subscribing(store) {
  const end = await store.endPosition();
  const ending = new AbortController();
  const began = performance.now();
  for await (const batch of store.subscribe({ streamPrefixes: streams.followed(), after: '' }, ending.signal)) {
    if (batch.position >= end) break;
  }
  return performance.now() - began;
}

/** Projects everything; answers how long it took, and the writes of bindings that were sent. */
async function projecting(store, url, recorded) {
  const mongo = await openMongo(url, { monitorCommands: recorded !== undefined });
  mongo.db.client.on('commandStarted', ({ command }) => {
    if (command.insert !== undefined || command.update === 'ledgers') recorded?.push(command);
  });
  const readModel = await openMongoReadModel(mongo, { readTail: async () => [] });
  await mongo.close();
  const end = await store.endPosition();
  const ending = new AbortController();
  // The position is asked for when the last event is applied, and not before: asking costs the server as much as a write.
  let allApplied;
  const waiting = new Promise((resolve) => (allApplied = resolve));
  const projector = new Projector({
    store,
    readModel,
    streams,
    projectCatalog: (events) => projectCatalog({ store, readModel, streams }, events),
    applied: (_, checkpoint) => checkpoint === COUNT && allApplied(),
    clock: () => Date.now(),
    sleep: (ms) => sleep(ms),
    maxEvents: DEFAULT_LIMITS.projectionEvents,
  });
  const began = performance.now();
  const running = projector.run(ending.signal);
  await waiting;
  while ((await readModel.position()) < end) await sleep(5);
  const tookMs = performance.now() - began;
  ending.abort();
  await running;
  await readModel.close();
  return tookMs;
}

/** The same documents into collections with the same indexes, by nothing but the driver. */
async function writing(recorded, url) {
  const mongo = await openMongo(url);
  await (await openMongoReadModel(mongo, { readTail: async () => [] })).close();
  const began = performance.now();
  for (const { insert, documents, update, updates } of recorded) {
    const collection = mongo.db.collection(insert ?? update);
    const operations =
      documents?.map((document) => ({ insertOne: { document } })) ??
      updates.map(({ q, u }) => ({ updateOne: { filter: { _id: q._id }, update: u, upsert: true } }));
    await collection.bulkWrite(operations, { ordered: false });
  }
  const tookMs = performance.now() - began;
  await mongo.close();
  return tookMs;
}

async function projection() {
  const store = await openStore();
  const recorded = [];
  await projecting(store, databaseUrl('recorded'), recorded);
  const best = [Infinity, Infinity, Infinity];
  for (let turn = 0; turn < TURNS; turn += 1) {
    const took = [
      await subscribing(store),
      await writing(recorded, databaseUrl(`raw${turn}`)),
      await projecting(store, databaseUrl(`projected${turn}`)),
    ];
    for (const [index, ms] of took.entries()) best[index] = Math.min(best[index], ms);
  }
  const [read, wrote, projected] = best;
  console.log(`raw subscription   ${perSecond(COUNT, read)} events/s`);
  console.log(`raw bulkWrite      ${perSecond(COUNT, wrote)} bindings/s`);
  console.log(
    `projection         ${perSecond(COUNT, projected)} events/s   ${(Math.max(read, wrote) / projected).toFixed(2)} × (wanted: 0.80)`,
  );
  await store.close();
}

async function lookups() {
  const url = urlOf('recorded');
  const mongo = await openMongo(url);
  const readModel = await openMongoReadModel(mongo, { readTail: async () => [] });
  const bindings = mongo.db.collection('bindings');
  const { scope } = await bindings.findOne({});
  const best = [Infinity, Infinity];
  for (let round = 0; round < 100; round += 1) {
    const keys = Array.from({ length: KEYS }, (_, index) => `e${(round * 131 + index * 37) % COUNT}`);
    const asks = [
      () => bindings.find({ liveExternalId: { $in: keys.map((key) => `${scope} ${key}`) } }, { batchSize: KEYS * 2 }).toArray(),
      async () => (await readModel.findByExternalIds(LEDGER, keys)).bindings,
    ];
    for (const [index, ask] of asks.entries()) {
      const began = performance.now();
      if ((await ask()).length !== new Set(keys).size) throw new Error('not all were found');
      best[index] = Math.min(best[index], performance.now() - began);
    }
  }
  const [raw, ours] = best;
  console.log(`raw $in of ${KEYS}     ${raw.toFixed(2)} ms`);
  console.log(`lookup of ${KEYS}      ${ours.toFixed(2)} ms   ${(raw / ours).toFixed(2)} × (wanted: 0.80)`);
  await readModel.close();
  await mongo.close();
}

async function bareRoute() {
  const client = new MongoClient(urlOf('recorded'));
  const bindings = client.db().collection('bindings');
  const { scope } = await bindings.findOne({});
  const app = fastify();
  app.get('/external/:externalId', async ({ params: { externalId } }, reply) => {
    const found = await bindings.findOne({ liveExternalId: `${scope} ${externalId}` });
    if (found === null) return reply.code(404).send({ code: 'NOT_BOUND' });
    const { _id, scope: _s, live: _l, liveRecord: _r, liveExternalId: _e, createdRevision: _c, data, ...binding } = found;
    return { ...binding, data: JSON.parse(data), ...LEDGER, localModel: 'product' };
  });
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  return { url: `${url}/external/e`, close: () => app.close().then(() => client.close()) };
}

async function ourServer() {
  const mongo = await openMongo(urlOf('recorded'));
  const stores = await openInMongo(await openStore(), mongo, streams, []);
  await mongo.close();
  const ours = await createServer({ ledger: { stores }, logger: createLogger('info', { write: () => true }) });
  const opened = ours.app.get(OPENED_LEDGER);
  await opened.queries.await(LEDGER, { atLeast: 'head', timeoutMs: 60_000 });
  const url = `${await ours.listen(0, '127.0.0.1')}/v1/backends/shop/models/shop.product/external/e`;
  return { url, opened, close: () => ours.close() };
}

async function measure(url) {
  const child = fork(new URL('./http-load.mjs', import.meta.url), [url, String(COUNT), String(SECONDS)]);
  const [{ rate, others }] = await once(child, 'message');
  if (others > 0) throw new Error(`${others} answers were not 200`);
  return rate;
}

async function http() {
  const bare = await bareRoute();
  const ours = await ourServer();
  const best = [0, 0];
  for (let turn = 0; turn <= TURNS; turn += 1) {
    for (const [index, { url }] of [bare, ours].entries()) {
      const rate = await measure(url);
      if (turn > 0) best[index] = Math.max(best[index], rate);
    }
  }
  console.log(`bare route         ${Math.round(best[0])}/s`);
  console.log(`through the server ${Math.round(best[1])}/s   ${(best[1] / best[0]).toFixed(2)} × (wanted: 0.80)`);
  await lag(ours.opened);
  await bare.close();
  await ours.close();
}

/** How long after its answer an event can be asked for, while half as much is written as can be. */
async function lag({ ledger, progress }) {
  const full = performance.now();
  for (let start = COUNT; start < COUNT + 5_000; start += 100)
    await ledger.executeAllInTurn(
      LEDGER,
      Array.from({ length: 100 }, (_, index) => bindOf(start + index)),
    );
  const everyMs = ((performance.now() - full) / 50) * 2;
  const lags = [];
  const waiting = [];
  for (let start = COUNT + 5_000; start < COUNT + 15_000; start += 100) {
    const next = sleep(everyMs);
    const results = await ledger.executeAllInTurn(
      LEDGER,
      Array.from({ length: 100 }, (_, index) => bindOf(start + index)),
    );
    const answered = performance.now();
    const { revision } = results.at(-1);
    waiting.push(progress.reach(LEDGER, revision, 60_000).then(() => lags.push(performance.now() - answered)));
    await next;
  }
  await Promise.all(waiting);
  lags.sort((a, b) => a - b);
  const at = (share) => Math.round(lags[Math.floor(lags.length * share)] ?? lags.at(-1));
  console.log(`lag at half load   median ${at(0.5)} ms (wanted: under 100), p99 ${at(0.99)} ms (wanted: under 500)`);
}

try {
  await writeEvents();
  await projection();
  await lookups();
  await http();
} finally {
  for (const url of databases) {
    const client = new MongoClient(url);
    await client.db().dropDatabase();
    await client.close();
  }
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
}
