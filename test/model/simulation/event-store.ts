import {
  EventStoreError,
  NO_STREAM,
  START,
  type AllPage,
  type AppendResult,
  type EventStore,
  type EventValues,
  type JsonObject,
  type NewEvent,
  type ReadAllOptions,
  type ReadStreamOptions,
  type RecordedEvent,
  type Revision,
  type SubscribeTo,
  type SubscriptionBatch,
} from '#event-store';
import type { FaultRates } from './faults.js';
import type { Random } from './random.js';
import type { Scheduler, SimulatedProcess } from './scheduler.js';

const MAX_BATCH_EVENTS = 6;
const MAX_COMMIT_DELAY_MS = 600;

/** What the store holds, once for all processes. */
export class EventStoreServer {
  readonly all: RecordedEvent[] = [];
  private readonly streams = new Map<string, RecordedEvent[]>();

  constructor(
    private readonly clock: () => number,
    private readonly random: Random,
  ) {}

  stream(name: string): readonly RecordedEvent[] {
    return this.streams.get(name) ?? [];
  }

  head(name: string): Revision {
    return this.stream(name).length - 1;
  }

  append(name: string, expected: Revision, events: readonly NewEvent[]): AppendResult {
    if (events.length === 0) return { ok: true, revision: expected, position: START };
    const stream = this.streams.get(name) ?? [];
    const last = expected + events.length;
    if (stream.length - 1 !== expected) {
      const there = events.every(({ id }, index) => stream[expected + 1 + index]?.id === id);
      // A store need not know events again for ever: behind others it may take a repetition for a conflict.
      const known = there && (stream.length - 1 === last || this.random.chance(0.5));
      if (!known) return { ok: false, actual: stream.length - 1 };
      return { ok: true, revision: last, position: stream[last]?.position ?? START, storedAt: stream[last]?.storedAt };
    }
    const storedAt = new Date(this.clock()).toISOString();
    for (const event of events) {
      const { id, type } = event;
      const recorded = {
        id,
        type,
        ...valuesOf(event),
        stream: name,
        revision: stream.length,
        position: positionOf(this.all.length),
        storedAt,
      };
      stream.push(recorded);
      this.all.push(recorded);
    }
    this.streams.set(name, stream);
    return { ok: true, revision: last, position: positionOf(this.all.length - 1), storedAt };
  }
}

/** What comes back from a store is a copy, as JSON has it. */
function valuesOf(event: NewEvent): EventValues {
  const { data, metadata } =
    'json' in event ? event.json : { data: JSON.stringify(event.data), metadata: JSON.stringify(event.metadata) };
  return { data: JSON.parse(data) as JsonObject, metadata: JSON.parse(metadata) as JsonObject };
}

function positionOf(index: number): string {
  return String(index).padStart(10, '0');
}

function indexAfter(position: string): number {
  return position === START ? 0 : Number(position) + 1;
}

/** The store as one process sees it, through a network that loses and delays. */
export class SimulatedEventStore implements EventStore {
  constructor(
    private readonly server: EventStoreServer,
    private readonly scheduler: Scheduler,
    private readonly process: SimulatedProcess,
    private readonly rates: FaultRates,
  ) {}

  append(stream: string, expected: Revision, events: readonly NewEvent[]): Promise<AppendResult> {
    const { random } = this.scheduler;
    const commit = () => this.server.append(stream, expected, events);
    const fails = (code: 'OUTCOME_UNKNOWN' | 'UNAVAILABLE', happens?: () => void) =>
      this.scheduler.failingCall(this.process, happens, new EventStoreError(code, 'a fault of the simulation'));
    if (random.chance(this.rates.lostAcknowledgement)) return fails('OUTCOME_UNKNOWN', commit);
    if (random.chance(this.rates.lateCommit)) {
      const late = () => this.scheduler.later(this.scheduler.network, commit, { afterMs: random.below(MAX_COMMIT_DELAY_MS) });
      return fails('OUTCOME_UNKNOWN', random.chance(0.7) ? late : undefined);
    }
    if (random.chance(this.rates.appendUnavailable)) return fails('UNAVAILABLE');
    return this.scheduler.call(this.process, commit);
  }

  readStream(stream: string, { direction = 'forwards', after, limit }: ReadStreamOptions): Promise<RecordedEvent[]> {
    return this.read(() => {
      const events = this.server.stream(stream);
      if (direction === 'forwards') return events.slice((after ?? NO_STREAM) + 1).slice(0, limit);
      return events
        .slice(0, after ?? events.length)
        .toReversed()
        .slice(0, limit);
    });
  }

  headRevision(stream: string): Promise<Revision> {
    return this.read(() => this.server.head(stream));
  }

  endPosition(): Promise<string> {
    return this.read(() => this.server.all.at(-1)?.position ?? START);
  }

  readAll({ after, streamPrefixes, limit }: ReadAllOptions): Promise<AllPage> {
    return this.read(() => {
      const page = this.server.all.slice(indexAfter(after)).slice(0, limit);
      const position = page.at(-1)?.position ?? after;
      const events = page.filter(({ stream }) => streamPrefixes.some((prefix) => stream.startsWith(prefix)));
      return { events, position, end: indexAfter(position) === this.server.all.length };
    });
  }

  async *subscribe(to: SubscribeTo, signal: AbortSignal): AsyncGenerator<SubscriptionBatch> {
    const wanted = (event: RecordedEvent) =>
      'stream' in to
        ? event.stream === to.stream && event.revision > to.after
        : to.streamPrefixes.some((prefix) => event.stream.startsWith(prefix));
    let next = 'stream' in to ? 0 : indexAfter(to.after);
    while (!signal.aborted) {
      const take = this.scheduler.random.between(1, MAX_BATCH_EVENTS);
      const page = await this.read(
        () => this.server.all.slice(next, next + take),
        () => this.server.all.length > next,
      );
      next += page.length;
      yield { events: page.filter(wanted), position: positionOf(next - 1), caughtUp: next === this.server.all.length };
    }
  }

  ping(): Promise<void> {
    return this.read(() => undefined);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  private read<T>(read: () => T, ready?: () => boolean): Promise<T> {
    if (this.scheduler.random.chance(this.rates.readUnavailable)) {
      return this.scheduler.failingCall(this.process, undefined, new EventStoreError('UNAVAILABLE', 'a fault of the simulation'));
    }
    return this.scheduler.call(this.process, read, ready);
  }
}
