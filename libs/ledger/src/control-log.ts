/**
 * Streams of backends and of the catalog: how they are read, folded, and appended to by compare-and-set. They are short and
 * change seldom, so each process folds one as it is asked for, and reads on from where it was.
 */
import { EVENT_SCHEMA, isRefusal, refuse, type EventMetadata, type Refusal, type RequestContext } from '#domain';
import { EventStoreError, NO_STREAM, type EventStore, type JsonObject, type NewEvent, type RecordedEvent } from '#event-store';
import { UnknownEvent } from './chain.js';

export interface ControlTools {
  store: EventStore;
  clock(): number;
  random(): number;
  sleep(ms: number): Promise<void>;
  newId: () => string;
}

export interface ControlMetadata extends Omit<EventMetadata, 'hash' | 'direction' | 'idempotency'> {
  /** On the events of a registration that carried an idempotency key. */
  idempotency?: { key: string };
}

/** What a change says of itself besides who asked for it. */
export interface ChangeOptions {
  reason?: string;
  /** Idempotency key. Most changes change nothing when they are repeated; it matters for a registration. */
  key?: string;
}

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
  known: (event: { type: string }) => boolean;
  /** Must leave the state that it is given as it is. */
  fold(state: S, events: readonly RecordedControl<E>[]): S;
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
   * so. Answers the state after the events, and the events.
   */
  async change(
    decide: (state: S, folded: Folded<S>) => Promise<readonly E[] | Refusal | 'again'>,
    context: RequestContext,
    options: ChangeOptions = {},
  ): Promise<(Folded<S> & { appended: RecordedControl<E>[] }) | Refusal> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const before = await this.current();
      const events = await decide(before.state, before);
      if (events !== 'again') {
        if (isRefusal(events)) return events;
        if (events.length === 0) return { ...before, appended: [] };
        const recorded = this.stamped(events, before, context, options);
        if (await appendTo(this.tools, this.name, before.revision, recorded))
          return { ...this.foldedWith(before, recorded), appended: recorded };
      }
      await this.tools.sleep(this.tools.random() * MAX_CONFLICT_WAIT_MS);
    }
    return refuse('BUSY', 'others were changing the same thing all the time');
  }

  private stamped(
    events: readonly E[],
    { revision, at }: Folded<S>,
    context: RequestContext,
    options: ChangeOptions,
  ): RecordedControl<E>[] {
    const now = new Date(this.tools.clock()).toISOString();
    const { actor, onBehalfOf, correlationId, causationId } = context;
    const { reason, key } = options;
    const idempotency = key === undefined ? undefined : { key };
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
        idempotency,
      }),
    ) as ControlMetadata;
    return events.map((event, index) => ({ ...event, id: this.tools.newId(), revision: revision + 1 + index, metadata }));
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
      const result = await tools.store.append(stream, expected, newEvents);
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
