/** Making the documents of a ledger anew, in the thread that asks or in one of its own. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ledgerKey, type LedgerName } from '#domain';
import { differencesOf, rebuildLedger, type DifferencesReport, type StreamNames } from '#ledger';
import { openSqliteReadModel } from '#read-model/sqlite';
import { isOfItsEvents } from './check-read-model.js';
import type { Stores } from './stores.js';

/** The former documents are kept up so long after a switch: longer than any instance relies on what it knows of it. */
export const GENERATION_GRACE_MS = 15_000;
const TELL_EVERY_MS = 1_000;

export interface RebuildProgress {
  /** Up to which the events are applied, and where the stream ended at the beginning. */
  revision: number;
  headRevision: number;
}

export interface Rebuilt {
  ledger: string;
  /** The revision that the new documents had reached when they began to answer. */
  revision: number;
  generation: string;
}

export interface RebuildTask {
  ledger: LedgerName;
  /** Only compares: nothing is written to the read model. */
  dryRun: boolean;
  /** Whether documents that are made of other events are forgotten first: they answer nobody. */
  forgetsForeign: boolean;
  /** How long the former documents are kept up after the switch. */
  graceMs: number;
  maxEvents: number;
}

export interface RebuildWatch {
  signal: AbortSignal;
  progress(at: RebuildProgress): void;
}

export type RebuildParts = Pick<Stores, 'store' | 'readModel'> & { streams: StreamNames };
export type RebuildReport = Rebuilt | DifferencesReport;

export async function runRebuild(parts: RebuildParts, task: RebuildTask, watch: RebuildWatch): Promise<RebuildReport> {
  const headRevision = await parts.store.headRevision(parts.streams.ledger(task.ledger));
  let reached = -1;
  const progress = (revision: number): void => {
    watch.signal.throwIfAborted();
    reached = revision;
    watch.progress({ revision, headRevision });
  };
  // Whoever follows the work hears of it also while it waits.
  const wait = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= TELL_EVERY_MS) {
      await sleep(Math.min(left, TELL_EVERY_MS), undefined, { signal: watch.signal });
      progress(reached);
    }
  };
  progress(-1);
  return task.dryRun ? compare(parts, task, progress, wait) : rebuild(parts, task, progress, wait);
}

async function rebuild(
  parts: RebuildParts,
  { ledger, forgetsForeign, graceMs, maxEvents }: RebuildTask,
  progress: (revision: number) => void,
  wait: (ms: number) => Promise<void>,
): Promise<Rebuilt> {
  if (forgetsForeign) await forgetForeign(parts, ledger);
  await rebuildLedger(
    {
      ...parts,
      sleep: wait,
      maxEvents,
      graceMs,
      progress: (_, checkpoint) => progress(checkpoint),
    },
    ledger,
  );
  const document = await parts.readModel.ledgerDocument(ledger);
  if (document === undefined) throw new Error(`broken invariant: ${ledgerKey(ledger)} has no documents after a rebuild`);
  return { ledger: ledgerKey(ledger), revision: document.checkpoint, generation: document.generation };
}

/** Documents made of other events, be it that they answer or that a rebuild had begun with them. */
async function forgetForeign({ store, readModel, streams }: RebuildParts, ledger: LedgerName): Promise<void> {
  const { building } = await readModel.rebuildState(ledger);
  for (const document of [await readModel.ledgerDocument(ledger), building]) {
    if (document === undefined || (await isOfItsEvents(store, streams, document))) continue;
    return readModel.forgetLedger(ledger);
  }
}

/** The events are applied to a read model in a file of its own, which is deleted. */
async function compare(
  parts: RebuildParts,
  { ledger, maxEvents }: RebuildTask,
  progress: (revision: number) => void,
  wait: (ms: number) => Promise<void>,
): Promise<DifferencesReport> {
  const folder = await mkdtemp(join(tmpdir(), 'ledger-dry-run-'));
  try {
    const scratch = await openSqliteReadModel({ folder });
    try {
      return await differencesOf({ ...parts, scratch, maxEvents, progress, sleep: wait }, ledger);
    } finally {
      await scratch.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Drops what was current before the last rebuild of each ledger, where that was interrupted before its end. */
export async function dropFormers(
  { readModel }: Pick<RebuildParts, 'readModel'>,
  signal: AbortSignal,
  graceMs = GENERATION_GRACE_MS,
): Promise<void> {
  const found = await formersOf(readModel);
  if (found.length === 0) return;
  // Another process may have switched just now.
  await sleep(graceMs, undefined, { signal });
  for (const { ledger, former } of found) {
    signal.throwIfAborted();
    await readModel.dropGeneration(ledger, former);
  }
}

export async function formersOf(readModel: Stores['readModel']): Promise<{ ledger: LedgerName; former: string }[]> {
  const found = [];
  for (const { ledger } of await readModel.ledgerDocuments()) {
    const { former } = await readModel.rebuildState(ledger);
    if (former !== null) found.push({ ledger, former });
  }
  return found;
}
