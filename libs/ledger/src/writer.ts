import { setTimeout as sleep } from 'node:timers/promises';
import {
  refuse,
  LedgerView,
  type LedgerName,
  type LedgerRules,
  type RecordedLedgerEvent,
  type Refusal,
  type RequestContext,
} from '#domain';
import { EventStoreError } from '#event-store';
import { ReadModelError, type ReadModel } from '#read-model';
import { appendResolved, refusalOfStore, type AppendOutcome, type AppendTools } from './append.js';
import { BatchDecider, type BatchTools, type CommandGroup, type CommandResult } from './batch.js';
import {
  CommandQueue,
  cutRemainder,
  keysOfGroups,
  type Amend,
  type AmendJob,
  type AmendResult,
  type GroupJob,
} from './command-queue.js';
import { ControlAppends } from './control-appends.js';
import { LedgerHead, type HeadPoint } from './ledger-head.js';
import type { LedgerLimits } from './limits.js';

/** What a ledger's first bind needs from the backend and the catalog. */
export type OpenLedger = (ledger: LedgerName, context: RequestContext) => Promise<Opening | Refusal>;
export interface Opening {
  rules: LedgerRules;
  backendRevision: number;
  modelRevision: number;
}

/** What a ledger that was never opened says to a command that does not open it: whether its backend and model exist. */
export type CheckLedger = (ledger: LedgerName) => Promise<Refusal | undefined>;

export interface WriterObserver {
  batch?(ledger: LedgerName, commands: number, events: number): void;
  conflict?(ledger: LedgerName): void;
}

export interface WriterTools extends Omit<BatchTools, 'maxBytes'>, AppendTools {
  readModel: ReadModel;
  limits: LedgerLimits;
  open: OpenLedger;
  check: CheckLedger;
  observer: WriterObserver;
}

export const systemTools = {
  clock: () => Date.now(),
  random: () => Math.random(),
  sleep: (ms: number) => sleep(ms),
};

const MAX_CONFLICT_WAIT_MS = 200;
/** A clock that is off is trusted again after this many times as long as it is off. */
const CLOCK_RETRY_FACTOR = 4;

/** A batch that was decided: sent, or about to be. */
interface Flight {
  jobs: GroupJob[];
  results: CommandResult[][];
  events: RecordedLedgerEvent[];
  expected: number;
  sentAt: number;
  landed: Promise<AppendOutcome>;
}

type Prepared = Omit<Flight, 'landed' | 'sentAt'>;

/**
 * The one writer of a ledger in this process. Commands queue; what is queued is decided together over one state and
 * appended at once by compare-and-set. While an append is in flight the next batch is decided on top of it, and sent only
 * after it succeeded: with two in flight, the second could match behind somebody else's append of the same length.
 */
export class LedgerWriter {
  private readonly queue: CommandQueue;
  private running: Promise<void> | undefined;
  private conflicts = 0;
  private stopped: string | undefined;
  private refusingUntil = 0;
  private closing = false;
  private readonly head: LedgerHead;
  private readonly control: ControlAppends;

  constructor(
    readonly ledger: LedgerName,
    private readonly stream: string,
    private readonly tools: WriterTools,
  ) {
    this.queue = new CommandQueue(tools.limits.queueCommands);
    this.head = new LedgerHead(ledger, stream, tools.store, tools.readModel, tools.limits.tailEvents);
    this.control = new ControlAppends(ledger, stream, this.head, tools);
  }

  get depth(): number {
    return this.queue.depth;
  }

  get idle(): boolean {
    return this.running === undefined && this.queue.next === undefined;
  }

  /** Why nothing is written, if so: for readiness. */
  get trouble(): string | undefined {
    return (
      this.stopped ??
      (this.refusingUntil > this.tools.clock()
        ? `the clock is more than ${this.tools.limits.clockToleranceMs} ms off the store's`
        : undefined)
    );
  }

  /** Answers each command of the group, in order, when it is written; refusals are answers too. */
  submit(group: CommandGroup, timeoutMs = this.tools.limits.commandTimeoutMs): Promise<CommandResult[]> {
    const all = (refusal: Refusal) => group.requests.map(() => refusal);
    if (group.requests.length === 0) return Promise.resolve([]);
    const refusal = this.refusalToQueue(group.requests.length);
    if (refusal !== undefined) return Promise.resolve(all(refusal));
    return new Promise((resolve, reject) => {
      this.enqueue({
        kind: 'group',
        ...group,
        deadlineAt: this.tools.clock() + timeoutMs,
        settle: resolve,
        fail: reject,
      });
    });
  }

  /** Appends what `amend` makes of the ledger's state at its end, at that very revision, with all other commands held back. */
  amend(amend: Amend, context: RequestContext): Promise<AmendResult> {
    if (this.closing) return Promise.resolve(refuse('BUSY', 'the ledger is being closed'));
    return new Promise((resolve, reject) => {
      this.enqueue({
        kind: 'amend',
        amend,
        context,
        deadlineAt: Infinity,
        settle: resolve,
        fail: reject,
      });
    });
  }

  /** Resolves when the queue can take commands: what slows a bulk stream down. */
  async room(): Promise<void> {
    while (!this.queue.hasRoomFor(1) && !this.closing) await this.queue.room();
  }

  /** Takes no more commands, and resolves when those it took are answered. */
  async close(): Promise<void> {
    this.closing = true;
    this.queue.wake();
    await this.running;
  }

  private refusalToQueue(commands: number): Refusal | undefined {
    if (this.closing) return refuse('BUSY', 'the ledger is being closed');
    if (this.trouble !== undefined) return refuse('STORE_UNAVAILABLE', this.trouble);
    return this.queue.hasRoomFor(commands) ? undefined : refuse('BUSY', `${this.queue.depth} commands are waiting already`);
  }

  private enqueue(job: GroupJob | AmendJob): void {
    this.queue.push(job);
    this.running ??= this.run();
  }

  private async run(): Promise<void> {
    // The first batch takes what arrives in the same turn of the event loop, not the first command alone.
    await Promise.resolve();
    let flight: Flight | undefined;
    for (;;) {
      if (this.queue.next?.kind === 'group') flight = await this.step(flight);
      else if (flight !== undefined) {
        await this.land(flight);
        flight = undefined;
      } else {
        const amendment = this.queue.takeAmendment();
        if (amendment === undefined) break;
        await this.control.amend(amendment);
      }
    }
    // In the same turn in which the queue was found empty: a command that comes later starts anew.
    this.running = undefined;
  }

  /** Prepares one batch on top of the flight, lands the flight, sends the batch. Answers the new flight. */
  private async step(flight: Flight | undefined): Promise<Flight | undefined> {
    const jobs = this.take();
    if (jobs.length === 0) return flight;
    const prepared = await this.prepare(jobs, flight !== undefined);
    const undecided = prepared === undefined ? [] : jobs;
    if (flight !== undefined && !(await this.land(flight, undecided))) return undefined;
    if (prepared === 'stale') this.queue.putBack(jobs);
    return prepared === undefined || prepared === 'stale' ? undefined : this.send(prepared);
  }

  /** The next batch, without those that waited too long. */
  private take(): GroupJob[] {
    const now = this.tools.clock();
    const groups = this.queue.takeGroups(this.tools.limits.batchCommands);
    this.answerAll(
      groups.filter((group) => group.deadlineAt < now),
      refuse('BUSY', 'the command waited too long'),
    );
    return groups.filter((group) => group.deadlineAt >= now);
  }

  /** Loads and decides. `undefined`: all jobs have been answered; `stale`: to be done again when the flight has landed. */
  private async prepare(jobs: GroupJob[], flying: boolean): Promise<Prepared | 'stale' | undefined> {
    try {
      if (this.stopped !== undefined) return this.answerAll(jobs, refuse('STORE_UNAVAILABLE', this.stopped));
      let view = await this.load(jobs, flying);
      if (view instanceof LedgerView && !view.state.opened) {
        const refusal = await this.control.open(jobs);
        if (refusal !== undefined) return this.answerAll(jobs, refusal);
        view = await this.load(jobs, flying);
      }
      if (!(view instanceof LedgerView)) return view;
      const { point } = this.head;
      const inFuture = this.refusalOfClock(point);
      if (inFuture !== undefined) return this.answerAll(jobs, inFuture);
      const decider = new BatchDecider(view, point, {
        ...this.tools,
        maxBytes: this.tools.limits.batchBytes,
      });
      const { events, results } = await decider.decide(jobs);
      this.queue.putBack(cutRemainder(jobs, results));
      return { jobs, results, events, expected: point.revision };
    } catch (error) {
      return this.failAll(jobs, error);
    }
  }

  private async load(jobs: GroupJob[], flying: boolean): Promise<LedgerView | 'stale' | undefined> {
    const keys = keysOfGroups(jobs);
    for (;;) {
      const loaded = await this.head.load(keys);
      if (loaded !== 'behind') return loaded;
      if (flying) return 'stale';
      const overdue = Math.min(...jobs.map((job) => job.deadlineAt)) < this.tools.clock();
      if (overdue) return this.answerAll(jobs, refuse('BUSY', 'the read model is too far behind the ledger'));
      await this.tools.sleep(5 + this.tools.random() * 10);
    }
  }

  private send(prepared: Prepared): Flight {
    const { jobs, events, expected } = prepared;
    this.head.hope(events);
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

  /** Answers without events say what is true only if nothing stands behind the head they were decided at. */
  private async confirmHead(expected: number): Promise<AppendOutcome> {
    return {
      outcome: (await this.tools.store.headRevision(this.stream)) === expected ? 'landed' : 'conflict',
    };
  }

  /** Waits for the flight's append and answers its commands. False when they, and those decided on top, are not to be sent. */
  private async land(flight: Flight, onTop: GroupJob[] = []): Promise<boolean> {
    const landing = await flight.landed.catch((error: unknown): AppendOutcome => ({
      outcome: 'failed',
      refusal: refusalOfStore(error),
    }));
    if (landing.outcome === 'landed') {
      this.conflicts = 0;
      this.head.acknowledge();
      this.watchClock(flight.sentAt, landing.storedAt);
      for (const [index, job] of flight.jobs.entries()) job.settle(flight.results[index] as CommandResult[]);
      return true;
    }
    this.head.abandon();
    this.queue.putBack(onTop);
    if (landing.outcome === 'conflict') await this.afterConflict(flight.jobs);
    else {
      this.head.forget();
      if (landing.fatal) this.stopped = landing.refusal.detail;
      this.answerAll(flight.jobs, landing.refusal);
    }
    return false;
  }

  /** Others were ahead: what they wrote is read, and the same commands are decided again, before those behind them. */
  private async afterConflict(jobs: GroupJob[]): Promise<void> {
    this.tools.observer.conflict?.(this.ledger);
    this.conflicts += 1;
    const now = this.tools.clock();
    this.answerAll(
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

  private refusalOfClock(point: HeadPoint): Refusal | undefined {
    const aheadMs = point.at === '' ? 0 : Date.parse(point.at) - this.tools.clock();
    if (aheadMs <= this.tools.limits.clockToleranceMs) return undefined;
    return refuse('STORE_UNAVAILABLE', `the ledger's newest event was recorded ${aheadMs} ms ahead of this process's clock`);
  }

  /**
   * Stored before it was sent, or after it was answered: one of the clocks is wrong. What was written with a fast clock keeps
   * others from writing until they have come up with it, so it is not tried again until they had time for their own.
   */
  private watchClock(sentAt: number, storedAt: string | undefined): void {
    const now = this.tools.clock();
    const stored = storedAt === undefined ? now : Date.parse(storedAt);
    const offMs = Math.max(sentAt - stored, stored - now);
    this.refusingUntil = offMs > this.tools.limits.clockToleranceMs ? now + CLOCK_RETRY_FACTOR * offMs : 0;
  }

  private answerAll(jobs: readonly GroupJob[], refusal: Refusal): undefined {
    for (const job of jobs) job.settle(job.requests.map(() => refusal));
  }

  /** What the stores cannot do is an answer; anything else is a broken invariant and goes to the callers as an error. */
  private failAll(jobs: readonly GroupJob[], error: unknown): undefined {
    if (error instanceof EventStoreError || error instanceof ReadModelError) return this.answerAll(jobs, refusalOfStore(error));
    this.head.forget();
    for (const job of jobs) job.fail(error);
  }
}
