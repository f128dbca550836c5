/**
 * Server-sent events beside the store's own subscription, on the embedded store: history to one reader, history to 100, fan-out of what is
 * recorded to 100, and how soon after its command's answer an event arrives. Run after `npx tsc -p tsconfig.build.json`, as
 * `node test/bench/sse.bench.mjs [events] [readers]`. Wanted: the median of the arrivals under 50 ms.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';

const root = new URL(process.env.BENCH_ROOT ?? '../../dist/', import.meta.url);
const { createLogger, createServer } = await import(new URL('apps/server/src/index.js', root));
const { OPENED_LEDGER } = await import(new URL('libs/nest/src/index.js', root));
const { BindingLedgerClient } = await import(new URL('libs/client/src/index.js', root));

const [EVENTS, READERS] = [Number(process.argv[2] ?? 50_000), Number(process.argv[3] ?? 100)];
const FANNED_OUT = 5_000;
const ARRIVALS = 300;
const CHUNK = 250;
const LEDGER = { backend: 'shop', model: 'shop.product' };

const folder = mkdtempSync(join(tmpdir(), 'sse-bench-'));
const server = await createServer({ ledger: { data: folder }, logger: createLogger('error') });
const opened = server.app.get(OPENED_LEDGER);
const context = { actor: 'bench', correlationId: 'bench' };
await opened.catalog.defineType({ type: 'shop' }, context);
await opened.catalog.defineModel({ model: LEDGER.model, backendType: 'shop', localModel: 'product' }, context);
await opened.backends.register({ id: LEDGER.backend, type: 'shop', location: 'https://shop.example.org' }, context);
const url = await server.listen(0, '127.0.0.1');
const delays = monitorEventLoopDelay({ resolution: 5 });

async function bind(prefix, count) {
  for (let start = 0; start < count; start += CHUNK) {
    const requests = Array.from({ length: Math.min(CHUNK, count - start) }, (_, index) => ({
      command: {
        op: 'bind',
        recordId: `${prefix}${start + index}`,
        externalId: `x${prefix}${start + index}`,
        syncDate: '2026-01-01T00:00:00.000Z',
        data: { group: 'retail' },
      },
      context,
    }));
    await opened.ledger.executeAll(LEDGER, requests);
  }
}

async function raw() {
  const started = performance.now();
  const ended = new AbortController();
  let events = 0;
  const all = { streamPrefixes: [`${opened.streams.prefix}ledger-`], after: '' };
  for await (const batch of opened.store.subscribe(all, ended.signal)) {
    events += batch.events.length;
    if (events > EVENTS) ended.abort();
  }
  return events / ((performance.now() - started) / 1_000);
}

/** Readers in another process; the answer says how many events came, by when all had. */
async function readers(count, query) {
  const started = performance.now();
  const child = fork(new URL('./sse-readers.mjs', import.meta.url), [url, String(count), query]);
  await once(child, 'message');
  return {
    started,
    async received(total) {
      child.send({ total });
      const [{ events, at }] = await once(child, 'message');
      child.kill();
      await once(child, 'exit');
      return { events, at: at - performance.timeOrigin };
    },
  };
}

async function history(count) {
  const reading = await readers(count, '?after=start');
  const { events, at } = await reading.received(EVENTS * count);
  return events / ((at - reading.started) / 1_000);
}

async function fanOut() {
  const reading = await readers(READERS, '');
  delays.enable();
  delays.reset();
  const started = performance.now();
  await bind('fan', FANNED_OUT);
  const written = performance.now() - started;
  const { events, at } = await reading.received(FANNED_OUT * READERS);
  delays.disable();
  return { rate: events / ((at - started) / 1_000), writeRate: FANNED_OUT / (written / 1_000), blockMs: delays.max / 1e6 };
}

/** From the answer of a command to the arrival of its event at a reader over HTTP, both in this process. */
async function arrivals() {
  const arrived = new Map();
  const stream = request(`${url}/v1/events`, { headers: { accept: 'text/event-stream' } }).end();
  const [response] = await once(stream, 'response');
  response.setEncoding('utf8');
  response.on('data', (piece) => {
    for (const [, id] of piece.matchAll(/"recordId":"(soon\d+)"/g)) arrived.set(id, performance.now());
  });
  const ledger = new BindingLedgerClient({ url }).ledger(LEDGER.backend, LEDGER.model);
  const waits = [];
  for (let n = 0; n < ARRIVALS; n += 1) {
    await ledger.bind({ recordId: `soon${n}`, externalId: `soon${n}` });
    const answered = performance.now();
    while (!arrived.has(`soon${n}`)) await new Promise((resolve) => setImmediate(resolve));
    waits.push(Math.max(0, arrived.get(`soon${n}`) - answered));
  }
  stream.destroy();
  return waits.sort((a, b) => a - b);
}

const rate = (perSecond) => `${Math.round(perSecond).toLocaleString('en')} events/s`;
await bind('h', EVENTS);
await raw();
console.log(`the store's subscription                ${rate(await raw())}`);
console.log(`history to 1 reader                     ${rate(await history(1))}`);
console.log(`history to ${READERS} readers, all together    ${rate(await history(READERS))}`);
const { rate: fanned, writeRate, blockMs } = await fanOut();
console.log(`fan-out of new events to ${READERS}, together  ${rate(fanned)}, while ${rate(writeRate)} were recorded`);
console.log(`  event loop held up                    ${blockMs.toFixed(1)} ms at most`);
const waits = await arrivals();
const at = (part) => waits[Math.floor(waits.length * part)].toFixed(2);
console.log(`command's answer to its event's arrival ${at(0.5)} ms median, ${at(0.99)} ms of 99 %`);
await server.close();
rmSync(folder, { recursive: true, force: true });
