// Verification beside a raw read of the same stream, and what share of bulk bind the hash chain costs. On the embedded store.
//   node test/bench/verify.bench.mjs [bindings, default 25000]
// Each binding is bound once and synchronized three times, as ledgers live; and, for comparison, a ledger of creations only.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { verifyLedger } from '../../dist/libs/audit/src/index.js';
import { canonicalJson, chainHash, JsonSchemas } from '../../dist/libs/ledger/src/index.js';
import { openLedger } from '../../dist/libs/runtime/src/index.js';

const COUNT = Number(process.argv[2] ?? 25_000);
const BATCH = 500;
const ROUNDS = 7;
const PAGE = 256;
const LEDGER = { backend: 'shop', model: 'shop.product' };
const context = { actor: 'bench', correlationId: 'bench' };
const nothing = { ledgerDocument: async () => undefined, list: async () => ({ items: [], nextCursor: null }) };
/** Without these the JIT's first guesses are measured, of the raw read as well as of the verification. */
const WARM_UP_ROUNDS = 2;
/** CPU time, so that what else runs on the machine counts less. */
const timed = async (work) => {
  const before = process.cpuUsage();
  const started = performance.now();
  const result = await work();
  const { user, system } = process.cpuUsage(before);
  return { result, wallMs: performance.now() - started, cpuMs: (user + system) / 1_000 };
};

async function write(opened, commandsOf, ledger = LEDGER) {
  for (let start = 0; start < COUNT; start += BATCH) {
    const commands = Array.from({ length: Math.min(BATCH, COUNT - start) }, (_, index) => commandsOf(start + index));
    await opened.ledger.executeAll(
      ledger,
      commands.map((command) => ({ command, context })),
    );
  }
}

async function rawRead(opened) {
  const stream = opened.streams.ledger(LEDGER);
  let events = 0;
  for (let after = -1; ;) {
    const page = await opened.store.readStream(stream, { after, limit: PAGE });
    if (page.length === 0) return events;
    events += page.length;
    after = page.at(-1).revision;
  }
}

async function chainAlone(opened) {
  const stream = opened.streams.ledger(LEDGER);
  const events = [];
  for (let after = -1; ; after = events.at(-1).revision) {
    const page = await opened.store.readStream(stream, { after, limit: PAGE });
    if (page.length === 0) break;
    events.push(...page);
  }
  // As a writer does it: what the events of one moment have in common is put into words once.
  const chain = async () => {
    let [hash, at, metadata] = ['', '', ''];
    for (const event of events) {
      if (event.metadata.at !== at) {
        const { hash: _, ...rest } = event.metadata;
        [at, metadata] = [event.metadata.at, canonicalJson(rest)];
      }
      hash = chainHash(hash, event.revision, event, canonicalJson(event.data), metadata);
    }
  };
  for (let round = 0; round < WARM_UP_ROUNDS; round += 1) await chain();
  return (await timed(chain)).cpuMs;
}

const bindOf = (i) => ({ op: 'bind', recordId: `product-${i}`, externalId: `sku-${(i * 7_919) % 1_000_003}-${i}` });

/** Bulk bind, until it is projected. */
async function bulkBind(opened, ledger) {
  await write(opened, bindOf, ledger);
  await opened.queries.await(ledger, { atLeast: 'head', timeoutMs: 60_000 });
}

const best = (runs) => runs.reduce((a, b) => (b.cpuMs < a.cpuMs ? b : a));

async function measure(opened, what) {
  const tools = { store: opened.store, streams: opened.streams, problemsOf: new JsonSchemas().problemsOfData };
  const [raw, chain, whole] = [[], [], []];
  for (let round = 0; round < WARM_UP_ROUNDS; round += 1) {
    await rawRead(opened);
    await verifyLedger({ ...tools, readModel: nothing }, LEDGER);
    await verifyLedger({ ...tools, readModel: opened.readModel }, LEDGER);
  }
  for (let round = 0; round < ROUNDS; round += 1) {
    raw.push(await timed(() => rawRead(opened)));
    chain.push(await timed(() => verifyLedger({ ...tools, readModel: nothing }, LEDGER)));
    whole.push(await timed(() => verifyLedger({ ...tools, readModel: opened.readModel }, LEDGER)));
  }
  for (const { result } of [...chain, ...whole]) if (!result.ok) throw new Error(JSON.stringify(result));
  const events = raw[0].result;
  const read = best(raw);
  const per = (ms) => Math.round((events / ms) * 1_000).toLocaleString('en');
  console.log(`${what}: ${events.toLocaleString('en')} events (of CPU time; in brackets of wall time)`);
  for (const [label, runs] of [
    ['raw read', raw],
    ['verified events', chain],
    ['with read model', whole],
  ]) {
    const { cpuMs, wallMs } = best(runs);
    const ratio = (read.cpuMs / cpuMs).toFixed(2);
    console.log(`  ${label.padEnd(16)}${per(cpuMs).padStart(9)} events/s (${per(wallMs).padStart(7)})  ${ratio} x the raw read`);
  }
}

async function run(what, rounds) {
  const folder = mkdtempSync(join(tmpdir(), 'verify-bench-'));
  try {
    const opened = await openLedger({ data: folder });
    await opened.catalog.defineType({ type: 'shop' }, context);
    await opened.catalog.defineModel({ model: LEDGER.model, backendType: 'shop', localModel: 'product' }, context);
    for (const id of ['warm', LEDGER.backend]) {
      await opened.backends.register({ id, type: 'shop', location: 'https://shop.example' }, context);
    }
    for (let round = 0; round < WARM_UP_ROUNDS; round += 1) {
      await write(opened, (i) => bindOf(i + round * COUNT), { ...LEDGER, backend: 'warm' });
    }
    await opened.queries.await({ ...LEDGER, backend: 'warm' }, { atLeast: 'head', timeoutMs: 60_000 });
    const bulk = await timed(() => bulkBind(opened, LEDGER));
    if (rounds === 1) {
      const share = (await chainAlone(opened)) / bulk.cpuMs;
      console.log(`hash chain: ${(share * 100).toFixed(1)} % of the CPU time of bulk bind`);
    }
    for (let round = 1; round < rounds; round += 1) {
      const syncDate = new Date(Date.UTC(2026, 0, 1 + round)).toISOString();
      await write(opened, (i) => ({ op: 'sync', recordId: `product-${i}`, syncDate, force: true }));
    }
    await opened.queries.await(LEDGER, { atLeast: 'head', timeoutMs: 60_000 });
    await measure(opened, what);
    await opened.close();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await run('creations only', 1);
await run('bound once, synchronized three times', 4);
