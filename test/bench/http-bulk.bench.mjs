/**
 * Bulk bind through HTTP against the same in process, on the same embedded store, taking turns, each turn on a ledger of its own. Run after
 * `npm run build`, as `node test/bench/http-bulk.bench.mjs [commands a turn, default 50000] [turns, default 9]`. Wanted: at least 0.7.
 * Server and client are started once and work as they do in life, for long: the first two turns, in which their code is compiled, do not
 * count. As many commands are under way in process as the server has under way for one stream. In process makes its commands as it
 * goes, as the server makes them of lines.
 * With `memory` as the second argument: one stream of so many lines, with the resident memory as it goes. Wanted: under 300 MB, with
 * the limits that the server is started with: `node --max-old-space-size=400 --max-semi-space-size=8 …`.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inTurn, pair } from './in-turn.mjs';

const root = new URL(process.env.BENCH_ROOT ?? '../../dist/', import.meta.url);
const { createLogger, createServer } = await import(new URL('apps/server/src/index.js', root));
const { OPENED_LEDGER } = await import(new URL('libs/nest/src/index.js', root));

const COMMANDS = Number(process.argv[2] ?? 50_000);
const WARM_UP_TURNS = 2;
const BATCH = 500;
const MODEL = 'shop.product';
const SYNC_DATE = '2026-01-01T00:00:00.000Z';

const folder = mkdtempSync(join(tmpdir(), 'http-bulk-bench-'));
const server = await createServer({ ledger: { data: folder }, logger: createLogger('error') });
const opened = server.app.get(OPENED_LEDGER);
const context = { actor: 'bench', correlationId: 'bench' };
await opened.catalog.defineType({ type: 'shop' }, context);
await opened.catalog.defineModel({ model: MODEL, backendType: 'shop', localModel: 'product' }, context);
const url = await server.listen(0, '127.0.0.1');
const client = fork(new URL('./http-client.mjs', import.meta.url));
// Nobody would answer any more.
client.once('exit', (code) => code !== 0 && process.exit(1));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

async function newLedger(id) {
  await opened.backends.register({ id, type: 'shop', location: 'https://shop.example.org' }, context);
  return { backend: id, model: MODEL };
}

async function inProcess(ledger, count) {
  const started = performance.now();
  await inTurn(Math.ceil(count / BATCH), async (batch) => {
    const requests = Array.from({ length: Math.min(BATCH, count - batch * BATCH) }, (_, index) => {
      const [recordId, externalId] = pair(batch * BATCH + index);
      return { command: { op: 'bind', recordId, externalId, syncDate: SYNC_DATE, data: { group: 'retail' } }, context };
    });
    const results = await opened.ledger.executeAllInTurn(ledger, requests);
    if (results.some(({ outcome }) => outcome !== 'created')) throw new Error('a bind was not created');
  });
  return (performance.now() - started) / 1_000;
}

async function throughHttp({ backend, model }, count) {
  client.send({ url: `${url}/v1/backends/${backend}/models/${model}/commands`, count });
  const [{ answers, refused, seconds }] = await once(client, 'message');
  if (answers !== count || refused > 0)
    throw new Error(`${answers} answers, ${refused} pieces with refusals, to ${count} commands`);
  return seconds;
}

const rate = (seconds) => `${Math.round(COMMANDS / seconds).toLocaleString('en')}/s`;
const median = (all) => all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)];

/** Answered, and then projected: the second is what the ledger can keep up for long. */
async function taken(work, id) {
  const ledger = await newLedger(id);
  const answered = await work(ledger, COMMANDS);
  const started = performance.now();
  await opened.queries.await(ledger, { atLeast: 'head', timeoutMs: 600_000 });
  return { answered, projected: answered + (performance.now() - started) / 1_000 };
}

async function ratio(turns) {
  const times = { process: [], http: [] };
  for (let turn = 0; turn < WARM_UP_TURNS + turns; turn += 1) {
    const both = { process: () => taken(inProcess, `process${turn}`), http: () => taken(throughHttp, `http${turn}`) };
    // Each is first as often as the other: what is first has the smaller file.
    const done = {};
    for (const side of turn % 2 === 0 ? ['process', 'http'] : ['http', 'process']) done[side] = await both[side]();
    const { process: one, http: other } = done;
    const label = turn < WARM_UP_TURNS ? 'warming up' : `turn ${turn - WARM_UP_TURNS + 1}`;
    console.log(`${label}: in process ${rate(one.answered)}, through HTTP ${rate(other.answered)}`);
    if (turn < WARM_UP_TURNS) continue;
    times.process.push(one);
    times.http.push(other);
  }
  const of = (side) => rate(median(times[side].map(({ answered }) => answered)));
  // Each turn is compared with the one beside it: the machine is not the same all the time.
  const ratios = (what) => times.process.map((one, turn) => one[what] / times.http[turn][what]);
  console.log(
    `medians of ${turns} turns of ${COMMANDS.toLocaleString('en')}: in process ${of('process')}, through HTTP ${of('http')}`,
  );
  console.log(`through HTTP, answered   ${median(ratios('answered')).toFixed(2)} × in process (wanted: 0.70)`);
  console.log(`through HTTP, projected  ${median(ratios('projected')).toFixed(2)} × in process`);
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
  const seconds = await throughHttp(await newLedger('shop'), COMMANDS);
  clearInterval(watching);
  clearInterval(telling);
  console.log(
    `${COMMANDS.toLocaleString('en')} lines in ${seconds.toFixed(1)} s, ${rate(seconds)}; at most ${shown(most)} (wanted: under 300 MB)`,
  );
}

try {
  if (process.argv[3] === 'memory') await memory();
  else await ratio(Number(process.argv[3] ?? 9));
} finally {
  client.disconnect();
  await server.close();
}
