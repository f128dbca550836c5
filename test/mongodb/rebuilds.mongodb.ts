/** A ledger is rebuilt in the database while four writers write, and everybody who reads it sees it go forwards only. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { isRefusal } from '#domain';
import type { DifferencesReport } from '#ledger';
import { openMongo } from '#mongodb';
import type { ReadModel } from '#read-model';
import { openMongoReadModel } from '#read-model/mongodb';
import { openLedger, type OpenedLedger } from '#runtime';
import { runRebuild, type RebuildTask, type Rebuilt } from '../../libs/runtime/src/rebuild.js';
import { tailReader } from '../../libs/runtime/src/stores.js';
import { temporaryDatabases } from '../support/mongodb/database.js';
import { openMongoStores } from '../support/mongodb/stores.js';
import { watch } from '../support/read-model/watching.js';

const newUrl = temporaryDatabases();
const LEDGER = { backend: 'shop', model: 'shop.partner' };
const WRITERS = 4;
const RECORDS = 40;
const PAUSE_MS = 10;
/** The reader relies on what it knows of a generation for a second, and the former one is kept up longer than that. */
const KNOWLEDGE_MS = 1_000;
const TASK: RebuildTask = { ledger: LEDGER, dryRun: false, forgetsForeign: false, graceMs: 1_500, maxEvents: 64 };
const WATCHED = { ledger: LEDGER, localModel: 'partner', records: RECORDS, waysAgree: false };
const context = { actor: 'job', correlationId: 'c' };

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of opened.splice(0).toReversed()) await each.close();
});

/** A reader of this instance's database that knows nothing of its rebuilds. */
async function anotherReader(url: string, { store, streams }: OpenedLedger): Promise<ReadModel> {
  const mongo = await openMongo(url);
  const reader = await openMongoReadModel(mongo, { readTail: tailReader(store, streams), knowledgeMs: KNOWLEDGE_MS });
  await mongo.close();
  opened.push(reader);
  return reader;
}

async function openedWithRecords(): Promise<{ ledger: OpenedLedger; readers: ReadModel[] }> {
  const url = newUrl();
  const ledger = await openLedger({ stores: await openMongoStores(url) });
  opened.push(ledger);
  await ledger.catalog.defineType({ type: 'shop' }, context);
  await ledger.catalog.defineModel({ model: LEDGER.model, backendType: 'shop', localModel: 'partner' }, context);
  await ledger.backends.register({ id: LEDGER.backend, type: 'shop', location: 'https://shop.example.org' }, context);
  const binds = Array.from({ length: RECORDS }, (_, n) => ({ op: 'bind', recordId: `r${n}`, externalId: `e${n}` }) as const);
  await ledger.ledger.executeAll(
    LEDGER,
    binds.map((command) => ({ command, context })),
  );
  await ledger.queries.await(LEDGER, { atLeast: 'head', timeoutMs: 30_000 });
  return { ledger, readers: [await anotherReader(url, ledger), await anotherReader(url, ledger)] };
}

const run = (ledger: OpenedLedger, task: Partial<RebuildTask> = {}) =>
  runRebuild(ledger, { ...TASK, ...task }, { signal: new AbortController().signal, progress: () => undefined });

/** Changes, and now and then unbinds and binds anew, the records of one writer. */
async function write({ ledger }: OpenedLedger, writer: number, running: () => boolean): Promise<number> {
  let written = 0;
  for (let n = writer; running(); n += WRITERS) {
    const recordId = `r${n % RECORDS}`;
    const answer = await ledger.execute(LEDGER, { op: 'changeData', recordId, data: { n } }, context);
    if (isRefusal(answer)) throw new Error(answer.detail);
    const own = { recordId: `own ${writer}`, externalId: `own ${writer} ${n}` };
    for (const command of [{ op: 'bind', ...own } as const, { op: 'unbind', recordId: own.recordId } as const]) {
      const result = await ledger.execute(LEDGER, command, context);
      if (isRefusal(result)) throw new Error(result.detail);
    }
    written += 1;
    // Writers that leave no time to anybody else would keep a rebuild from ever catching up.
    await sleep(PAUSE_MS);
  }
  return written;
}

it('goes on answering, never an older state than before, while four writers write and it is rebuilt twice', async () => {
  const { ledger, readers } = await openedWithRecords();
  let going = true;
  const running = () => going;
  const writing = Array.from({ length: WRITERS }, (_, writer) => write(ledger, writer, running));
  const watching = readers.map((reader) => watch(reader, running, WATCHED));
  const generations = [(await ledger.readModel.ledgerDocument(LEDGER))?.generation];
  try {
    for (let times = 0; times < 2; times += 1) generations.push(((await run(ledger)) as Rebuilt).generation);
    expect(await run(ledger, { dryRun: true })).toMatchObject({ ok: true, differences: [] });
  } finally {
    going = false;
  }
  expect((await Promise.all(writing)).every((written) => written > 0)).toBe(true);
  expect(await Promise.all(watching)).toEqual([[], []]);
  expect(new Set(generations).size).toBe(3);
  await ledger.queries.await(LEDGER, { atLeast: 'head', timeoutMs: 30_000 });
  const report = (await run(ledger, { dryRun: true })) as DifferencesReport;
  expect(report).toMatchObject({ ok: true, differences: [] });
  expect(report.compared).toBeGreaterThan(RECORDS);
  expect(await ledger.readModel.ledgerDocument(LEDGER)).toMatchObject({ checkpoint: report.revision });
  expect(await ledger.readModel.rebuildState(LEDGER)).toEqual({ building: undefined, former: null });
});
