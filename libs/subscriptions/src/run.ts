import { setTimeout as sleep } from 'node:timers/promises';
import { ledgerKey } from '#domain';
import type { Position } from '#event-store';
import { EventMatcher, type BindingEventView } from '#ledger';
import { VaultError, type Vault } from '#vault';
import { CheckpointTracker } from './checkpoint.js';
import { Delivery, messageOf } from './delivery.js';
import { deleteParked, newParkedVersion, writeParked, type SubscriberError } from './document.js';
import { feed, readAgain, type FeedSource } from './feed.js';
import { Lanes } from './lanes.js';
import type { Lease, Saved } from './lease.js';
import { Parking, ParkingFull, type ParkedBinding } from './parking.js';
import { Requests } from './requests.js';
import { SaveSchedule } from './save-schedule.js';
import type { Subscriber } from './subscriber.js';
import { Wakeup } from './wakeup.js';

/** Moments at which a crash must lose nothing; tests end the process there. */
export type RunPoint = 'handled' | 'parked-written' | 'checkpoint-saved' | 'parked-deleted';

export interface RunTools extends FeedSource {
  vault: Vault;
  notice(notice: RunNotice): void;
  reached?(point: RunPoint): Promise<void> | void;
}

export type RunNotice =
  | { kind: 'failed' | 'parked'; error: SubscriberError }
  | { kind: 'stopped' | 'unavailable'; message: string };

/**
 * Why a run is over: the process stops; another instance has the lease; it begins again, from what was saved; or something is
 * wrong that waiting here does not mend, so that the lease is given up.
 */
export type RunEnd = 'closed' | 'lost' | 'again' | 'released';

const LOOK_EVERY_MS = 25;
const SETTLE_LOOK_MS = 250;

/** A subscriber at work under a lease: handles events from the checkpoint on, and saves how far it is. */
export class Run {
  private readonly tracker: CheckpointTracker;
  private readonly parking: Parking;
  private readonly lanes: Lanes;
  private readonly delivery: Delivery;
  private readonly wakeup = new Wakeup();
  private readonly schedule: SaveSchedule;
  private readonly ended = new AbortController();
  private readonly cut = new AbortController();
  private readonly requests: Requests;
  private end: RunEnd | undefined;
  /** What the last save of the run says besides. */
  private last: Saved = {};
  private lastError: SubscriberError | null;
  private caughtUp = false;
  private savedParking = 0;
  private awaitingRoom: (() => void) | undefined;

  constructor(
    private readonly tools: RunTools,
    private readonly subscriber: Subscriber,
    private readonly lease: Lease,
    parked: readonly ParkedBinding[],
    private readonly closing: AbortSignal,
  ) {
    const { position, lastError } = lease.document;
    const { limits } = subscriber;
    this.lastError = lastError;
    this.schedule = new SaveSchedule(limits);
    this.tracker = new CheckpointTracker(position);
    this.parking = new Parking(limits.parkedEvents, parked);
    this.lanes = new Lanes(limits.concurrency, (error) => this.broken(error));
    this.delivery = new Delivery({
      subscriber,
      lanes: this.lanes,
      parking: this.parking,
      mayHandle: () => this.mayHandle(),
      read: (binding, revision) => readAgain(tools, binding, revision, this.ended.signal, this.trouble),
      failed: (error, parks) => this.failed(error, parks),
      handled: tools.reached && (() => tools.reached?.('handled')),
      ended: this.ended.signal,
      cut: this.cut.signal,
    });
    this.requests = new Requests({
      parking: this.parking,
      lanes: this.lanes,
      delivery: this.delivery,
      ended: this.ended.signal,
      served: () => {
        this.poke();
        // There may be room again; if not, the next event that is to be parked stops it again.
        if (lease.document.stopped !== null) this.finish('again', { stopped: null });
      },
      reset: (last) => this.finish('again', last),
    });
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
        const dueMs = this.schedule.dueInMs(this);
        if (dueMs > 0) await this.wakeup.wait(dueMs);
        else await this.trySave();
      }
      await this.settle();
      await feeding;
      return this.end;
    } finally {
      this.closing.removeEventListener('abort', close);
    }
  }

  /** Looks at what operators ask now, not only at the next save. */
  poke(): void {
    this.schedule.askAtOnce();
    this.wakeup.wake();
  }

  private async feed(): Promise<void> {
    const consumer = {
      take: (event: BindingEventView, position: Position) => this.take(event, position),
      passed: (position: Position, caughtUp: boolean) => {
        this.tracker.passed(position);
        this.caughtUp = caughtUp;
        this.changed(false);
      },
      trouble: this.trouble,
    };
    try {
      await feed(this.tools, new EventMatcher(this.subscriber.filter), this.lease.document.position, consumer, this.ended.signal);
    } catch (error) {
      this.broken(error);
    }
  }

  private async take(event: BindingEventView, position: Position): Promise<void> {
    const { limits } = this.subscriber;
    while (this.tracker.inFlight >= limits.inFlightEvents && !this.ended.signal.aborted)
      await new Promise<void>((resolve) => (this.awaitingRoom = resolve));
    if (this.ended.signal.aborted) return;
    const entry = this.tracker.begin(position);
    this.lanes.push(ledgerKey(event), async () => {
      if (!(await this.delivery.deliver(event))) return;
      this.tracker.finish(entry);
      this.awaitingRoom?.();
      this.changed(true);
    });
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

  get dirty(): boolean {
    const { position, lastError } = this.lease.document;
    return (
      this.tracker.checkpoint !== position ||
      this.parking.version !== this.savedParking ||
      this.lastError !== lastError ||
      this.requests.done.size > 0
    );
  }

  /** Nothing is known of that is not done. */
  get idle(): boolean {
    return this.caughtUp && this.tracker.inFlight === 0;
  }

  private changed(handled: boolean): void {
    if (this.schedule.changed({ handled, idle: this.idle })) this.wakeup.wake();
  }

  private async trySave(more: Saved = {}): Promise<boolean> {
    this.schedule.trying();
    try {
      await this.save(more);
      this.schedule.tried(true);
      return true;
    } catch (error) {
      if (!(error instanceof VaultError)) throw error;
      if (error.code !== 'UNAVAILABLE') {
        this.broken(error);
        return true;
      }
      this.schedule.tried(false);
      this.trouble(error);
      return false;
    }
  }

  /** Checkpoint and parked events as of one moment; the write of the document decides, and only a holder's succeeds. */
  private async save(more: Saved): Promise<void> {
    const { vault, reached } = this.tools;
    const { name } = this.subscriber;
    const [parkingVersion, done, before] = [this.parking.version, new Set(this.requests.done), this.lease.document.parked];
    const changes: Saved = { position: this.tracker.checkpoint, lastError: this.lastError, done };
    if (parkingVersion !== this.savedParking && more.parked === undefined) {
      const bindings = this.parking.all();
      const version = bindings.length === 0 ? null : newParkedVersion(this.lease.document.epoch);
      changes.parked = { version, events: this.parking.events, bindings: bindings.length, oldestAt: this.parking.oldestAt };
      if (version !== null) await writeParked(vault, name, version, bindings);
      await reached?.('parked-written');
    }
    if (!(await this.lease.save({ ...changes, ...more }))) return this.finish('lost');
    this.savedParking = parkingVersion;
    for (const id of done) this.requests.done.delete(id);
    await reached?.('checkpoint-saved');
    const { version } = this.lease.document.parked;
    if (before.version !== null && before.version !== version)
      await deleteParked(vault, name, before.version).catch(() => undefined);
    await reached?.('parked-deleted');
    if (this.end === undefined) this.requests.take(this.lease.document);
  }

  // ── Ending ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** What waiting does not mend. A full parking is held by this instance: another one could do no more. */
  private broken(error: unknown): void {
    const stopped = messageOf(error);
    this.tools.notice({ kind: 'stopped', message: stopped });
    if (error instanceof ParkingFull) this.finish('again', { stopped });
    else this.finish('released', { stopped, instance: null });
  }

  private finish(end: RunEnd, last: Saved = {}): void {
    // A shutdown, or a lost lease, comes before everything else.
    if (this.end !== undefined && end !== 'closed' && end !== 'lost') return;
    if (this.end === 'lost') return;
    this.end = end;
    this.last = { ...this.last, ...last };
    if (end === 'closed') this.last.instance = null;
    this.ended.abort();
    this.lanes.stop();
    if (end === 'lost' || last.parked !== undefined)
      this.cut.abort(new Error('this instance does not run the subscriber any more'));
    this.awaitingRoom?.();
    this.wakeup.wake();
  }

  /** Running handlers finish, the lease is kept meanwhile, and what they did is saved. A shutdown waits only so long. */
  private async settle(): Promise<void> {
    const { shutdownMs } = this.subscriber.limits;
    let closingSince: number | undefined;
    const overdue = (): boolean => {
      if (!this.closing.aborted) return false;
      closingSince ??= performance.now();
      return performance.now() - closingSince > shutdownMs;
    };
    for (let idle = this.lanes.idle(); this.lanes.busy > 0;) {
      await Promise.race([idle, sleep(Math.min(this.schedule.heartbeatMs, shutdownMs, SETTLE_LOOK_MS))]);
      if (this.lanes.busy === 0) break;
      if (overdue()) {
        if (this.cut.signal.aborted) break;
        this.cut.abort(new Error('the shutdown is over'));
        await Promise.race([idle, sleep(LOOK_EVERY_MS)]);
      }
      if (this.end !== 'lost' && this.schedule.heartbeatIsDue) await this.trySave();
    }
    while (this.end !== 'lost' && !(await this.trySave(this.last))) {
      if (overdue()) break;
      await sleep(LOOK_EVERY_MS * 4);
    }
  }

  // ── Telling ────────────────────────────────────────────────────────────────────────────────────────────────────────

  private failed(error: SubscriberError, parks: boolean): void {
    this.lastError = error;
    this.tools.notice({ kind: parks ? 'parked' : 'failed', error });
  }

  private readonly trouble = (error: Error): void => this.tools.notice({ kind: 'unavailable', message: error.message });
}
