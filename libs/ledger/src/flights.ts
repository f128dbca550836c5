import { refuse, type LedgerName, type Refusal } from '#domain';
import { appendResolved, refusalOfStore, type AppendOutcome } from './append.js';
import type { CommandResult, DecidedBatch } from './batch.js';
import type { ClockWatch } from './clock-watch.js';
import type { CommandQueue, GroupJob } from './command-queue.js';
import type { LedgerHead } from './ledger-head.js';
import type { WriterTools } from './writer.js';

const MAX_CONFLICT_WAIT_MS = 200;

/** A batch that was decided, and what it is to be answered when it is written. */
export interface Prepared extends DecidedBatch {
  jobs: GroupJob[];
  expected: number;
}

/** A batch that was sent. */
export interface Flight extends Prepared {
  sentAt: number;
  landed: Promise<AppendOutcome>;
}

/** Sends a ledger's batches, of which one at a time is in flight, and answers their commands when it has landed. */
export class Flights {
  private conflicts = 0;
  private stoppedBecause: string | undefined;

  constructor(
    private readonly ledger: LedgerName,
    private readonly stream: string,
    private readonly head: LedgerHead,
    private readonly queue: CommandQueue,
    private readonly tools: WriterTools,
    private readonly clockWatch: ClockWatch,
  ) {}

  /** Why nothing is to be sent for good: the stream is not what it was. */
  get stopped(): string | undefined {
    return this.stoppedBecause;
  }

  /** Why nothing is to be sent now. */
  get trouble(): string | undefined {
    return this.stoppedBecause ?? this.clockWatch.trouble;
  }

  send(prepared: Prepared): Flight {
    const { jobs, events, bytes, expected, state } = prepared;
    this.head.hope(events, state, bytes);
    this.tools.observer.batch?.(
      this.ledger,
      jobs.reduce((sum, job) => sum + job.requests.length, 0),
      events.length,
    );
    const sentAt = this.tools.clock();
    if (events.length === 0) return { ...prepared, sentAt, landed: this.confirmHead(expected) };
    return {
      ...prepared,
      sentAt,
      landed: appendResolved(this.tools, this.stream, expected, events, Math.max(...jobs.map((job) => job.deadlineAt))),
    };
  }

  /**
   * Answers without events say what is true only if nothing stands behind the head they were decided at. Like an append it never
   * rejects: the next batch is prepared before anybody looks at the outcome, and nobody's rejection ends the process.
   */
  private async confirmHead(expected: number): Promise<AppendOutcome> {
    try {
      return { outcome: (await this.tools.store.headRevision(this.stream)) === expected ? 'landed' : 'conflict' };
    } catch (error) {
      return { outcome: 'failed', refusal: refusalOfStore(error) };
    }
  }

  /** Waits for the flight's append and answers its commands. False when they, and those decided on top, are not to be sent. */
  async land(flight: Flight, onTop: GroupJob[] = []): Promise<boolean> {
    const landing = await flight.landed.catch((error: unknown): AppendOutcome => ({
      outcome: 'failed',
      refusal: refusalOfStore(error),
    }));
    if (landing.outcome === 'landed') {
      this.conflicts = 0;
      this.head.acknowledge();
      this.clockWatch.watch(flight.sentAt, landing.storedAt);
      for (const [index, job] of flight.jobs.entries()) job.settle(flight.results[index] as CommandResult[]);
      return true;
    }
    this.head.abandon();
    this.queue.putBack(onTop);
    if (landing.outcome === 'conflict') await this.afterConflict(flight.jobs);
    else {
      this.head.forget();
      if (landing.fatal) this.stoppedBecause = landing.refusal.detail;
      answerAll(flight.jobs, landing.refusal);
    }
    return false;
  }

  /** Others were ahead: what they wrote is read, and the same commands are decided again, before those behind them. */
  private async afterConflict(jobs: GroupJob[]): Promise<void> {
    this.tools.observer.conflict?.(this.ledger);
    this.conflicts += 1;
    const now = this.tools.clock();
    answerAll(
      jobs.filter((job) => job.deadlineAt < now),
      refuse('BUSY', 'other writers of the ledger were always ahead'),
    );
    this.queue.putBack(jobs.filter((job) => job.deadlineAt >= now));
    try {
      if (this.conflicts > 1) await this.tools.sleep(this.tools.random() * Math.min(MAX_CONFLICT_WAIT_MS, 2 ** this.conflicts));
      await this.head.readOn();
    } catch {
      // What cannot be read now is read, or refused with its reason, when the commands are decided again.
      this.head.forget();
    }
  }
}

export function answerAll(jobs: readonly GroupJob[], refusal: Refusal): undefined {
  for (const job of jobs) job.settle(job.requests.map(() => refusal));
}
