import { setTimeout as sleep } from 'node:timers/promises';
import { refuse, LedgerView, type LedgerName, type LedgerRules, type Refusal, type RequestContext } from '#domain';
import { EventStoreError } from '#event-store';
import { ReadModelError, type ReadModel } from '#read-model';
import { refusalOfStore, type AppendTools } from './append.js';
import { BatchDecider, type BatchTools, type CommandGroup, type CommandResult } from './batch.js';
import { UnknownEvent } from './chain.js';
import { ClockWatch } from './clock-watch.js';
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
import { answerAll, Flights, type Flight, type Prepared } from './flights.js';
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

/**
 * The one writer of a ledger in this process. Commands queue; what is queued is decided together over one state and
 * appended at once by compare-and-set. While an append is in flight the next batch is decided on top of it, and sent only
 * after it succeeded: with two in flight, the second could match behind somebody else's append of the same length.
 */
export class LedgerWriter {
  /** Once a batch was decided: it never changes after a ledger is opened. */
  localModel: string | null | undefined;
  private readonly queue: CommandQueue;
  private running: Promise<void> | undefined;
  private closing = false;
  /** Resolves when the bulk group that came last has been put into the queue. */
  private lastTurn: Promise<void> = Promise.resolve();
  /** Bulk groups that wait for theirs. */
  private groupsInTurn = 0;
  private readonly head: LedgerHead;
  private readonly flights: Flights;
  private readonly control: ControlAppends;

  constructor(
    readonly ledger: LedgerName,
    stream: string,
    private readonly tools: WriterTools,
  ) {
    this.queue = new CommandQueue(tools.limits);
    this.head = new LedgerHead(ledger, stream, tools.store, tools.readModel, tools.limits);
    const clockWatch = new ClockWatch(tools.clock, tools.limits.clockToleranceMs);
    this.flights = new Flights(ledger, stream, this.head, this.queue, tools, clockWatch);
    this.control = new ControlAppends(ledger, stream, this.head, tools, clockWatch);
  }

  get depth(): number {
    return this.queue.depth;
  }

  get idle(): boolean {
    return this.running === undefined && this.queue.next === undefined && this.groupsInTurn === 0;
  }

  /** Why nothing is written, if so: for readiness. */
  get trouble(): string | undefined {
    return this.flights.trouble;
  }

  /** Answers each command of the group, in order, when it is written; refusals are answers too. */
  submit(group: CommandGroup, { bulk = false } = {}): Promise<CommandResult[]> {
    const all = (refusal: Refusal) => group.requests.map(() => refusal);
    if (group.requests.length === 0) return Promise.resolve([]);
    const refusal = this.refusalToQueue(group.requests.length, bulk);
    if (refusal !== undefined) return Promise.resolve(all(refusal));
    return new Promise((resolve, reject) => {
      this.enqueue({
        kind: 'group',
        ...group,
        bulk,
        deadlineAt: this.tools.clock() + this.tools.limits.commandTimeoutMs,
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

  /**
   * As `submit`, but what the queue has no room for waits until it has, behind those who wait already: what slows a bulk stream down.
   * There is no turn between the look at the queue and putting in, in which others could fill it.
   */
  async submitInTurn(group: CommandGroup): Promise<CommandResult[]> {
    const before = this.lastTurn;
    let passOn = () => {};
    this.lastTurn = new Promise((resolve) => (passOn = resolve));
    this.groupsInTurn += 1;
    await before;
    while (!this.queue.hasRoomForBulk(group.requests.length) && !this.closing) await this.queue.change();
    passOn();
    const answered = this.submit(group, { bulk: true });
    this.groupsInTurn -= 1;
    return answered;
  }

  /** Takes no more commands, and resolves when those it took are answered. */
  async close(): Promise<void> {
    this.closing = true;
    this.queue.wake();
    await this.running;
  }

  private refusalToQueue(commands: number, bulk: boolean): Refusal | undefined {
    if (this.closing) return refuse('BUSY', 'the ledger is being closed');
    if (this.trouble !== undefined) return refuse('STORE_UNAVAILABLE', this.trouble);
    // What waited for its turn has had it.
    const fits = bulk ? commands <= this.tools.limits.queueCommands : this.queue.hasRoomFor(commands);
    return fits ? undefined : refuse('BUSY', `${this.queue.depth} commands are waiting already`);
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
        await this.flights.land(flight);
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
    if (flight !== undefined && !(await this.flights.land(flight, undecided))) return undefined;
    if (prepared === 'stale') this.queue.putBack(jobs);
    if (prepared === undefined || prepared === 'stale') return undefined;
    // What the landing told of the clock holds for what was decided meanwhile, too.
    if (this.trouble !== undefined) return answerAll(jobs, refuse('STORE_UNAVAILABLE', this.trouble));
    return this.flights.send(prepared);
  }

  /** The next batch, without those that waited too long. */
  private take(): GroupJob[] {
    const now = this.tools.clock();
    const groups = this.queue.takeGroups(this.tools.limits.batchCommands);
    answerAll(
      groups.filter((group) => group.deadlineAt < now),
      refuse('BUSY', 'the command waited too long'),
    );
    return groups.filter((group) => group.deadlineAt >= now);
  }

  /** Loads and decides. `undefined`: all jobs have been answered; `stale`: to be done again when the flight has landed. */
  private async prepare(jobs: GroupJob[], flying: boolean): Promise<Prepared | 'stale' | undefined> {
    try {
      if (this.trouble !== undefined) return answerAll(jobs, refuse('STORE_UNAVAILABLE', this.trouble));
      let view = await this.load(jobs, flying);
      if (view instanceof LedgerView && !view.state.opened) {
        const refusal = await this.control.open(jobs);
        if (refusal !== undefined) return answerAll(jobs, refusal);
        view = await this.load(jobs, flying);
      }
      if (!(view instanceof LedgerView)) return view;
      const { point } = this.head;
      if (point.state.opened) this.localModel = point.state.rules.localModel;
      const inFuture = this.refusalOfClock(point);
      if (inFuture !== undefined) return answerAll(jobs, inFuture);
      const decider = new BatchDecider(view, point, {
        ...this.tools,
        maxBytes: this.tools.limits.batchBytes,
      });
      const { results, ...decided } = await decider.decide(jobs);
      this.queue.putBack(cutRemainder(jobs, results));
      return { jobs, results, ...decided, expected: point.revision };
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
      if (overdue) return answerAll(jobs, refuse('BUSY', 'the read model is too far behind the ledger'));
      await this.tools.sleep(5 + this.tools.random() * 10);
    }
  }

  private refusalOfClock(point: HeadPoint): Refusal | undefined {
    const aheadMs = point.at === '' ? 0 : Date.parse(point.at) - this.tools.clock();
    if (aheadMs <= this.tools.limits.clockToleranceMs) return undefined;
    return refuse('STORE_UNAVAILABLE', `the ledger's newest event was recorded ${aheadMs} ms ahead of this process's clock`);
  }

  /** What the stores cannot do is an answer; anything else is a broken invariant and goes to the callers as an error. */
  private failAll(jobs: readonly GroupJob[], error: unknown): undefined {
    if (error instanceof EventStoreError || error instanceof ReadModelError || error instanceof UnknownEvent)
      return answerAll(jobs, refusalOfStore(error));
    this.head.forget();
    for (const job of jobs) job.fail(error);
  }
}
