/**
 * The event store as the ledger sees it: streams that are appended to by compare-and-set on their revision, read by
 * pages, and followed. The semantics are those of EventStoreDB; `contract.ts` beside this file is what an adapter passes.
 */

/** Revision of a stream's newest event; the first event has revision 0. `NO_STREAM` is the revision before it. */
export type Revision = number;
export const NO_STREAM: Revision = -1;

/**
 * Where an event stands in the whole store. Opaque to clients, but positions of one store compare as strings: adapters
 * write them with a fixed width. `START` is before every event.
 */
export type Position = string;
export const START: Position = '';

/** At most this many events in one append. */
export const MAX_APPEND_EVENTS = 4_000;
/** At most this many bytes (type, data and metadata as JSON) in one append, as EventStoreDB has it. */
export const MAX_APPEND_BYTES = 1_048_576;
/** At most this many events in one page of a read. */
export const MAX_PAGE_EVENTS = 4_096;

export type JsonValue = string | number | boolean | null | JsonValue[] | { [key: string]: JsonValue };
export type JsonObject = { [key: string]: JsonValue };

/** What it is about, as values, or as the JSON that the writer has made of them already. */
export type NewEvent = NamedEvent & (EventValues | { json: EventJson });

interface NamedEvent {
  /** A UUID. The same id at the same place is what makes a repeated append harmless. */
  id: string;
  type: string;
}

export interface EventValues {
  data: JsonObject;
  metadata: JsonObject;
}

export interface EventJson {
  data: string;
  metadata: string;
}

export interface RecordedEvent extends NamedEvent, EventValues {
  stream: string;
  revision: Revision;
  position: Position;
  /** When the store wrote it, by the store's clock: ISO 8601, UTC, milliseconds. */
  storedAt: string;
}

/** An event with its data and metadata as the JSON that is stored, which nobody has parsed. */
export interface StoredText {
  revision: Revision;
  id: string;
  type: string;
  data: string;
  metadata: string;
}

export type AppendResult =
  /** Of the last event: its revision, its position (reading goes on after it), and when it was stored (not every store says). */
  | { ok: true; revision: Revision; position: Position; storedAt?: string }
  /** The stream is elsewhere: nothing was written. `actual` is where it was when the append was refused. */
  | { ok: false; actual: Revision };

/** `after` is exclusive for both directions: forwards from after + 1, backwards from after − 1 (`undefined`: from the end). */
export interface ReadStreamOptions {
  direction?: 'forwards' | 'backwards';
  after?: Revision;
  /** Page size, at most `MAX_PAGE_EVENTS`. */
  limit: number;
}

export interface ReadAllOptions {
  /** Exclusive. `START` reads from the beginning. */
  after: Position;
  /** Only events of streams whose name begins with one of these, of which there is at least one. The empty one begins every name. */
  streamPrefixes: readonly string[];
  limit: number;
}

/** A page of everything, and the position up to which the store was searched: resume there though nothing matched. */
export interface AllPage {
  events: RecordedEvent[];
  position: Position;
  /** True when the page reaches the end of the store as it was when the page was read. */
  end: boolean;
}

export type SubscribeTo = { stream: string; after: Revision } | { streamPrefixes: readonly string[]; after: Position };

/** What a subscription hands on: events in order, perhaps none, and whether the reader has caught up with the store. */
export interface SubscriptionBatch {
  events: RecordedEvent[];
  /** Resume a subscription to all here. For a subscription to one stream it is the position of the last event. */
  position: Position;
  caughtUp: boolean;
}

export interface EventStore {
  /**
   * Appends all events or none, if the stream's revision is `expected`. An append whose events stand right after
   * `expected` already, with the same ids, succeeds and writes nothing, also when others were appended behind them.
   * An empty append compares nothing and answers `expected` and `START`.
   * @throws {EventStoreError} `OUTCOME_UNKNOWN` when it may or may not have been written, `UNAVAILABLE` when it was not,
   *   `TOO_LARGE`, `STREAM_DELETED`.
   */
  append(stream: string, expected: Revision, events: readonly NewEvent[]): Promise<AppendResult>;
  /**
   * One page, shorter than `limit` only when there is nothing more; empty also for a stream that was never written.
   * @throws {RangeError} for a limit that no page can have.
   */
  readStream(stream: string, options: ReadStreamOptions): Promise<RecordedEvent[]>;
  /**
   * A page of a stream, forwards, of a store that keeps text: for whoever looks at the text itself, or need not parse all of it. It may
   * be shorter than `limit`, and is empty only when there is nothing more.
   */
  readTexts?(stream: string, after: Revision, limit: number): Promise<StoredText[]>;
  /** The revision of the stream's newest event, from the store's leader; `NO_STREAM` when there is none. */
  headRevision(stream: string): Promise<Revision>;
  /** The position of the newest event in the whole store: whoever subscribes after it sees what is appended from now on. */
  endPosition(): Promise<Position>;
  /** One page, in the order of the commits. It may be shorter than `limit`, or empty, although there is more: see `end`. */
  readAll(options: ReadAllOptions): Promise<AllPage>;
  /**
   * Follows a stream, or all streams of some prefixes, from after a point for ever: first history, then what is appended. None
   * is lost, none comes twice; an interruption is resumed by the adapter. A slow consumer slows the reading; nothing is
   * buffered without bound. Ends when `signal` aborts or the store closes, without an error.
   */
  subscribe(to: SubscribeTo, signal: AbortSignal): AsyncIterable<SubscriptionBatch>;
  /** Answers when the store can be used now. @throws {EventStoreError} `UNAVAILABLE` with the reason. */
  ping(): Promise<void>;
  /** Finishes the appends that were accepted and ends the subscriptions. Whatever is called later fails with `CLOSED`. */
  close(): Promise<void>;
}

export type EventStoreErrorCode = 'UNAVAILABLE' | 'OUTCOME_UNKNOWN' | 'TOO_LARGE' | 'STREAM_DELETED' | 'IN_USE' | 'CLOSED';

/** What the store could not do. A conflict is not an error but an answer of `append`. */
export class EventStoreError extends Error {
  override readonly name = 'EventStoreError';
  constructor(
    readonly code: EventStoreErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
