import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { EventMatcher } from '#ledger';
import { VaultError, type Vault } from '#vault';
import { CheckpointTracker } from './checkpoint.js';
import { Delivery, messageOf } from './delivery.js';
import type { SubscriberError } from './document.js';
import { feed, readAgain, type FeedSource } from './feed.js';
import { Intake } from './intake.js';
import { Lanes } from './lanes.js';
import type { Lease, Saved } from './lease.js';
import { Parking, ParkingFull, type ParkedBinding } from './parking.js';
import { Requests } from './requests.js';
import { outranks, type RunEnd } from './run-end.js';
import { SaveSchedule } from './save-schedule.js';
import { Saver, type RunPoint } from './saver.js';
import { settle } from './settle.js';
import type { Subscriber } from './subscriber.js';
import { Wakeup } from './wakeup.js';

export interface RunTools extends FeedSource {
  vault: Vault;
  notice(notice: RunNotice): void;
  reached?(point: RunPoint): Promise<void> | void;
}

export type RunNotice =
  | { kind: 'failed' | 'parked'; error: SubscriberError }
  | { kind: 'stopped' | 'unavailable'; message: string };

const LOOK_EVERY_MS = 25;

/** A subscriber at work under a lease: handles events from the checkpoint on, and saves how far it is. */
export class Run {
  private readonly lanes: Lanes;
  private readonly intake: Intake;
  private readonly wakeup = new Wakeup();
  private readonly schedule: SaveSchedule;
  private readonly ended = new AbortController();
  private readonly cut = new AbortController();
  private readonly requests: Requests;
  private readonly saver: Saver;
  private end: RunEnd | undefined;
  /** What the last save of the run says besides. */
  private last: Saved = {};
  private lastError: SubscriberError | null;

  constructor(
    private readonly tools: RunTools,
    private readonly subscriber: Subscriber,
    private readonly lease: Lease,
    parked: readonly ParkedBinding[],
    private readonly closing: AbortSignal,
  ) {
    // As many wait for it as there are lanes, and whoever parks many events replays many.
    setMaxListeners(0, this.ended.signal);
    const { position, lastError } = lease.document;
    const { parkedEvents, inFlightEvents, concurrency } = subscriber.limits;
    this.lastError = lastError;
    this.schedule = new SaveSchedule(subscriber.limits);
    const tracker = new CheckpointTracker(position);
    const parking = new Parking(parkedEvents, parked);
    this.lanes = new Lanes(concurrency, (error) => this.broken(error));
    const { lanes, trouble } = this;
    const ended = this.ended.signal;
    const delivery = this.deliveryOf(parking);
    const changed = (handled: boolean) => this.changed(handled);
    this.intake = new Intake({ tracker, lanes, delivery, inFlightEvents, ended, changed, trouble });
    this.requests = this.requestsOf(parking, delivery);
    const { done } = this.requests;
    const { vault, reached } = tools;
    this.saver = new Saver({ vault, lease, tracker, parking, done, lastError: () => this.lastError, reached });
  }

  private deliveryOf(parking: Parking): Delivery {
    const { tools, subscriber, lanes } = this;
    return new Delivery({
      subscriber,
      lanes,
      parking,
      mayHandle: () => this.mayHandle(),
      read: (binding, revision) => readAgain(tools, binding, revision, this.ended.signal, this.trouble),
      failed: (error, parks) => this.failed(error, parks),
      handled: tools.reached && (() => tools.reached?.('handled')),
      ended: this.ended.signal,
      cut: this.cut.signal,
    });
  }

  private requestsOf(parking: Parking, delivery: Delivery): Requests {
    return new Requests({
      parking,
      delivery,
      lanes: this.lanes,
      ended: this.ended.signal,
      served: () => {
        this.poke();
        // There may be room again; if not, the next event that is to be parked stops it again.
        if (this.lease.document.stopped !== null) this.finish('again', { stopped: null });
      },
      reset: (last) => this.finish('again', last),
    });
  }

  /** Ids of the requests that it has tried to do. */
  get tried(): ReadonlySet<string> {
    return this.requests.begun;
  }

  async run(): Promise<RunEnd> {
    const close = () => this.finish('closed');
    this.closing.addEventListener('abort', close);
    if (this.closing.aborted) close();
    // One that stopped because its parking is full only replays and skips, until there is room.
    const feeding = this.lease.document.stopped === null ? this.feed() : Promise.resolve();
    this.requests.take(this.lease.document);
    try {
      while (this.end === undefined) {
        const dueMs = this.schedule.dueInMs({ dirty: this.saver.dirty, idle: this.intake.idle });
        if (dueMs > 0) await this.wakeup.wait(dueMs);
        else await this.trySave();
      }
      await this.settle();
      await feeding;
      return this.end;
    } finally {
      // However it ends: nothing of it goes on.
      this.ended.abort();
      this.closing.removeEventListener('abort', close);
    }
  }

  /** Looks at what operators ask now, not only at the next save. */
  poke(): void {
    this.schedule.askAtOnce();
    this.wakeup.wake();
  }

  private async feed(): Promise<void> {
    const matcher = new EventMatcher(this.subscriber.filter);
    try {
      await feed(this.tools, matcher, this.lease.document.position, this.intake, this.ended.signal);
    } catch (error) {
      this.broken(error);
    }
  }

  /** A handler is started only while nobody else can hold the lease. */
  private mayHandle(): true | Promise<boolean> {
    return this.lease.fresh && !this.ended.signal.aborted ? true : this.awaitLease();
  }

  private async awaitLease(): Promise<boolean> {
    while (!this.lease.fresh && !this.ended.signal.aborted) {
      this.poke();
      await sleep(LOOK_EVERY_MS, undefined, { signal: this.ended.signal }).catch(() => undefined);
    }
    return !this.ended.signal.aborted;
  }

  // ── Saving ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  private changed(handled: boolean): void {
    if (this.schedule.changed({ handled, idle: this.intake.idle })) this.wakeup.wake();
  }

  /** False: it is to be tried again. */
  private async trySave(more: Saved = {}): Promise<boolean> {
    this.schedule.trying();
    try {
      if (!(await this.saver.save(more))) this.finish('lost');
      else if (this.end === undefined) this.requests.take(this.lease.document);
      this.schedule.tried(true);
      return true;
    } catch (error) {
      if (error instanceof VaultError && error.code === 'UNAVAILABLE') {
        this.schedule.tried(false);
        this.trouble(error);
        return false;
      }
      return this.cannotSave(error);
    }
  }

  // ── Ending ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** What waiting does not mend. A full parking is held by this instance: another one could do no more. */
  private broken(error: unknown): void {
    const stopped = messageOf(error);
    this.tools.notice({ kind: 'stopped', message: stopped });
    if (error instanceof ParkingFull) this.finish('again', { stopped });
    else this.finish('released', { stopped, instance: null });
  }

  /** True: nothing of it is to be tried again. */
  private cannotSave(error: unknown): boolean {
    if (!(error instanceof VaultError && error.code === 'TOO_LARGE')) {
      this.broken(error);
      // The document cannot be read: whoever wrote it, such as a newer version, may have the lease by now.
      if (!(error instanceof VaultError)) this.finish('lost');
      return true;
    }
    const stopped = `what it did cannot be saved: ${error.message}`;
    this.tools.notice({ kind: 'stopped', message: stopped });
    const again = this.saver.giveUp();
    this.finish('unsaved');
    this.last = { stopped, instance: null };
    return !again;
  }

  private finish(end: RunEnd, last: Saved = {}): void {
    if (!outranks(end, this.end)) return;
    this.end = end;
    this.last = { ...this.last, ...last };
    if (end === 'closed') this.last.instance = null;
    this.ended.abort();
    this.lanes.stop();
    if (end === 'lost' || last.parked !== undefined)
      this.cut.abort(new Error('this instance does not run the subscriber any more'));
    this.wakeup.wake();
  }

  private settle(): Promise<void> {
    const { lanes, schedule, closing, cut, subscriber } = this;
    return settle({
      lanes,
      schedule,
      closing,
      cut,
      shutdownMs: subscriber.limits.shutdownMs,
      isLost: () => this.end === 'lost',
      // A handler may take its time, or never settle: why it has stopped is said before that.
      renew: () => this.trySave(this.last.stopped === undefined ? {} : { stopped: this.last.stopped }),
      saveLast: () => this.trySave(this.last),
    });
  }

  // ── Telling ────────────────────────────────────────────────────────────────────────────────────────────────────────

  private failed(error: SubscriberError, parks: boolean): void {
    this.lastError = error;
    this.tools.notice({ kind: parks ? 'parked' : 'failed', error });
  }

  private readonly trouble = (error: Error): void => this.tools.notice({ kind: 'unavailable', message: error.message });
}
