/**
 * Streams of backends and of the catalog: how they are read, folded, and appended to by compare-and-set. They are short and
 * change seldom, so each process folds one as it is asked for, and reads on from where it was.
 */
import { EVENT_SCHEMA, isRefusal, refuse, type EventMetadata, type Refusal, type RequestContext } from '#domain';
import { EventStoreError, NO_STREAM, type EventStore, type JsonObject, type NewEvent, type RecordedEvent } from '#event-store';
import { UnknownEvent } from './chain.js';
import type { ClockWatch } from './clock-watch.js';
import { keyedEvent, type ControlIdempotency, type KeyedOptions } from './control-keys.js';

export interface ControlTools {
  store: EventStore;
  clock(): number;
  random(): number;
  sleep(ms: number): Promise<void>;
  newId: () => string;
  /** Compares the clock with the store's; for whoever only reads there is none. */
  clockWatch?: ClockWatch;
}

export interface ControlMetadata extends Omit<EventMetadata, 'hash' | 'direction' | 'idempotency'> {
  /** On the last event of a change that carried an idempotency key. */
  idempotency?: ControlIdempotency;
}

export type { ChangeOptions } from './control-keys.js';

export interface ControlEventLike {
  type: string;
  data: object;
}

/** An event of such a stream as read back, or as it was written a moment ago. */
export type RecordedControl<E> = E & { id: string; revision: number; metadata: ControlMetadata };

/** A stream folded up to a revision. */
export interface Folded<S> {
  state: S;
  revision: number;
  /** Recorded time of the newest event; '' before the first. */
  at: string;
}

/** How often a decision is repeated because others were ahead, before it is refused. */
const MAX_ATTEMPTS = 50;
const MAX_CONFLICT_WAIT_MS = 50;
/** How often an append of which the outcome is unknown is sent again. */
const MAX_RESENDS = 6;
const PAGE_EVENTS = 1_000;

/** Reads an event of such a stream back. @throws {UnknownEvent} when a newer program wrote it. */
export function readControl<E extends ControlEventLike>(
  recorded: RecordedEvent,
  known: (event: { type: string }) => boolean,
): RecordedControl<E> {
  const metadata = recorded.metadata as unknown as ControlMetadata;
  if (!known(recorded) || typeof metadata.schema !== 'number' || metadata.schema > EVENT_SCHEMA) {
    throw new UnknownEvent(
      `${recorded.stream}@${recorded.revision}: event type ${recorded.type} (schema ${String(metadata.schema)}) is not known to this version`,
    );
  }
  const { type, data, id, revision } = recorded;
  return { type, data, id, revision, metadata } as unknown as RecordedControl<E>;
}

export interface Folding<S, E extends ControlEventLike> {
  initial: Folded<S>;
  /** Before the first event. */
  empty: S;
  known: (event: { type: string }) => boolean;
  /** Must leave the state that it is given as it is. */
  fold(state: S, events: readonly RecordedControl<E>[]): S;
}

/** What became of a change: its events, or, when its idempotency key was used before, the event that came of it then. */
export type Changed<S, E> = Folded<S> & { appended: RecordedControl<E>[]; repeats?: RecordedControl<E> };

/** An event with the states around it. */
export interface Moment<S, E> {
  before: S;
  event: RecordedControl<E>;
  state: S;
}

/** One stream and its state, as fresh as each question. */
export class ControlStream<S, E extends ControlEventLike> {
  private newest: Folded<S>;

  constructor(
    readonly name: string,
    private readonly tools: ControlTools,
    private readonly folding: Folding<S, E>,
  ) {
    this.newest = folding.initial;
  }

  /** The state at the stream's end as of the call. */
  async current(): Promise<Folded<S>> {
    for (let folded = this.newest; ;) {
      const page = await this.tools.store.readStream(this.name, { after: folded.revision, limit: PAGE_EVENTS });
      folded = this.foldedWith(
        folded,
        page.map((event) => readControl<E>(event, this.folding.known)),
      );
      if (page.length < PAGE_EVENTS) return folded;
    }
  }

  /**
   * Appends what `decide` makes of the state, at that very revision; decides again when others were ahead, or when it says
   * so. Answers the state after the events, and the events. Nothing is decided when the same was asked for with the same key.
   */
  async change(
    decide: (state: S, folded: Folded<S>) => Promise<readonly E[] | Refusal | 'again'>,
    context: RequestContext,
    options: KeyedOptions = {},
  ): Promise<Changed<S, E> | Refusal> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const before = await this.current();
      const repeats = await this.earlier(before.revision, context, options);
      if (repeats !== undefined) return isRefusal(repeats) ? repeats : { ...before, appended: [], repeats };
      const events = await decide(before.state, before);
      if (events !== 'again') {
        if (isRefusal(events)) return events;
        if (events.length === 0) return { ...before, appended: [] };
        const { clockWatch } = this.tools;
        const wrongClock = clockWatch?.trouble ?? clockWatch?.troubleBehind(before.at);
        if (wrongClock !== undefined) return refuse('STORE_UNAVAILABLE', wrongClock);
        const recorded = this.stamped(events, before, context, options);
        if (await appendTo(this.tools, this.name, before.revision, recorded))
          return { ...this.foldedWith(before, recorded), appended: recorded };
      }
      await this.tools.sleep(this.tools.random() * MAX_CONFLICT_WAIT_MS);
    }
    return refuse('BUSY', 'others were changing the same thing all the time');
  }

  /** The first event that is looked for, and the states around it: what was answered when it was written. */
  async moment(isMeant: (event: RecordedControl<E>) => boolean): Promise<Moment<S, E> | undefined> {
    let state = this.folding.empty;
    for (let after = NO_STREAM; ;) {
      const page = await this.tools.store.readStream(this.name, { after, limit: PAGE_EVENTS });
      const events = page.map((event) => readControl<E>(event, this.folding.known));
      const index = events.findIndex(isMeant);
      const event = events[index];
      if (event !== undefined) {
        const before = this.folding.fold(state, events.slice(0, index));
        return { before, event, state: this.folding.fold(before, [event]) };
      }
      if (page.length < PAGE_EVENTS) return undefined;
      state = this.folding.fold(state, events);
      after = page.at(-1)?.revision ?? after;
    }
  }

  /** As `moment`, for an event that is known to stand there. */
  async momentOf({ revision }: { revision: number }): Promise<Moment<S, E>> {
    const moment = await this.moment((event) => event.revision === revision);
    if (moment === undefined) throw new Error(`broken invariant: ${this.name}@${revision} is not there any more`);
    return moment;
  }

  private async earlier(
    revision: number,
    { actor }: RequestContext,
    { key, request }: KeyedOptions,
  ): Promise<RecordedControl<E> | Refusal | undefined> {
    if (key === undefined || request === undefined) return undefined;
    const event = await keyedEvent(this.tools.store, this.name, revision, this.tools.clock(), actor, { key, request });
    return event === undefined || 'refused' in event ? event : readControl<E>(event, this.folding.known);
  }

  private stamped(
    events: readonly E[],
    { revision, at }: Folded<S>,
    context: RequestContext,
    options: KeyedOptions,
  ): RecordedControl<E>[] {
    const now = new Date(this.tools.clock()).toISOString();
    const { actor, onBehalfOf, correlationId, causationId } = context;
    const { reason, key, request } = options;
    const idempotency = key === undefined || request === undefined ? undefined : { key, request };
    // Members without a value are left out: what is read back is then what was written.
    const metadata = JSON.parse(
      JSON.stringify({
        schema: EVENT_SCHEMA,
        at: now > at ? now : at,
        actor,
        onBehalfOf,
        correlationId,
        causationId,
        reason,
      }),
    ) as ControlMetadata;
    return events.map((event, index) => ({
      ...event,
      id: this.tools.newId(),
      revision: revision + 1 + index,
      metadata: idempotency === undefined || index < events.length - 1 ? metadata : { ...metadata, idempotency },
    }));
  }

  private foldedWith(folded: Folded<S>, events: readonly RecordedControl<E>[]): Folded<S> {
    const last = events.at(-1);
    if (last === undefined) return folded;
    const next = { state: this.folding.fold(folded.state, events), revision: last.revision, at: last.metadata.at };
    if (next.revision > this.newest.revision) this.newest = next;
    return next;
  }
}

/** True when the events stand in the stream, false when others were ahead. An unknown outcome is resolved by sending them again. */
async function appendTo<E extends ControlEventLike>(
  tools: ControlTools,
  stream: string,
  expected: number,
  events: readonly RecordedControl<E>[],
): Promise<boolean> {
  const newEvents = events.map(({ id, type, data, metadata }): NewEvent => ({
    id,
    type,
    data: data as JsonObject,
    metadata: metadata as unknown as JsonObject,
  }));
  for (let attempt = 0; ; attempt += 1) {
    try {
      const sentAt = tools.clock();
      const result = await tools.store.append(stream, expected, newEvents);
      if (result.ok && attempt === 0) tools.clockWatch?.watch(sentAt, result.storedAt);
      if (!result.ok) return attempt > 0 && (await standThere(tools.store, stream, expected, newEvents));
      if (result.revision === expected + events.length) return true;
      throw new EventStoreError(
        'STREAM_DELETED',
        `${stream}: an append of ${events.length} events at revision ${expected} ended at ${result.revision}`,
      );
    } catch (error) {
      const unknown = error instanceof EventStoreError && error.code === 'OUTCOME_UNKNOWN';
      if (!unknown || attempt === MAX_RESENDS) throw error;
      await tools.sleep(10 * 2 ** attempt * (0.5 + tools.random() / 2));
    }
  }
}

async function standThere(store: EventStore, stream: string, expected: number, events: readonly NewEvent[]): Promise<boolean> {
  const page = await store.readStream(stream, { after: expected, limit: events.length });
  return events.every(({ id }, index) => page[index]?.id === id);
}

/** The state of a stream that nothing was read of yet. */
export function unread<S>(state: S): Folded<S> {
  return { state, revision: NO_STREAM, at: '' };
}
