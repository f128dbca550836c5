import type { Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ResolvedEvent } from '@eventstore/db-client';
import type { Position, RecordedEvent } from '#event-store';
import { Stalled } from './errors.js';
import { toRecorded } from './recorded.js';

/** A subscription of the client: events to be read, and events about them. */
export interface ClientSubscription extends Readable {
  unsubscribe(): Promise<void>;
}

/** What came besides events, in its place among them: `at` so many events of the subscription. */
interface Mark {
  at: number;
  kind: 'caughtUp' | 'fellBehind' | 'checkpoint';
  position?: Position;
}

/** What one look at a subscription found. */
export interface Arrived {
  events: RecordedEvent[];
  /** How far history was searched: perhaps a place in the log where no event stands. */
  searched?: Position;
  /** The newest live checkpoint behind all events that were handed on: the place of an event. */
  checkpoint?: Position;
  caughtUp: boolean;
}

export interface LiveTimes {
  /** A subscription begins within so long, or is tried again. */
  startMs: number;
  /** After so long without anything, the store is asked whether something should have come. */
  silenceMs: number;
}

/** So many events the client reads ahead of us, and no more: its streams hold back the node. */
export const READ_AHEAD_EVENTS = 256;

/**
 * One subscription as it runs, read when there is somebody to read. The client tells checkpoints, and that history is over, as
 * soon as it sees them, while the events before them may still lie in its buffer: here they keep their place.
 */
export class Live {
  private readonly marks: Mark[] = [];
  private received = 0;
  private confirmed = false;
  private caughtUp = false;
  private failure: Error | undefined;
  private wake: (() => void) | undefined;

  constructor(private readonly subscription: ClientSubscription) {
    const awake = () => this.wake?.();
    subscription.on('confirmation', () => {
      this.confirmed = true;
      awake();
    });
    subscription.on('caughtUp', () => this.mark('caughtUp'));
    subscription.on('fellBehind', () => this.mark('fellBehind'));
    subscription.on('readable', awake);
    subscription.on('error', (error: Error) => this.fail(error));
    subscription.on('end', () => this.fail(new Stalled('the event store ended the subscription')));
    subscription.on('close', () => this.fail(new Stalled('the event store closed the subscription')));
  }

  checkpoint(position: Position): void {
    this.mark('checkpoint', position);
  }

  /** What has come by now; nothing is waited for. @throws what ended the subscription, once all that came before is taken. */
  take(limit: number): Arrived | undefined {
    const before = this.caughtUp;
    const arrived: Arrived = { events: [], caughtUp: before };
    this.applyMarks(arrived);
    while (arrived.events.length < limit) {
      const resolved = this.subscription.read() as ResolvedEvent | null;
      if (resolved === null) break;
      this.received += 1;
      const event = toRecorded(resolved);
      if (event !== undefined) arrived.events.push(event);
      this.applyMarks(arrived);
    }
    arrived.caughtUp = this.caughtUp;
    const moved = arrived.searched !== undefined || arrived.checkpoint !== undefined;
    if (arrived.events.length > 0 || moved || this.caughtUp !== before) return arrived;
    if (this.failure !== undefined) throw this.failure;
    return undefined;
  }

  /** Waits for more, at most so long: false when nothing came. @throws {Stalled} when the subscription did not even begin. */
  async more(times: LiveTimes, signal: AbortSignal): Promise<boolean> {
    if (this.failure !== undefined || signal.aborted) return true;
    const timeoutMs = this.confirmed ? times.silenceMs : times.startMs;
    const came = await new Promise<boolean>((resolve) => {
      const settle = (result: boolean) => {
        clearTimeout(timer);
        signal.removeEventListener('abort', abort);
        this.wake = undefined;
        resolve(result);
      };
      const abort = () => settle(true);
      const timer = setTimeout(() => settle(false), timeoutMs);
      signal.addEventListener('abort', abort);
      this.wake = abort;
    });
    if (!came && !this.confirmed) throw new Stalled(`no subscription within ${timeoutMs} ms`);
    // The first of many wakes us: in a turn of the event loop the client hands on the others, which then come as one batch.
    if (came) await nextTurn();
    return came;
  }

  stop(): void {
    this.failure ??= new Stalled('the subscription was ended');
    this.subscription.unsubscribe().catch(() => undefined);
  }

  private mark(kind: Mark['kind'], position?: Position): void {
    this.marks.push({ at: this.received + this.subscription.readableLength, kind, position });
    this.wake?.();
  }

  private applyMarks(arrived: Arrived): void {
    for (let mark = this.marks[0]; mark !== undefined && mark.at <= this.received; mark = this.marks[0]) {
      this.marks.shift();
      if (mark.kind === 'checkpoint') arrived[this.caughtUp ? 'checkpoint' : 'searched'] = mark.position;
      else this.caughtUp = mark.kind === 'caughtUp';
    }
  }

  private fail(error: Error): void {
    this.failure ??= error;
    this.wake?.();
  }
}
