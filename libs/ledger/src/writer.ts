import { setTimeout as sleep } from 'node:timers/promises';
import {
  isRefusal,
  keysOf,
  refuse,
  scopedKey,
  LedgerView,
  type ControlEvent,
  type LedgerName,
  type LedgerRules,
  type RecordedLedgerEvent,
  type Refusal,
  type RequestContext,
} from '#domain';
import { EventStoreError, NO_STREAM } from '#event-store';
import { ReadModelError, type DecisionKeys, type ReadModel } from '#read-model';
import { appendResolved, refusalOfStore, type AppendOutcome, type AppendTools } from './append.js';
import { BatchDecider, type BatchTools, type CommandGroup, type CommandResult } from './batch.js';
import { chainEvent, toNewEvent } from './chain.js';
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

export const systemTools = { clock: () => Date.now(), random: () => Math.random(), sleep: (ms: number) => sleep(ms) };

const MAX_CONFLICT_WAIT_MS = 200;
/** A change of the ledger itself gives way to this many appends of other processes before it is refused. */
const MAX_AMEND_ATTEMPTS = 100;

export type Amend = (at: HeadPoint) => Promise<ControlEvent[] | Refusal>;
export type AmendResult = { revision: number } | Refusal;

interface Waiting {
  deadlineAt: number;
  fail(error: unknown): void;
}
interface GroupJob extends Waiting, CommandGroup {
  kind: 'group';
  settle(results: CommandResult[]): void;
}
interface AmendJob extends Waiting {
  kind: 'amend';
  amend: Amend;
  context: RequestContext;
  settle(result: AmendResult): void;
}
type Job = GroupJob | AmendJob;

/** A batch that was decided: sent, or about to be. */
interface Flight {
  jobs: GroupJob[];
  results: CommandResult[][];
  events: RecordedLedgerEvent[];
  expected: number;
  landed: Promise<AppendOutcome>;
}

/**
 * The one writer of a ledger in this process. Commands queue; what is queued is decided together over one state and
 * appended at once by compare-and-set. While an append is in flight the next batch is decided on top of it, and sent only
 * after it succeeded: with two in flight, the second could match behind somebody else's append of the same length.
 */
export class LedgerWriter {
  private readonly queue: Job[] = [];
  private queuedCommands = 0;
  private running: Promise<void> | undefined;
  private conflicts = 0;
  private stopped: string | undefined;
  private refusingUntil = 0;
  private closing = false;
  private roomWaiters: (() => void)[] = [];
  private readonly head: LedgerHead;

  constructor(
    readonly ledger: LedgerName,
    private readonly stream: string,
    private readonly tools: WriterTools,
  ) {
    this.head = new LedgerHead(ledger, stream, tools.store, tools.readModel, tools.limits.tailEvents);
  }

  get depth(): number {
    return this.queuedCommands;
  }

  get idle(): boolean {
    return this.running === undefined && this.queue.length === 0;
  }

  /** Why nothing is written, if so: for readiness. */
  get trouble(): string | undefined {
    return this.stopped ?? (this.refusingUntil > this.tools.clock() ? `the clock is more than ${this.tools.limits.clockToleranceMs} ms off the store's` : undefined);
  }

  /** Answers each command of the group, in order, when it is written; refusals are answers too. */
  submit(group: CommandGroup, timeoutMs = this.tools.limits.commandTimeoutMs): Promise<CommandResult[]> {
    const all = (refusal: Refusal) => group.requests.map(() => refusal);
    if (group.requests.length === 0) return Promise.resolve([]);
    const refusal = this.refusalToQueue(group.requests.length);
    if (refusal !== undefined) return Promise.resolve(all(refusal));
    return new Promise((resolve, reject) => {
      this.enqueue({ kind: 'group', ...group, deadlineAt: this.tools.clock() + timeoutMs, settle: resolve, fail: reject });
    });
  }

  /** Appends what `amend` makes of the ledger's state at its end, at that very revision, with all other commands held back. */
  amend(amend: Amend, context: RequestContext): Promise<AmendResult> {
    if (this.closing) return Promise.resolve(refuse('BUSY', 'the ledger is being closed'));
    return new Promise((resolve, reject) => {
      this.enqueue({ kind: 'amend', amend, context, deadlineAt: Infinity, settle: resolve, fail: reject });
    });
  }

  /** Resolves when the queue can take commands: what slows a bulk stream down. */
  async room(): Promise<void> {
    while (this.queuedCommands >= this.tools.limits.queueCommands && !this.closing) {
      await new Promise<void>((resolve) => this.roomWaiters.push(resolve));
    }
  }

  /** Takes no more commands, and resolves when those it took are answered. */
  async close(): Promise<void> {
    this.closing = true;
    this.wakeRoomWaiters();
    await this.running;
  }

  private refusalToQueue(commands: number): Refusal | undefined {
    if (this.closing) return refuse('BUSY', 'the ledger is being closed');
    if (this.trouble !== undefined) return refuse('STORE_UNAVAILABLE', this.trouble);
    if (this.queuedCommands + commands <= this.tools.limits.queueCommands) return undefined;
    return refuse('BUSY', `${this.queuedCommands} commands are waiting already`);
  }

  private enqueue(job: Job): void {
    this.queue.push(job);
    this.queuedCommands += commandsOf(job);
    this.running ??= this.run().finally(() => {
      this.running = undefined;
    });
  }

  private async run(): Promise<void> {
    let flight: Flight | undefined;
    // The first batch takes what arrives in the same turn of the event loop, not the first command alone.
    await Promise.resolve();
    for (;;) {
      if (this.queue.length === 0 || this.queue[0]?.kind === 'amend') {
        if (flight !== undefined) {
          await this.land(flight);
          flight = undefined;
          continue;
        }
        const job = this.queue.shift();
        if (job?.kind !== 'amend') return;
        await this.runAmend(job);
        continue;
      }
      flight = await this.step(flight);
    }
  }

  /** Prepares one batch on top of the flight, lands the flight, sends the batch. Answers the new flight. */
  private async step(flight: Flight | undefined): Promise<Flight | undefined> {
    const jobs = this.take();
    if (jobs.length === 0) return flight;
    const prepared = await this.prepare(jobs, flight !== undefined);
    const undecided = prepared === undefined ? [] : jobs;
    if (flight !== undefined && !(await this.land(flight, undecided))) return undefined;
    if (prepared === 'stale') this.putBack(jobs);
    return prepared === undefined || prepared === 'stale' ? undefined : this.send(prepared);
  }

  private take(): GroupJob[] {
    const jobs: GroupJob[] = [];
    let commands = 0;
    while (this.queue[0]?.kind === 'group') {
      const job = this.queue[0];
      if (commands > 0 && commands + job.requests.length > this.tools.limits.batchCommands) break;
      this.queue.shift();
      this.queuedCommands -= job.requests.length;
      if (job.deadlineAt < this.tools.clock()) this.answerAll([job], refuse('BUSY', 'the command waited too long'));
      else {
        jobs.push(job);
        commands += job.requests.length;
      }
    }
    this.wakeRoomWaiters();
    return jobs;
  }

  private putBack(jobs: readonly Job[]): void {
    this.queue.unshift(...jobs);
    for (const job of jobs) this.queuedCommands += commandsOf(job);
  }

  /** Loads and decides. `undefined`: all jobs have been answered; `stale`: to be done again when the flight has landed. */
  private async prepare(jobs: GroupJob[], flying: boolean): Promise<Omit<Flight, 'landed'> | 'stale' | undefined> {
    try {
      if (this.stopped !== undefined) return this.answerAll(jobs, refuse('STORE_UNAVAILABLE', this.stopped));
      let view = await this.load(jobs, flying);
      if (view instanceof LedgerView && !view.state.opened) {
        const refusal = await this.openFor(jobs);
        if (refusal !== undefined) return this.answerAll(jobs, refusal);
        view = await this.load(jobs, flying);
      }
      if (!(view instanceof LedgerView)) return view;
      const { point } = this.head;
      const inFuture = this.refusalOfClock(point);
      if (inFuture !== undefined) return this.answerAll(jobs, inFuture);
      const decider = new BatchDecider(view, point, { ...this.tools, maxBytes: this.tools.limits.batchBytes });
      const { events, results } = await decider.decide(jobs);
      this.putBack(remainder(jobs, results));
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

  /** A ledger is opened by its first bind; for other commands it is enough that its backend and model exist. */
  private async openFor(jobs: readonly GroupJob[]): Promise<Refusal | undefined> {
    const opener = jobs.flatMap((job) => job.requests).find(({ command }) => command.op === 'bind');
    if (opener === undefined) return this.tools.check(this.ledger);
    const opening = await this.tools.open(this.ledger, opener.context);
    if (isRefusal(opening)) return opening;
    const { rules, backendRevision, modelRevision } = opening;
    const event = this.chained({ type: 'LedgerOpened', data: { rules, backendRevision, modelRevision } }, opener.context);
    // A conflict means that somebody else opened it (or a fan-out did): what stands there is what holds.
    await this.tools.store.append(this.stream, NO_STREAM, [toNewEvent(event)]);
    await this.head.readOn();
    return undefined;
  }

  private chained(event: ControlEvent, context: RequestContext): RecordedLedgerEvent {
    const { hash, revision, at } = this.head.point;
    const clock = new Date(this.tools.clock()).toISOString();
    return chainEvent(hash, revision + 1, this.tools.newId(), event, { ...context, at: clock > at ? clock : at }).event;
  }

  private send(prepared: Omit<Flight, 'landed'>): Flight {
    const { jobs, events, expected } = prepared;
    this.head.hope(events);
    this.tools.observer.batch?.(this.ledger, jobs.reduce((sum, job) => sum + job.requests.length, 0), events.length);
    if (events.length === 0) return { ...prepared, landed: this.confirmHead(expected) };
    return { ...prepared, landed: appendResolved(this.tools, this.stream, expected, events, Math.max(...jobs.map((job) => job.deadlineAt))) };
  }

  /** Answers without events say what is true only if nothing stands behind the head they were decided at. */
  private async confirmHead(expected: number): Promise<AppendOutcome> {
    return { outcome: (await this.tools.store.headRevision(this.stream)) === expected ? 'landed' : 'conflict' };
  }

  /** Waits for the flight's append and answers its commands. False when they, and those decided on top, are not to be sent. */
  private async land(flight: Flight, onTop: GroupJob[] = []): Promise<boolean> {
    const landing = await flight.landed.catch((error: unknown): AppendOutcome => ({ outcome: 'failed', refusal: refusalOfStore(error) }));
    if (landing.outcome === 'landed') {
      this.conflicts = 0;
      this.head.acknowledge();
      this.watchClock(landing.storedAt);
      for (const [index, job] of flight.jobs.entries()) job.settle(flight.results[index] as CommandResult[]);
      return true;
    }
    this.head.abandon();
    this.putBack(onTop);
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
    this.putBack(jobs.filter((job) => job.deadlineAt >= now));
    try {
      if (this.conflicts > 1) await this.tools.sleep(this.tools.random() * Math.min(MAX_CONFLICT_WAIT_MS, 2 ** this.conflicts));
      await this.head.readOn();
    } catch {
      // What cannot be read now is read, or refused with its reason, when the commands are decided again.
      this.head.forget();
    }
  }

  private async runAmend(job: AmendJob): Promise<void> {
    try {
      for (let attempt = 0; attempt < MAX_AMEND_ATTEMPTS; attempt += 1) {
        const point = await this.head.loadPoint();
        if (point !== 'stale' && point !== 'behind') {
          const events = await job.amend(point);
          if (isRefusal(events)) return job.settle(events);
          if (await this.appendAmendment(events, job.context)) return job.settle({ revision: this.head.acknowledged.revision });
          this.tools.observer.conflict?.(this.ledger);
        }
        await this.tools.sleep(this.tools.random() * MAX_CONFLICT_WAIT_MS);
      }
      job.settle(refuse('BUSY', 'other writers of the ledger were always ahead, or its read model is far behind'));
    } catch (error) {
      this.head.abandon();
      this.head.forget();
      job.fail(error);
    }
  }

  private async appendAmendment(events: ControlEvent[], context: RequestContext): Promise<boolean> {
    const expected = this.head.point.revision;
    if (events.length === 0) return (await this.tools.store.headRevision(this.stream)) === expected;
    const written: RecordedLedgerEvent[] = [];
    for (const event of events) {
      const chained = this.chained(event, context);
      this.head.hope([chained]);
      written.push(chained);
    }
    const landing = await appendResolved(this.tools, this.stream, expected, written, this.tools.clock() + this.tools.limits.commandTimeoutMs);
    if (landing.outcome === 'landed') this.head.acknowledge();
    else this.head.abandon();
    if (landing.outcome === 'failed') throw new EventStoreError('UNAVAILABLE', landing.refusal.detail);
    return landing.outcome === 'landed';
  }

  private refusalOfClock(point: HeadPoint): Refusal | undefined {
    const aheadMs = point.at === '' ? 0 : Date.parse(point.at) - this.tools.clock();
    if (aheadMs <= this.tools.limits.clockToleranceMs) return undefined;
    return refuse('STORE_UNAVAILABLE', `the ledger's newest event was recorded ${aheadMs} ms ahead of this process's clock`);
  }

  private watchClock(storedAt: string | undefined): void {
    const offMs = storedAt === undefined ? 0 : Math.abs(Date.parse(storedAt) - this.tools.clock());
    this.refusingUntil = offMs > this.tools.limits.clockToleranceMs ? this.tools.clock() + this.tools.limits.clockToleranceMs : 0;
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

  private wakeRoomWaiters(): void {
    const waiters = this.roomWaiters;
    this.roomWaiters = [];
    for (const wake of waiters) wake();
  }
}

/** Cuts off the jobs, or the part of the last one, that did not fit into the append. */
function remainder(jobs: GroupJob[], results: readonly CommandResult[][]): GroupJob[] {
  const rest = jobs.splice(results.length);
  const [last, count] = [jobs.at(-1), results.at(-1)?.length ?? 0];
  if (last === undefined || count === last.requests.length) return rest;
  let first: CommandResult[] = [];
  jobs[jobs.length - 1] = { ...last, requests: last.requests.slice(0, count), settle: (settled) => (first = settled) };
  const second: GroupJob = { ...last, requests: last.requests.slice(count), settle: (settled) => last.settle([...first, ...settled]) };
  return [second, ...rest];
}

function commandsOf(job: Job): number {
  return job.kind === 'group' ? job.requests.length : 0;
}

function keysOfGroups(jobs: readonly GroupJob[]): DecisionKeys {
  const [recordIds, externalIds, bindingIds, scopedKeys] = [new Set<string>(), new Set<string>(), new Set<string>(), new Set<string>()];
  for (const { requests } of jobs) {
    for (const { command, context } of requests) {
      const keys = keysOf(command);
      for (const id of keys.recordIds) recordIds.add(id);
      for (const id of keys.externalIds) externalIds.add(id);
      for (const id of keys.bindingIds) bindingIds.add(id);
      if (command.key !== undefined) scopedKeys.add(scopedKey(context.actor, command.key));
    }
  }
  return { recordIds: [...recordIds], externalIds: [...externalIds], bindingIds: [...bindingIds], scopedKeys: [...scopedKeys] };
}
