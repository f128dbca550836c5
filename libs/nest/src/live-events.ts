import { Inject, Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import { filter, Observable, share, Subject, takeUntil, type Subscriber } from 'rxjs';
import { isBindingEvent, type BindingEvent, type BindingEventType } from '#domain';
import { readLedgerEvent, viewEvent, type EventView } from '#ledger';
import type { RecordedEvent } from '#event-store';
import type { OpenedLedger } from '#runtime';
import { OPENED_LEDGER } from './options.js';

/** How often a loop over nothing wakes up. */
const IDLE_MS = 60_000;

/** What happened to a binding: its identity after the event, what the event changed, and who recorded it where. */
export type LiveEvent = Omit<EventView, keyof BindingEvent['data']> & BindingEvent['data'] & { type: BindingEventType };

/** Each member names one value, or several of which one must fit; without members every event fits. */
export interface LiveFilter {
  backend?: string | readonly string[];
  model?: string | readonly string[];
  type?: BindingEventType | readonly BindingEventType[];
}

/**
 * Events as they are recorded, by this process or another, each ledger's in order. For live reactions: they begin when
 * somebody subscribes and have no memory, so nothing durable may hang on them; what happens between two subscriptions, or
 * while the process is down, never comes.
 *
 * All subscribers of `live` share one subscription to the store, which is read as fast as they take the events: 512 events or 1 MiB
 * at a time, and no more before all of them have taken these. Taking is synchronous: rxjs' own `concatMap` and its like queue without
 * bound behind it. For reactions that take their time there is `oneAtATime`, whose queue is bounded, and `from`, a loop that is asked for
 * nothing before the reaction is done. When the store fails for good, subscribers get the error; at shutdown the observables complete. An error that a
 * subscriber throws is its own: rxjs reports it as uncaught, and the others go on.
 */
@Injectable()
export class LedgerEvents implements BeforeApplicationShutdown {
  private readonly closing = new Subject<void>();
  private closed = false;
  private started = Promise.resolve();
  private readonly all: Observable<LiveEvent>;

  constructor(@Inject(OPENED_LEDGER) private readonly opened: OpenedLedger) {
    this.all = new Observable<LiveEvent>((subscriber) => this.connect(subscriber)).pipe(takeUntil(this.closing), share());
  }

  live(wanted: LiveFilter = {}): Observable<LiveEvent> {
    return this.all.pipe(filter((event) => fits(event, wanted)));
  }

  /**
   * What was recorded after a position, or all of it from the `start`, and then what comes, with no gap and no repeat: until the loop is
   * left, the signal aborts, or the application shuts down. Nothing is read before the loop asks for it, so a reaction may take its time,
   * and at most some hundred events are in memory. Keep the `position` of the last event that is done with, and begin after it.
   * @throws {RangeError} for a position that this store does not know.
   */
  async *from(position: string, wanted: LiveFilter = {}, signal?: AbortSignal): AsyncGenerator<LiveEvent, void, undefined> {
    const { feed } = this.opened.ledger;
    const after = await feed.positions.read(position);
    if (after === undefined) throw new RangeError(`${JSON.stringify(position)} is no position of this store`);
    const ended = new AbortController();
    const end = () => ended.abort();
    const closing = this.closing.subscribe(end);
    signal?.addEventListener('abort', end);
    if (this.closed || signal?.aborted) end();
    const filter = { backend: listOf(wanted.backend), model: listOf(wanted.model), type: listOf(wanted.type) };
    try {
      for await (const { events } of feed.follow(after, filter, { idleMs: IDLE_MS }, ended.signal)) {
        for (const { view } of events) {
          if (ended.signal.aborted) return;
          yield view as LiveEvent;
        }
      }
    } finally {
      signal?.removeEventListener('abort', end);
      closing.unsubscribe();
    }
  }

  /** Resolves when everything that is recorded from now on reaches those who have subscribed: a moment after the first did. */
  async listening(): Promise<void> {
    await this.started;
  }

  beforeApplicationShutdown(): void {
    this.closed = true;
    this.closing.next();
  }

  private connect(subscriber: Subscriber<LiveEvent>): (() => void) | void {
    if (this.closed) return subscriber.complete();
    const ended = new AbortController();
    const end = this.opened.store.endPosition();
    this.started = end.then(
      () => undefined,
      () => undefined,
    );
    this.follow(end, subscriber, ended.signal).then(
      () => subscriber.complete(),
      (error: unknown) => subscriber.error(error),
    );
    return () => ended.abort();
  }

  private async follow(end: Promise<string>, subscriber: Subscriber<LiveEvent>, ended: AbortSignal): Promise<void> {
    const { store, streams } = this.opened;
    const from = { streamPrefixes: [`${streams.prefix}ledger-`], after: await end };
    for await (const { events } of store.subscribe(from, ended)) {
      for (const recorded of events) {
        const event = await this.viewOf(recorded);
        if (ended.aborted) return;
        if (event !== undefined) subscriber.next(event);
      }
    }
  }

  private async viewOf(recorded: RecordedEvent): Promise<LiveEvent | undefined> {
    const ledger = this.opened.streams.ledgerOf(recorded.stream);
    const event = readLedgerEvent(recorded);
    if (ledger === undefined || !isBindingEvent(event)) return undefined;
    const place = { ...ledger, localModel: await this.opened.queries.localModelOf(ledger) };
    // An event of a binding has all members of its identity, which the view's type leaves open.
    const publish = await this.opened.ledger.feed.positions.publisher();
    return viewEvent(place, publish(recorded.position), event) as LiveEvent;
  }
}

function fits(event: LiveEvent, { backend, model, type }: LiveFilter): boolean {
  return isOneOf(event.backend, backend) && isOneOf(event.model, model) && isOneOf(event.type, type);
}

function listOf<T extends string>(wanted: T | readonly T[] | undefined): readonly T[] | undefined {
  return typeof wanted === 'string' ? [wanted] : wanted;
}

function isOneOf(value: string, wanted: string | readonly string[] | undefined): boolean {
  return wanted === undefined || (typeof wanted === 'string' ? wanted === value : wanted.includes(value));
}
