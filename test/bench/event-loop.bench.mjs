/**
 * How long the event loop is held up while a bulk import of large bindings runs and everything is listed at the same time, and how
 * long a lookup takes meanwhile. Run after `npx tsc -p tsconfig.build.json`, as
 * `node test/bench/event-loop.bench.mjs [bindings] [bytes of data each]`. Wanted: no call that runs for more than 20 ms, lookups p99 at
 * most 50 ms. A thread that waits for a processor delays the loop as well, so of the longest delays is said how long it ran: as
 * Linux counts it, to some 4 ms, and with all calls of that turn. Everything was asked for once before: the first call of its kind is compiled.
 */
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

const root = new URL(process.env.BENCH_ROOT ?? '../../dist/', import.meta.url);
const { createLogger, createServer } = await import(new URL('apps/server/src/index.js', root));
const { OPENED_LEDGER } = await import(new URL('libs/nest/src/index.js', root));

const BINDINGS = Number(process.argv[2] ?? 3_000);
const DATA = { text: 'x'.repeat(Number(process.argv[3] ?? 60_000)) };
const LEDGER = { backend: 'shop', model: 'shop.product' };
const PATH = '/v1/backends/shop/models/shop.product';
const CONTEXT = { actor: 'bench', correlationId: 'bench' };
const CHUNK = 8;
const NDJSON = { accept: 'application/x-ndjson' };

const folder = mkdtempSync(join(tmpdir(), 'event-loop-bench-'));
const server = await createServer({ ledger: { data: folder }, logger: createLogger('error') });
const opened = server.app.get(OPENED_LEDGER);
await opened.catalog.defineType({ type: 'shop' }, CONTEXT);
await opened.catalog.defineModel({ model: LEDGER.model, backendType: 'shop', localModel: 'product' }, CONTEXT);
await opened.backends.register({ id: LEDGER.backend, type: 'shop', location: 'https://shop.example.org' }, CONTEXT);

async function importAll(prefix, count) {
  for (let start = 0; start < count; start += CHUNK) {
    const requests = Array.from({ length: CHUNK }, (_, index) => ({
      command: { op: 'bind', recordId: `${prefix}${start + index}`, externalId: `${prefix}x${start + index}`, data: DATA },
      context: CONTEXT,
    }));
    await opened.ledger.executeAllInTurn(LEDGER, requests);
  }
}

/** Asks in a thread of its own, over a socket, and throws away what it reads: only the server's side is measured. */
function reader(url, paths) {
  const code = `
    const { parentPort, workerData: { url, paths } } = require('node:worker_threads');
    let stopped = false;
    parentPort.once('message', () => (stopped = true));
    async function ask([path, headers]) {
      const answer = await fetch(url + path, { headers });
      if (answer.status !== 200) throw new Error(path + ': ' + (await answer.text()).slice(0, 500));
      for await (const _ of answer.body);
    }
    (async () => {
      const lookups = [];
      if (paths.length === 0) for (let n = 0; n < 20; n += 1) await ask(['${PATH}/external/ax1', {}]);
      parentPort.postMessage('asking');
      do {
        for (const path of paths) await ask(path);
        const begun = performance.now();
        await ask(['${PATH}/external/ax1', {}]);
        lookups.push(performance.now() - begun);
      } while (!stopped);
      parentPort.postMessage(lookups);
    })();`;
  return new Worker(code, { eval: true, workerData: { url, paths } });
}

/** Milliseconds that the calling thread, which is the main one, has run. */
function processorTime() {
  const file = openSync(`/proc/self/task/${process.pid}/schedstat`, 'r');
  const bytes = Buffer.alloc(100);
  const ran = () => Number(bytes.toString('latin1', 0, readSync(file, bytes, 0, bytes.length, 0)).split(' ')[0]) / 1e6;
  return { ran, close: () => closeSync(file) };
}

/** Watches turns of the loop. Answers how long the longest were held up, and for how long of that the thread ran. */
function watchTurns() {
  const { ran, close } = processorTime();
  const turns = [];
  let [at, ranBefore] = [performance.now(), ran()];
  const timer = setInterval(() => {
    const [now, ranNow] = [performance.now(), ran()];
    turns.push({ heldUpMs: now - at, ranMs: ranNow - ranBefore });
    [at, ranBefore] = [now, ranNow];
  }, 1);
  return () => {
    clearInterval(timer);
    close();
    const longest = turns.toSorted((a, b) => b.heldUpMs - a.heldUpMs).slice(0, 3);
    return {
      longest: longest.map(({ heldUpMs, ranMs }) => `${heldUpMs.toFixed(1)} (ran ${ranMs.toFixed(1)})`).join(', '),
      ranMs: turns.reduce((most, turn) => Math.max(most, turn.ranMs), 0),
    };
  };
}

async function asking(url, paths) {
  const reading = reader(url, paths);
  await once(reading, 'message');
  return reading;
}

/** Answers what its lookups took. */
async function stopped(reading) {
  reading.postMessage('stop');
  const [times] = await once(reading, 'message');
  return times;
}

function tell(lookups) {
  const times = lookups.toSorted((a, b) => a - b);
  const at = (part) => times[Math.min(times.length - 1, Math.floor(times.length * part))].toFixed(1);
  console.log(`${times.length} lookups meanwhile: median ${at(0.5)}, p99 ${at(0.99)}, max ${at(1)} ms`);
}

async function measured(name, work) {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const begun = performance.now();
  delay.enable();
  const stop = watchTurns();
  await sleep(50);
  await work();
  await sleep(50);
  delay.disable();
  const { longest, ranMs } = stop();
  const ms = (nanoseconds) => (nanoseconds / 1e6).toFixed(1);
  console.log(
    `${name}: ${((performance.now() - begun) / 1_000).toFixed(1)} s, delay p50 ${ms(delay.percentile(50))}, p99 ${ms(delay.percentile(99))}, p99.9 ${ms(delay.percentile(99.9))}, max ${ms(delay.max)} ms; longest turns ${longest}; most that one ran ${ranMs.toFixed(1)} ms`,
  );
}

try {
  await importAll('a', 200);
  await opened.queries.await(LEDGER, { atLeast: 'head', timeoutMs: 60_000 });
  await measured('nothing', () => sleep(1_000));
  const url = await server.listen(0, '127.0.0.1');
  const readings = [
    ['pages of 1,000', [[`${PATH}/bindings?limit=1000`, {}]]],
    ['pages of 1,000 events', [[`${PATH}/events?limit=1000`, {}]]],
    ['all as a stream', [[`${PATH}/bindings?syncedBefore=2027-01-01T00:00:00Z`, NDJSON]]],
    ['events as a stream', [[`${PATH}/events`, NDJSON]]],
  ];
  for (const [, paths] of readings) await stopped(await asking(url, paths));
  await measured('import', () => importAll('b', BINDINGS));
  const looking = await asking(url, []);
  await measured('import, looked up meanwhile', () => importAll('d', BINDINGS));
  tell(await stopped(looking));
  await opened.queries.await(LEDGER, { atLeast: 'head', timeoutMs: 60_000 });
  for (const [name, paths] of readings) {
    const reading = await asking(url, paths);
    await measured(name, () => sleep(1_500));
    await stopped(reading);
  }
  const readers = await Promise.all([...readings.map(([, paths]) => paths), []].map((paths) => asking(url, paths)));
  await measured('import and all of them', () => importAll('c', BINDINGS));
  tell((await Promise.all(readers.map(stopped))).flat());
} finally {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
}
