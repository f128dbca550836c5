/**
 * Lookups by external id through the server, against a bare Fastify route that does the same by hand with SQL, taking turns.
 * Run after `npm run build`, as `node test/bench/http-lookup.bench.mjs [seconds a turn] [turns] [bindings]`. Wanted: at least 0.8.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fastify from 'fastify';

const root = new URL(process.env.BENCH_ROOT ?? '../../dist/', import.meta.url);
const { createLogger, createServer } = await import(new URL('apps/server/src/index.js', root));
const { OPENED_LEDGER } = await import(new URL('libs/nest/src/index.js', root));
const { openDatabase } = await import(new URL('libs/sqlite/src/index.js', root));

const SECONDS = Number(process.argv[2] ?? 4);
const TURNS = Number(process.argv[3] ?? 3);
const BINDINGS = Number(process.argv[4] ?? 10_000);
const LEDGER = { backend: 'shop', model: 'shop.product' };
const context = { actor: 'bench', correlationId: 'bench' };
const folder = mkdtempSync(join(tmpdir(), 'http-lookup-bench-'));

/** The table that one would write by hand, and the least that a route can do with it. */
async function byHand() {
  const db = openDatabase(join(folder, 'by-hand.sqlite'), { synchronous: 'NORMAL' });
  db.exec(
    'CREATE TABLE bindings (id TEXT PRIMARY KEY, record_id TEXT, external_id TEXT, sync_date TEXT, data TEXT, state TEXT, version INTEGER, revision INTEGER, created_at TEXT, updated_at TEXT)',
  );
  db.exec('CREATE UNIQUE INDEX by_external_id ON bindings (external_id)');
  const insert = db.prepare('INSERT INTO bindings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)');
  const at = new Date().toISOString();
  db.exec('BEGIN');
  for (let index = 0; index < BINDINGS; index += 1)
    insert.run(crypto.randomUUID(), `r${index}`, `e${index}`, at, '{"group":"retail"}', 'bound', 1, index, at, at);
  db.exec('COMMIT');
  const find = db.prepare('SELECT * FROM bindings WHERE external_id = ?');
  const app = fastify();
  app.get('/external/:externalId', async ({ params: { externalId } }, reply) => {
    const row = find.get(externalId);
    if (row === undefined) return reply.code(404).send({ code: 'NOT_BOUND' });
    const { record_id, external_id, sync_date, data, created_at, updated_at, ...rest } = row;
    return {
      ...rest,
      recordId: record_id,
      externalId: external_id,
      syncDate: sync_date,
      data: JSON.parse(data),
      createdAt: created_at,
      updatedAt: updated_at,
      ...LEDGER,
      localModel: 'product',
    };
  });
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  return {
    url: `${url}/external/e`,
    close: async () => {
      await app.close();
      db.close();
    },
  };
}

async function throughServer() {
  const server = await createServer({
    ledger: { data: join(folder, 'ledger') },
    logger: createLogger('info', { write: () => true }),
  });
  const opened = server.app.get(OPENED_LEDGER);
  await opened.catalog.defineType({ type: 'shop' }, context);
  await opened.catalog.defineModel({ model: LEDGER.model, backendType: 'shop', localModel: 'product' }, context);
  await opened.backends.register({ id: LEDGER.backend, type: 'shop', location: 'https://shop.example.org' }, context);
  for (let start = 0; start < BINDINGS; start += 500) {
    const requests = Array.from({ length: 500 }, (_, index) => ({
      command: { op: 'bind', recordId: `r${start + index}`, externalId: `e${start + index}`, data: { group: 'retail' } },
      context,
    }));
    await opened.ledger.executeAll(LEDGER, requests);
  }
  await opened.queries.await(LEDGER, { atLeast: 'head', timeoutMs: 60_000 });
  return {
    url: `${await server.listen(0, '127.0.0.1')}/v1/backends/shop/models/shop.product/external/e`,
    close: () => server.close(),
  };
}

/** Requests a second, asked for by a process of its own, and what one costs this process: the cost says more when the machine is busy. */
async function measure(url) {
  const before = process.cpuUsage();
  const child = fork(new URL('./http-load.mjs', import.meta.url), [url, String(BINDINGS), String(SECONDS)]);
  const [{ answers, rate, others }] = await once(child, 'message');
  if (others > 0) throw new Error(`${others} answers were not 200`);
  const { user, system } = process.cpuUsage(before);
  return { rate, cost: (user + system) / answers };
}

const served = [await byHand(), await throughServer()];
try {
  const rates = [0, 0];
  const costs = [Infinity, Infinity];
  for (let turn = 0; turn <= TURNS; turn += 1) {
    for (const [index, { url }] of served.entries()) {
      const { rate, cost } = await measure(url);
      // The first turn is for the compiler.
      if (turn === 0) continue;
      rates[index] = Math.max(rates[index], rate);
      costs[index] = Math.min(costs[index], cost);
      console.log(
        `turn ${turn}: ${index === 0 ? 'by hand' : 'ledger '} ${Math.round(rate).toLocaleString('en')}/s, ${cost.toFixed(1)} µs each`,
      );
    }
  }
  console.log(
    `through the server ${(rates[1] / rates[0]).toFixed(2)} × by hand (wanted: 0.80); by processor time ${(costs[0] / costs[1]).toFixed(2)}`,
  );
} finally {
  for (const { close } of served) await close();
  rmSync(folder, { recursive: true, force: true });
}
