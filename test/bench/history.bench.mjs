// What the past costs on the embedded store: a whole ledger as of a revision beside the raw read of its stream, and one history in
// a large ledger beside one in a small one.
//   node test/bench/history.bench.mjs [bindings, default 100000]
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLedger } from '../../dist/libs/runtime/src/index.js';

const COUNT = Number(process.argv[2] ?? 100_000);
const SMALL = 1_000;
const BATCH = 500;
const ROUNDS = 3;
const HISTORIES = 500;
const context = { actor: 'bench', correlationId: 'bench' };
const figure = (number) => Math.round(number).toLocaleString('en');
const folder = mkdtempSync(join(tmpdir(), 'history-bench-'));

async function timed(work) {
  const started = performance.now();
  const result = await work();
  return { result, ms: performance.now() - started };
}

async function inBatches(opened, ledger, count, commandOf) {
  for (let start = 0; start < count; start += BATCH) {
    const requests = Array.from({ length: Math.min(BATCH, count - start) }, (_, index) => ({
      command: commandOf(start + index),
      context,
    }));
    const answers = await opened.ledger.executeAll(ledger, requests);
    const refused = answers.find((answer) => 'refused' in answer);
    if (refused !== undefined) throw new Error(refused.detail);
  }
}

/** Bindings of which one in five was synchronized later, one in ten was unbound, and one was bound, moved and unbound. */
async function fill(opened, ledger, count) {
  await inBatches(opened, ledger, count, (i) => ({
    op: 'bind',
    recordId: `r${i}`,
    externalId: `e${i}`,
    syncDate: '2026-01-01T00:00:00Z',
  }));
  await inBatches(opened, ledger, count / 5, (i) => ({ op: 'sync', recordId: `r${i * 5}`, syncDate: '2026-02-01T00:00:00Z' }));
  await inBatches(opened, ledger, count / 10, (i) => ({ op: 'unbind', externalId: `e${i * 10 + 3}` }));
  const late = await opened.queries.await(ledger, { atLeast: 'head', timeoutMs: 600_000 });
  if (late !== undefined) throw new Error(late.detail);
}

async function rawRead(opened, ledger) {
  let events = 0;
  for (let before; ;) {
    const options = { direction: 'backwards', after: before, limit: BATCH };
    const page = await opened.store.readStream(opened.streams.ledger(ledger), options);
    events += page.length;
    if (page.length < BATCH) return events;
    before = page.at(-1).revision;
  }
}

async function fold(opened, ledger, revision) {
  const { pages, close } = await opened.past.ledger(ledger, { revision });
  let bindings = 0;
  for await (const page of pages) bindings += page.length;
  close();
  return bindings;
}

async function histories(opened, ledger, count) {
  for (let i = 0; i < HISTORIES; i += 1) {
    const externalId = `e${(i * 7_919) % count}`;
    const { items } = await opened.past.history(ledger, { externalId }, { limit: 100 });
    if (items[0]?.externalId !== externalId) throw new Error(`no history of ${externalId}`);
  }
}

try {
  const opened = await openLedger({ data: folder });
  await opened.catalog.defineType({ type: 'shop' }, context);
  await opened.backends.register({ id: 'shop', type: 'shop', location: 'https://shop.example' }, context);
  const [large, small] = ['shop.large', 'shop.small'].map((model) => ({ backend: 'shop', model }));
  for (const { model } of [large, small])
    await opened.catalog.defineModel({ model, backendType: 'shop', localModel: model }, context);
  await fill(opened, large, COUNT);
  await fill(opened, small, SMALL);
  const head = await opened.store.headRevision(opened.streams.ledger(large));
  const rates = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const raw = await timed(() => rawRead(opened, large));
    const folded = await timed(() => fold(opened, large, head));
    rates.push([raw.result / raw.ms, raw.result / folded.ms].map((perMs) => perMs * 1_000));
    console.log(
      `raw read ${figure(rates[round][0])} events/s, fold ${figure(rates[round][1])} events/s (${folded.result} bindings)`,
    );
  }
  const [raw, folded] = rates.toSorted((a, b) => a[1] / a[0] - b[1] / b[0])[Math.floor(ROUNDS / 2)];
  console.log(`a whole ledger as of a revision: ${(folded / raw).toFixed(2)} x the raw read (wanted: 0.5)`);
  for (const [ledger, count] of [
    [small, SMALL],
    [large, COUNT],
    [small, SMALL],
    [large, COUNT],
  ]) {
    const { ms } = await timed(() => histories(opened, ledger, count));
    console.log(`history of an external id among ${figure(count)} bindings: ${((ms / HISTORIES) * 1_000).toFixed(0)} us`);
  }
  await opened.close();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
