/** A ledger is rebuilt while it is written, and everybody who reads it sees it go forwards only. */
import { setImmediate as breath } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { isRefusal } from '#domain';
import type { DifferencesReport } from '#ledger';
import type { ReadModel } from '#read-model';
import { openSqliteReadModel } from '#read-model/sqlite';
import { AUDITED, defineAudited, openAudited } from '../../../test/support/audit/audited-folder.js';
import { watch } from '../../../test/support/read-model/watching.js';
import { temporaryFolders } from '../../../test/support/temporary-folders.js';
import type { OpenedLedger } from './index.js';
import { dropFormers, runRebuild, type RebuildTask, type Rebuilt } from './rebuild.js';

const newFolder = temporaryFolders();
const WRITERS = 4;
const RECORDS = 40;
/** Longer than a connection relies on what it knows of a generation. */
const GRACE_MS = 1_200;
const TASK: RebuildTask = { ledger: AUDITED, dryRun: false, forgetsForeign: false, graceMs: GRACE_MS, maxEvents: 64 };
const WATCHED = { ledger: AUDITED, localModel: 'partner', records: RECORDS, waysAgree: true };
const context = { actor: 'job', correlationId: 'c' };

let opened: OpenedLedger | undefined;
let other: ReadModel | undefined;
afterEach(async () => {
  await other?.close();
  await opened?.close();
});

async function openedWithRecords(): Promise<{ ledger: OpenedLedger; reader: ReadModel }> {
  const folder = newFolder();
  const ledger = (opened = await openAudited(folder));
  await defineAudited(ledger);
  const binds = Array.from({ length: RECORDS }, (_, n) => ({ op: 'bind', recordId: `r${n}`, externalId: `e${n}` }) as const);
  await ledger.ledger.executeAll(
    AUDITED,
    binds.map((command) => ({ command, context })),
  );
  await ledger.queries.await(AUDITED, { atLeast: 'head', timeoutMs: 30_000 });
  return { ledger, reader: (other = await openSqliteReadModel({ folder })) };
}

const run = (ledger: OpenedLedger, task: Partial<RebuildTask> = {}) =>
  runRebuild(ledger, { ...TASK, ...task }, { signal: new AbortController().signal, progress: () => undefined });

async function write({ ledger }: OpenedLedger, writer: number, running: () => boolean): Promise<number> {
  let written = 0;
  for (let n = writer; running(); n += WRITERS) {
    const recordId = `r${n % RECORDS}`;
    const answer = await ledger.execute(AUDITED, { op: 'changeData', recordId, data: { n } }, context);
    if (isRefusal(answer)) throw new Error(answer.detail);
    written += 1;
    await breath();
  }
  return written;
}

it('goes on answering, never an older state than before, while four writers write and it is rebuilt twice', async () => {
  const { ledger, reader } = await openedWithRecords();
  let going = true;
  const running = () => going;
  const writing = Array.from({ length: WRITERS }, (_, writer) => write(ledger, writer, running));
  const watching = [watch(reader, running, WATCHED), watch(ledger.readModel, running, WATCHED)];
  const before = (await ledger.readModel.ledgerDocument(AUDITED))?.generation;
  const generations = [before];
  try {
    for (let times = 0; times < 2; times += 1) generations.push(((await run(ledger)) as Rebuilt).generation);
    expect(await run(ledger, { dryRun: true })).toMatchObject({ ok: true, compared: RECORDS, differences: [] });
  } finally {
    going = false;
  }
  expect((await Promise.all(writing)).every((written) => written > 0)).toBe(true);
  expect(await Promise.all(watching)).toEqual([[], []]);
  expect(new Set(generations).size).toBe(3);
  await ledger.queries.await(AUDITED, { atLeast: 'head', timeoutMs: 30_000 });
  const report = (await run(ledger, { dryRun: true })) as DifferencesReport;
  expect(report).toMatchObject({ ok: true, compared: RECORDS });
  expect(await ledger.readModel.ledgerDocument(AUDITED)).toMatchObject({ checkpoint: report.revision });
});

it('rebuilds one ledger at a time, and only one that there is', async () => {
  const { ledger } = await openedWithRecords();
  const stop = new AbortController();
  const watched = { signal: stop.signal, progress: () => undefined };
  const first = ledger.rebuilds.run(AUDITED, false, watched);
  expect(await ledger.rebuilds.run(AUDITED, false, watched)).toMatchObject({ refused: 'BUSY' });
  stop.abort();
  await expect(first).rejects.toThrow(/abort/);
  const unknown = { backend: 'no', model: 'no.model' };
  expect(await ledger.rebuilds.run(unknown, true, { ...watched, signal: new AbortController().signal })).toMatchObject({
    refused: 'BACKEND_NOT_FOUND',
  });
});

it('keeps the former documents up when it is stopped after the switch, and drops them later', async () => {
  const { ledger } = await openedWithRecords();
  const stop = new AbortController();
  const rebuilding = runRebuild(ledger, { ...TASK, graceMs: 3_600_000 }, { signal: stop.signal, progress: () => undefined });
  await expect.poll(async () => (await ledger.readModel.rebuildState(AUDITED)).former, { timeout: 30_000 }).not.toBeNull();
  stop.abort();
  await expect(rebuilding).rejects.toThrow(/abort/);
  await ledger.ledger.execute(AUDITED, { op: 'bind', recordId: 'new', externalId: 'new' }, context);
  await ledger.queries.await(AUDITED, { atLeast: 'head', timeoutMs: 30_000 });
  const { checkpoint, former } = await ledger.readModel.openLedger(AUDITED);
  await expect
    .poll(async () => (await ledger.readModel.openLedger(AUDITED)).former?.checkpoint, { timeout: 30_000 })
    .toBe(checkpoint);
  expect(former).toBeDefined();
  await dropFormers(ledger, new AbortController().signal, 0);
  expect(await ledger.readModel.rebuildState(AUDITED)).toEqual({ building: undefined, former: null });
});
