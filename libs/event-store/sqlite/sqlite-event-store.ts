import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  EventStoreError,
  NO_STREAM,
  START,
  type AllPage,
  type AppendResult,
  type EventStore,
  type NewEvent,
  type Position,
  type ReadAllOptions,
  type ReadStreamOptions,
  type RecordedEvent,
  type Revision,
  type StoredText,
  type SubscribeTo,
  type SubscriptionBatch,
} from '#event-store';
import { messageOf, type SqliteDatabase } from '#sqlite';
import { requirePageLimit, requirePrefixes, requireRevision, serializeAppend } from '../src/arguments.js';
import type { AppendAnswer } from './append-log.js';
import type { Appender } from './appender.js';
import type { ChangeSignal } from './change-signal.js';
import { EventReader, formatPosition, formatTime, parsePosition } from './event-reader.js';
import { cursorFor, follow } from './subscription.js';

/** Reading is synchronous: after so many events, or bytes, the event loop has its turn before the page goes on. */
const MAX_READ_EVENTS = 512;
const MAX_READ_BYTES = 1_048_576;

export interface SqliteEventStoreParts {
  db: SqliteDatabase;
  appender: Appender;
  changes: ChangeSignal;
  clock: () => number;
  /** Called last when the store closes. */
  release: () => void;
}

/** The port on one SQLite database. `openSqliteEventStore` puts it together. */
export class SqliteEventStore implements EventStore {
  readonly #parts: SqliteEventStoreParts;
  readonly #reader: EventReader;
  readonly #subscriptions = new Set<AbortController>();
  #closed: Promise<void> | undefined;

  constructor(parts: SqliteEventStoreParts) {
    this.#parts = parts;
    this.#reader = new EventReader(parts.db);
  }

  async append(stream: string, expected: Revision, events: readonly NewEvent[]): Promise<AppendResult> {
    this.#requireOpen();
    requireRevision(expected);
    if (events.length === 0) return { ok: true, revision: expected, position: START };
    const serialized = serializeAppend(events);
    const { appender, clock } = this.#parts;
    return toResult(await appender.append({ stream, expected, storedAt: clock(), ...serialized }));
  }

  async readStream(stream: string, { direction, after, limit }: ReadStreamOptions): Promise<RecordedEvent[]> {
    requirePageLimit(limit);
    const backwards = direction === 'backwards';
    const events: RecordedEvent[] = [];
    for (;;) {
      const from = events.at(-1)?.revision ?? after ?? (backwards ? Number.MAX_SAFE_INTEGER : NO_STREAM);
      const wanted = Math.min(MAX_READ_EVENTS, limit - events.length);
      const size = { limit: wanted, maxBytes: MAX_READ_BYTES };
      const part = this.#read(() => this.#reader.ofStream(stream, backwards, from, size));
      events.push(...part.events);
      if (part.end || events.length === limit) return events;
      await nextTurn();
    }
  }

  async readTexts(stream: string, after: Revision, limit: number): Promise<StoredText[]> {
    requirePageLimit(limit);
    return this.#read(() => this.#reader.textsOfStream(stream, after, Math.min(MAX_READ_EVENTS, limit), MAX_READ_BYTES));
  }

  async headRevision(stream: string): Promise<Revision> {
    return this.#read(() => this.#reader.headRevision(stream));
  }

  async endPosition(): Promise<Position> {
    return this.#read(() => this.#reader.endPosition());
  }

  async readAll({ after, streamPrefixes, limit }: ReadAllOptions): Promise<AllPage> {
    requirePageLimit(limit);
    requirePrefixes(streamPrefixes);
    parsePosition(after);
    const wanted = Math.min(MAX_READ_EVENTS, limit);
    const page = this.#read(() => this.#reader.everything(after, streamPrefixes, wanted, MAX_READ_BYTES));
    if (!page.end) await nextTurn();
    return page;
  }

  async *subscribe(to: SubscribeTo, signal: AbortSignal): AsyncGenerator<SubscriptionBatch, void, undefined> {
    this.#requireOpen();
    if ('stream' in to) requireRevision(to.after);
    else {
      requirePrefixes(to.streamPrefixes);
      parsePosition(to.after);
    }
    const ended = new AbortController();
    const end = () => ended.abort();
    if (signal.aborted) end();
    signal.addEventListener('abort', end);
    this.#subscriptions.add(ended);
    try {
      yield* follow(cursorFor(to, this.#reader), this.#parts.changes, ended.signal);
    } catch (error) {
      throw unreadable(error);
    } finally {
      signal.removeEventListener('abort', end);
      this.#subscriptions.delete(ended);
    }
  }

  async ping(): Promise<void> {
    this.#read(() => this.#reader.ping());
    await this.#parts.appender.ping();
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const { appender, changes, db, release } = this.#parts;
    for (const subscription of this.#subscriptions) subscription.abort();
    try {
      await appender.close();
    } finally {
      changes.close();
      db.close();
      release();
    }
  }

  #read<T>(read: () => T): T {
    this.#requireOpen();
    try {
      return read();
    } catch (error) {
      throw unreadable(error);
    }
  }

  #requireOpen(): void {
    if (this.#closed !== undefined) throw new EventStoreError('CLOSED', 'The event store is closed');
  }
}

function unreadable(error: unknown): EventStoreError {
  return new EventStoreError('UNAVAILABLE', `The events cannot be read: ${messageOf(error)}`, { cause: error });
}

function toResult(answer: AppendAnswer): AppendResult {
  switch (answer.outcome) {
    case 'stands': {
      const { revision, position, storedAt } = answer;
      return { ok: true, revision, position: formatPosition(position), storedAt: formatTime(storedAt) };
    }
    case 'conflict':
      return { ok: false, actual: answer.actual };
    case 'failed':
      throw new EventStoreError(answer.code, answer.message);
  }
}
