import { BACKWARDS, END, FORWARDS, START as CLIENT_START, type EventStoreDBClient } from '@eventstore/db-client';
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
  type SubscribeTo,
  type SubscriptionBatch,
} from '#event-store';
import { requirePageLimit, requirePrefixes, requireRevision, serializeAppend } from '../src/arguments.js';
import type { Appends } from './appends.js';
import { readFailure } from './errors.js';
import type { LiveTimes } from './live.js';
import { readPage } from './page.js';
import { formatPosition, parsePosition } from './positions.js';
import { collect, onLeader } from './reads.js';
import { toRecorded } from './recorded.js';
import { AllSource, StreamSource, type Source } from './sources.js';
import { StampSampler } from './stamps.js';
import { follow } from './subscription.js';

export interface EventStoreDbParts {
  client: EventStoreDBClient;
  appends: Appends;
  /** A call that gives nothing for so long is given up. */
  deadlineMs: number;
  times: LiveTimes;
  clock: () => number;
  /** Called last when the store closes. */
  release: () => Promise<void>;
}

/** The port on a node or cluster of EventStoreDB. `openEventStoreDb` puts it together. */
export class EventStoreDbEventStore implements EventStore {
  readonly #parts: EventStoreDbParts;
  readonly #stamps: StampSampler;
  readonly #closing = new AbortController();
  readonly #appending = new Set<Promise<unknown>>();
  #closed: Promise<void> | undefined;

  constructor(parts: EventStoreDbParts) {
    this.#parts = parts;
    this.#stamps = new StampSampler(parts.clock, (stream, revision) => this.#readOne(stream, revision));
  }

  async append(stream: string, expected: Revision, events: readonly NewEvent[]): Promise<AppendResult> {
    this.#requireOpen();
    requireRevision(expected);
    if (events.length === 0) return { ok: true, revision: expected, position: START };
    const appending = this.#append(stream, expected, events);
    this.#appending.add(appending);
    try {
      return await appending;
    } finally {
      this.#appending.delete(appending);
    }
  }

  async readStream(stream: string, { direction, after, limit }: ReadStreamOptions): Promise<RecordedEvent[]> {
    this.#requireOpen();
    requirePageLimit(limit);
    if (direction !== 'backwards') return this.#read(stream, FORWARDS, BigInt((after ?? NO_STREAM) + 1), limit);
    if (after === undefined) return this.#read(stream, BACKWARDS, END, limit);
    return after <= 0 ? [] : this.#read(stream, BACKWARDS, BigInt(after - 1), limit);
  }

  async headRevision(stream: string): Promise<Revision> {
    this.#requireOpen();
    const [newest] = await this.#read(stream, BACKWARDS, END, 1);
    return newest?.revision ?? NO_STREAM;
  }

  async endPosition(): Promise<Position> {
    this.#requireOpen();
    const { client, deadlineMs } = this.#parts;
    const [newest] = await this.#failing(() =>
      collect(client.readAll({ direction: BACKWARDS, fromPosition: END, maxCount: 1, requiresLeader: true }), deadlineMs),
    );
    return newest?.event?.position === undefined ? START : formatPosition(newest.event.position);
  }

  async readAll({ after, streamPrefixes, limit }: ReadAllOptions): Promise<AllPage> {
    this.#requireOpen();
    requirePageLimit(limit);
    requirePrefixes(streamPrefixes);
    parsePosition(after);
    const end = await this.endPosition();
    if (end <= after) return { events: [], position: after, end: true };
    const { deadlineMs } = this.#parts;
    return this.#failing(() => readPage(this.#all(streamPrefixes, after), limit, deadlineMs, this.#closing.signal));
  }

  async *subscribe(to: SubscribeTo, signal: AbortSignal): AsyncGenerator<SubscriptionBatch, void, undefined> {
    this.#requireOpen();
    const source = this.#sourceOf(to);
    yield* follow(source, this.#parts.times, AbortSignal.any([signal, this.#closing.signal]));
  }

  async ping(): Promise<void> {
    await this.endPosition();
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #append(stream: string, expected: Revision, events: readonly NewEvent[]): Promise<AppendResult> {
    const result = await this.#parts.appends.append(stream, expected, serializeAppend(events));
    if (!result.ok) return result;
    return { ...result, storedAt: await this.#stamps.stampOf(stream, result.revision, events.at(-1)?.id) };
  }

  /** From a revision on, which is included. */
  #read(
    stream: string,
    direction: typeof FORWARDS | typeof BACKWARDS,
    fromRevision: bigint | typeof END,
    maxCount: number,
  ): Promise<RecordedEvent[]> {
    const { client, deadlineMs } = this.#parts;
    const from = fromRevision === 0n && direction === FORWARDS ? CLIENT_START : fromRevision;
    return this.#failing(async () => {
      const read = client.readStream(stream, { direction, fromRevision: from, maxCount, requiresLeader: true });
      return (await collect(read, deadlineMs)).map(toRecorded).filter((event) => event !== undefined);
    });
  }

  async #readOne(stream: string, revision: Revision): Promise<RecordedEvent | undefined> {
    return (await this.#read(stream, FORWARDS, BigInt(revision), 1))[0];
  }

  #sourceOf(to: SubscribeTo): Source {
    if ('stream' in to) {
      requireRevision(to.after);
      return new StreamSource(this.#parts.client, (stream) => this.headRevision(stream), to.stream, to.after);
    }
    requirePrefixes(to.streamPrefixes);
    parsePosition(to.after);
    return this.#all(to.streamPrefixes, to.after);
  }

  #all(prefixes: readonly string[], after: Position): AllSource {
    return new AllSource(this.#parts.client, () => this.endPosition(), prefixes, after);
  }

  async #failing<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await onLeader(call);
    } catch (error) {
      throw readFailure(error);
    }
  }

  async #close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#appending);
    await this.#parts.release();
  }

  #requireOpen(): void {
    if (this.#closed !== undefined) throw new EventStoreError('CLOSED', 'The event store is closed');
  }
}
