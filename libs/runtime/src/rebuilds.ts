import { Worker } from 'node:worker_threads';
import { ledgerKey, refuse, type LedgerName, type Refusal } from '#domain';
import {
  dropFormers,
  formersOf,
  GENERATION_GRACE_MS,
  runRebuild,
  type RebuildParts,
  type RebuildProgress,
  type RebuildReport,
  type RebuildTask,
  type RebuildWatch,
} from './rebuild.js';
import type { StoresElsewhere } from './stores.js';

export interface RebuildWorkerData {
  stores: StoresElsewhere;
  prefix: string;
  /** Absent: former documents are dropped, which an interrupted rebuild left. */
  task: RebuildTask | undefined;
}

export type RebuildMessage = { kind: 'progress'; at: RebuildProgress } | { kind: 'report'; report: RebuildReport };

export interface RebuildsParts extends RebuildParts {
  /** Where another thread finds the stores; without it, the work is done in this one. */
  elsewhere: StoresElsewhere | undefined;
  maxEvents: number;
  graceMs?: number | undefined;
  check(ledger: LedgerName): Promise<Refusal | undefined>;
}

/** Rebuilds of the ledgers of this process: one at a time, while everything else goes on. */
export class Rebuilds {
  private running: string | undefined;
  private readonly ending = new AbortController();
  private readonly work = new Set<Promise<unknown>>();

  constructor(private readonly parts: RebuildsParts) {}

  async run(ledger: LedgerName, dryRun: boolean, { signal, progress }: RebuildWatch): Promise<RebuildReport | Refusal> {
    if (this.running !== undefined) return refuse('BUSY', `${this.running} is being rebuilt: one ledger at a time`);
    this.running = ledgerKey(ledger);
    try {
      const { maxEvents, graceMs = GENERATION_GRACE_MS, check } = this.parts;
      const refusal = await check(ledger);
      if (refusal !== undefined) return refusal;
      const task = { ledger, dryRun, forgetsForeign: false, graceMs, maxEvents };
      const watch = { signal: AbortSignal.any([signal, this.ending.signal]), progress };
      return await this.followed(this.start(task, watch));
    } finally {
      this.running = undefined;
    }
  }

  /** Ends in the background what a rebuild that was interrupted has left to be dropped. */
  resume(): void {
    const signal = this.ending.signal;
    const { elsewhere, readModel } = this.parts;
    const work = async (): Promise<void> => {
      if ((await formersOf(readModel)).length === 0) return;
      if (elsewhere === undefined) await dropFormers(this.parts, signal);
      else await this.inWorker(elsewhere, undefined, { signal, progress: () => undefined });
    };
    // What cannot be dropped now is dropped at the next start, or by the next rebuild.
    void this.followed(work()).catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.ending.abort();
    await Promise.allSettled(this.work);
  }

  private async followed<T>(work: Promise<T>): Promise<T> {
    this.work.add(work);
    try {
      return await work;
    } finally {
      this.work.delete(work);
    }
  }

  private async start(task: RebuildTask, watch: RebuildWatch): Promise<RebuildReport> {
    const { elsewhere } = this.parts;
    if (elsewhere === undefined) return runRebuild(this.parts, task, watch);
    const report = await this.inWorker(elsewhere, task, watch);
    if (report !== undefined) return report;
    watch.signal.throwIfAborted();
    throw new Error(`broken invariant: the rebuild of ${ledgerKey(task.ledger)} ended without a result`);
  }

  private inWorker(
    stores: StoresElsewhere,
    task: RebuildTask | undefined,
    { signal, progress }: RebuildWatch,
  ): Promise<RebuildReport | undefined> {
    const data: RebuildWorkerData = { stores, prefix: this.parts.streams.prefix, task };
    return new Promise((resolve, reject) => {
      const worker = new Worker(new URL('./rebuild-worker.js', import.meta.url), { workerData: data });
      const stop = () => worker.postMessage('stop');
      let report: RebuildReport | undefined;
      worker.on('message', (message: RebuildMessage) => {
        if (message.kind === 'progress') progress(message.at);
        else ({ report } = message);
      });
      worker.once('error', reject);
      worker.once('exit', () => {
        signal.removeEventListener('abort', stop);
        resolve(report);
      });
      signal.addEventListener('abort', stop);
      if (signal.aborted) stop();
    });
  }
}
