// A million bindings, in process, on the embedded store: what each costs in a large ledger beside a small one, and the memory it takes.
//   node --max-old-space-size=400 --max-semi-space-size=8 test/bench/million.bench.mjs [bindings, default 1000000]
// Wanted: the last hundred thousand cost at most 1.3 times what they cost in a ledger of ten thousand, and under 300 MB resident. Ten
// thousand take a fifth of a second, so the median of several ledgers counts; those made afterwards show what the machine did meanwhile.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLedger } from '../../dist/libs/runtime/src/index.js';

const COUNT = Number(process.argv[2] ?? 1_000_000);
const [WARM_UP, SMALL, SMALL_LEDGERS, PART, BATCH, MEGABYTE] = [50_000, 10_000, 5, 100_000, 500, 1_048_576];
const context = { actor: 'bench', correlationId: 'bench' };
const folder = mkdtempSync(join(tmpdir(), 'ledger-bench-'));
let mostBytes = 0;
const watching = setInterval(() => (mostBytes = Math.max(mostBytes, process.memoryUsage.rss())), 100);

const opened = await openLedger({ data: folder });
await opened.catalog.defineType({ type: 'shop' }, context);
await opened.catalog.defineModel({ model: 'shop.product', backendType: 'shop', localModel: 'product' }, context);
const register = (id) => opened.backends.register({ id, type: 'shop', location: 'https://shop.example' }, context);

/** Microseconds per binding, until all are answered and projected: elapsed, and of the processor. */
async function bind(backend, from, to) {
  const ledger = { backend, model: 'shop.product' };
  const [started, usedBefore] = [performance.now(), process.cpuUsage()];
  const flying = new Set();
  for (let start = from; start < to; start += BATCH) {
    if (flying.size >= 8) await Promise.race(flying);
    const requests = Array.from({ length: BATCH }, (_, offset) => {
      const i = start + offset;
      const externalId = `sku-${(i * 7_919) % 1_000_003}-${i}`;
      return { command: { op: 'bind', recordId: `product-${i}`, externalId, syncDate: '2026-01-01T00:00:00.000Z' }, context };
    });
    const answered = opened.ledger.executeAllInTurn(ledger, requests).then((results) => {
      if (results.some(({ outcome }) => outcome !== 'created')) throw new Error('a bind was not created');
      flying.delete(answered);
    });
    flying.add(answered);
  }
  await Promise.all(flying);
  await opened.queries.await(ledger, { atLeast: 'head', timeoutMs: 600_000 });
  const { user, system } = process.cpuUsage(usedBefore);
  return { elapsed: ((performance.now() - started) * 1_000) / (to - from), used: (user + system) / (to - from) };
}

const median = (all) => all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)];
const small = [];

async function bindSmallOnes() {
  for (let count = 0; count < SMALL_LEDGERS; count += 1) {
    const id = `small${small.length}`;
    await register(id);
    small.push(await bind(id, 0, SMALL));
    const { elapsed, used } = small.at(-1);
    console.log(`ten thousand            ${elapsed.toFixed(1)} µs each, ${used.toFixed(1)} µs of the processor`);
  }
}

try {
  for (const id of ['warm', 'large']) await register(id);
  await bind('warm', 0, WARM_UP);
  await bindSmallOnes();
  let last;
  for (let from = 0; from < COUNT; from += PART) {
    last = await bind('large', from, Math.min(COUNT, from + PART));
    const resident = Math.round(process.memoryUsage.rss() / MEGABYTE);
    console.log(
      `up to ${String(from + PART).padStart(9)}         ${last.elapsed.toFixed(1)} µs each, ${last.used.toFixed(1)} µs of the processor   ${resident} MB resident`,
    );
  }
  const before = small.slice();
  await bindSmallOnes();
  const after = small.slice(before.length);
  const times = (what, than) => (last[what] / median(than.map((one) => one[what]))).toFixed(2);
  console.log(
    `the last of a million cost ${times('elapsed', before)} × the time of ten thousand (wanted: 1.3), ${times('used', before)} × the processor time`,
  );
  console.log(
    `beside ten thousand made afterwards, in the large file: ${times('elapsed', after)} × and ${times('used', after)} ×`,
  );
  console.log(`at most ${Math.round(mostBytes / MEGABYTE)} MB resident (wanted: under 300)`);
} finally {
  clearInterval(watching);
  await opened.close();
  rmSync(folder, { recursive: true, force: true });
}
