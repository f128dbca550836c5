import { once } from 'node:events';
import { setImmediate as breath } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { afterAll, expect, it } from 'vitest';
import { temporaryFolders } from '../../../test/support/temporary-folders.js';
import { Transpiled } from '../../../test/support/transpiled.js';
import { openSqliteReadModel } from './index.js';

const newFolder = temporaryFolders();
const transpiled = new Transpiled(['libs/read-model/sqlite/index.ts']);
afterAll(() => transpiled.remove());

const LEDGER = { backend: 'shop', model: 'shop.product' };
const RECORDS = Array.from({ length: 20 }, (_, index) => `r${index}`);
/** The test goes on until the reader has seen so many states. */
const STATES = 40;

/** Every batch gives all bindings its number, so that bindings of two batches tell that an answer is torn. */
const APPLYING = `
import { setImmediate as breath } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { UNOPENED } from '#domain';
import { openSqliteReadModel } from '#read-model/sqlite';
const { folder, ledger, records } = workerData;
let stopped = false;
parentPort.once('message', () => (stopped = true));
const readModel = await openSqliteReadModel({ folder });
const { generation } = await readModel.openLedger(ledger);
const at = '2026-03-03T09:00:00.000Z';
let n = 0;
for (; !stopped; n += 1) {
  const bindings = records.map((recordId, index) => {
    const update = { id: 'b' + index, recordId, externalId: 'e' + n, state: 'bound', version: n + 1, revision: n * records.length + index, updatedAt: at, data: { n } };
    return n === 0 ? { createdRevision: index, update: { ...update, createdAt: at } } : { update };
  });
  const [after, to] = [n * records.length - 1, (n + 1) * records.length - 1];
  const result = await readModel.apply({ ledger, generation, after, to, hash: String(n), at, state: UNOPENED, bindings, history: [], idempotency: [] });
  if (result !== 'applied') throw new Error(result);
  await breath();
}
await readModel.close();
parentPort.postMessage(n);
`;

const OPENING = `
import { parentPort, workerData } from 'node:worker_threads';
import { openSqliteReadModel } from '#read-model/sqlite';
const readModel = await openSqliteReadModel({ folder: workerData.folder });
const { generation } = await readModel.openLedger(workerData.ledger);
await readModel.close();
parentPort.postMessage(generation);
`;

function start(name: string, program: string, folder: string): Worker {
  const workerData = { folder, ledger: LEDGER, records: RECORDS };
  return new Worker(transpiled.write(name, program), { workerData });
}

it('answers of one state while another thread applies', async () => {
  const folder = newFolder();
  const readModel = await openSqliteReadModel({ folder });
  const worker = start('applying.mjs', APPLYING, folder);
  const failed = once(worker, 'error').then(([error]) => Promise.reject(error as Error));
  const seen = new Set<number>();
  while (seen.size < STATES) {
    await Promise.race([breath(), failed]);
    const { bindings, revision } = await readModel.findByRecordIds(LEDGER, RECORDS);
    const numbers = new Set(bindings.map(({ data }) => data['n']));
    if (revision === -1) expect(bindings).toEqual([]);
    else expect([[...numbers], bindings.length]).toEqual([[(revision + 1) / RECORDS.length - 1], RECORDS.length]);
    seen.add(revision);
    const keys = { recordIds: RECORDS.slice(0, 10), externalIds: [], bindingIds: ['b10'], scopedKeys: [] };
    const decision = await readModel.readForDecision(LEDGER, keys);
    const hashes = new Set([decision.document?.hash, ...decision.bindings.map(({ data }) => JSON.stringify(data['n']))]);
    if (decision.bindings.length > 0) expect(hashes.size).toBe(1);
  }
  worker.postMessage('stop');
  const [batches] = (await once(worker, 'message')) as [number];
  expect(await readModel.ledgerDocument(LEDGER)).toMatchObject({ checkpoint: batches * RECORDS.length - 1 });
  expect((await readModel.list(LEDGER, {}, 100)).items.map(({ data }) => data['n'])).toEqual(RECORDS.map(() => batches - 1));
  await readModel.close();
});

it('is made once when several threads open a folder for the first time', async () => {
  const folder = newFolder();
  const workers = Array.from({ length: 6 }, () => start('opening.mjs', OPENING, folder));
  const generations = await Promise.all(workers.map(async (worker) => ((await once(worker, 'message')) as [string])[0]));
  expect(new Set(generations).size).toBe(1);
});
