/**
 * Bulk bind through HTTP against the same in process, on the same embedded store, taking turns. Run after
 * `npx tsc -p tsconfig.build.json`, as `node test/bench/http-bulk.bench.mjs [commands a turn] [turns]`. Wanted: at least 0.7.
 * With `memory` as the second argument: one stream of so many lines, with the resident memory as it goes. Wanted: under 300 MB, with
 * the limits that the server is started with: `node --max-old-space-size=400 --max-semi-space-size=8 …`.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = new URL(process.env.BENCH_ROOT ?? '../../dist/', import.meta.url);
const { createLogger, createServer } = await import(new URL('apps/server/src/index.js', root));
const { OPENED_LEDGER } = await import(new URL('libs/nest/src/index.js', root));

const COMMANDS = Number(process.argv[2] ?? 50_000);
const CHUNK = 250;
const IN_FLIGHT = 4;
const LEDGER = { backend: 'shop', model: 'shop.product' };
const PATH = '/v1/backends/shop/models/shop.product/commands';

const folder = mkdtempSync(join(tmpdir(), 'http-bulk-bench-'));
const server = await createServer({ ledger: { data: folder }, logger: createLogger('error') });
const opened = server.app.get(OPENED_LEDGER);
const context = { actor: 'bench', correlationId: 'bench' };
await opened.catalog.defineType({ type: 'shop' }, context);
await opened.catalog.defineModel({ model: LEDGER.model, backendType: 'shop', localModel: 'product' }, context);
await opened.backends.register({ id: LEDGER.backend, type: 'shop', location: 'https://shop.example.org' }, context);
const url = await server.listen(0, '127.0.0.1');

async function inProcess(prefix, count) {
  const flying = new Set();
  const started = performance.now();
  for (let start = 0; start < count; start += CHUNK) {
    if (flying.size >= IN_FLIGHT) await Promise.race(flying);
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
    const chunk = opened.ledger.executeAllInTurn(LEDGER, requests).then(() => flying.delete(chunk));
    flying.add(chunk);
  }
  await Promise.all(flying);
  return (performance.now() - started) / 1_000;
}

async function throughHttp(prefix, count) {
  const client = fork(new URL('./http-client.mjs', import.meta.url), [`${url}${PATH}`, prefix, String(count)]);
  const [{ answers, refused, seconds }] = await once(client, 'message');
  if (answers !== count || refused > 0)
    throw new Error(`${answers} answers, ${refused} pieces with refusals, to ${count} commands`);
  return seconds;
}

const rate = (seconds) => `${Math.round(COMMANDS / seconds).toLocaleString('en')}/s`;
const projected = () => opened.queries.await(LEDGER, { atLeast: 'head', timeoutMs: 600_000 });

async function ratio(turns) {
  await inProcess('warm', 5_000);
  const times = { process: [], http: [] };
  for (let turn = 0; turn < turns; turn += 1) {
    await projected();
    times.process.push(await inProcess(`p${turn}-`, COMMANDS));
    await projected();
    times.http.push(await throughHttp(`h${turn}-`, COMMANDS));
    console.log(`turn ${turn + 1}: in process ${rate(times.process.at(-1))}, through HTTP ${rate(times.http.at(-1))}`);
  }
  const best = (of) => Math.min(...of);
  console.log(`through HTTP ${(best(times.process) / best(times.http)).toFixed(2)} × in process (wanted: 0.70)`);
}

const MEGABYTE = 1_048_576;
const shown = ({ rss, heapTotal, heapUsed, external }) =>
  `${Math.round(rss / MEGABYTE)} MB resident (heap ${Math.round(heapUsed / MEGABYTE)} of ${Math.round(heapTotal / MEGABYTE)}, external ${Math.round(external / MEGABYTE)})`;

async function memory() {
  console.log(`before: ${shown(process.memoryUsage())}`);
  let most = process.memoryUsage();
  const watching = setInterval(() => {
    const now = process.memoryUsage();
    if (now.rss > most.rss) most = now;
  }, 200);
  const telling = setInterval(() => console.log(`so far: ${shown(process.memoryUsage())}`), 10_000);
  const seconds = await throughHttp('m', COMMANDS);
  clearInterval(watching);
  clearInterval(telling);
  console.log(
    `${COMMANDS.toLocaleString('en')} lines in ${seconds.toFixed(1)} s, ${rate(seconds)}; at most ${shown(most)} (wanted: under 300 MB)`,
  );
}

try {
  if (process.argv[3] === 'memory') await memory();
  else await ratio(Number(process.argv[3] ?? 3));
} finally {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
}
