import { setTimeout as sleep } from 'node:timers/promises';
import type { BindingEventView } from '#ledger';
import type { SubscriberError } from './document.js';
import { UnreadableEvent } from './feed.js';
import type { Lanes } from './lanes.js';
import type { BindingName, ParkedBinding, Parking } from './parking.js';
import { Attempt, OverdueWatch } from './attempt.js';
import type { Subscriber } from './subscriber.js';

export interface DeliveryTools {
  subscriber: Subscriber;
  lanes: Lanes;
  parking: Parking;
  /** True: a handler may be started. Otherwise it is waited for; false: none may any more. */
  mayHandle(): true | Promise<boolean>;
  /** The event of a binding's ledger at a revision; `undefined` when the run has ended before it could be read. @throws {UnreadableEvent} */
  read(binding: BindingName, revision: number): Promise<BindingEventView | undefined>;
  failed(error: SubscriberError, parked: boolean): void;
  /** Before the checkpoint knows that an event was handled. */
  handled?: () => Promise<void> | void;
  /** No handler is started any more, and no retry waited for. */
  ended: AbortSignal;
  /** Those that run are to give up. */
  cut: AbortSignal;
}

type Outcome = { kind: 'handled' } | { kind: 'ended' } | { kind: 'failed'; error: string; attempts: number };

/** Hands events to the handler, each until it is handled or parked. Called within the lane of the event's ledger. */
export class Delivery {
  private readonly overdue: OverdueWatch;

  constructor(private readonly tools: DeliveryTools) {
    this.overdue = new OverdueWatch(tools.subscriber.limits.attemptTimeoutMs, tools.cut);
  }

  /** False: the run has ended, and the event is neither handled nor parked. @throws {ParkingFull} */
  async deliver(event: BindingEventView): Promise<boolean> {
    const { parking } = this.tools;
    const { revision, position, type, backend, model, bindingId, recordId } = event;
    const before = parking.get(event);
    if (before !== undefined) {
      parking.append(before, { revision, position, type, parkedAt: new Date().toISOString() });
      return true;
    }
    const outcome = await this.attempts(event, false);
    if (outcome.kind !== 'failed') return outcome.kind === 'handled';
    const { error, attempts } = outcome;
    const triedAt = new Date().toISOString();
    const binding = { backend, model, bindingId, recordId, error, triedAt, attempts };
    parking.park(binding, { revision, position, type, parkedAt: triedAt });
    return true;
  }

  /** Tries what is parked of a binding again, in order, until nothing is or one fails. False: the run has ended before. */
  async replay(binding: BindingName): Promise<boolean> {
    const { parking } = this.tools;
    for (let parked = parking.get(binding); parked !== undefined; parked = parking.get(binding)) {
      const outcome = await this.again(parked);
      if (outcome.kind === 'ended') return false;
      if (outcome.kind === 'failed') {
        const { error, attempts } = outcome;
        parking.failedAgain(parked, { error, attempts, triedAt: new Date().toISOString() });
        return true;
      }
      parking.shift(parked);
    }
    return true;
  }

  /**
   * The first parked event. One that cannot be read back fails as if its handler had: it stays, says so, and can be skipped, and
   * all others go on.
   */
  private async again({ events, ...binding }: ParkedBinding): Promise<Outcome> {
    const revision = events[0]?.revision ?? -1;
    try {
      const event = await this.tools.read(binding, revision);
      return event === undefined ? { kind: 'ended' } : await this.attempts(event, true);
    } catch (error) {
      if (!(error instanceof UnreadableEvent)) throw error;
      this.tools.failed(errorOf({ ...binding, revision }, 1, error.message), true);
      return { kind: 'failed', error: error.message, attempts: 1 };
    }
  }

  private async attempts(event: BindingEventView, replayed: boolean): Promise<Outcome> {
    const { subscriber, lanes, ended } = this.tools;
    const { limits } = subscriber;
    for (let attempt = 1; ; attempt += 1) {
      const error = await lanes.inTurn(() => this.attempt(event, attempt, replayed));
      if (error === undefined) {
        if (this.tools.handled !== undefined) await this.tools.handled();
        return HANDLED;
      }
      // A handler that gave up because it was told to has not failed.
      if (error === ENDED || ended.aborted) return { kind: 'ended' };
      const last = attempt === limits.attempts;
      const message = messageOf(error);
      this.tools.failed(errorOf(event, attempt, message), last);
      if (last) return { kind: 'failed', error: message, attempts: attempt };
      await sleep(backoffMs(attempt, limits), undefined, { signal: ended }).catch(() => undefined);
    }
  }

  /** What went wrong, if anything did. */
  private async attempt(event: BindingEventView, attempt: number, replayed: boolean): Promise<unknown> {
    const { subscriber, mayHandle, cut } = this.tools;
    const may = mayHandle();
    if (may !== true && !(await may)) return ENDED;
    const running = new Attempt(subscriber.name, event.position, attempt, replayed, cut, (message) =>
      this.tools.failed(errorOf(event, attempt, message), false),
    );
    this.overdue.watch(running);
    try {
      await subscriber.handle(event, running);
      return undefined;
    } catch (error) {
      return error ?? new Error('the handler threw nothing');
    } finally {
      this.overdue.forget(running);
    }
  }
}

const ENDED = Symbol('ended');
const HANDLED: Outcome = { kind: 'handled' };

/** Doubles with each attempt, jittered down to its half, so that what failed together is not tried again together. */
export function backoffMs(
  attempt: number,
  { firstBackoffMs, longestBackoffMs }: { firstBackoffMs: number; longestBackoffMs: number },
): number {
  return Math.min(longestBackoffMs, firstBackoffMs * 2 ** (attempt - 1)) * (0.5 + Math.random() / 2);
}

type PlaceOfEvent = BindingName & { revision: number };

function errorOf({ backend, model, bindingId, revision }: PlaceOfEvent, attempt: number, message: string): SubscriberError {
  return { at: new Date().toISOString(), message: message.slice(0, 500), backend, model, bindingId, revision, attempt };
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
