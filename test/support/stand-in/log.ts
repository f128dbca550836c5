/**
 * The log of the stand-in node: all events in the order of their commits, and the streams they belong to. What is written,
 * refused or taken for a repetition is decided here, as EventStoreDB decides it.
 */
import { randomUUID } from 'node:crypto';
import type { LogFile } from './log-file.js';
import { dataOf, DELETED_STREAM, EventEncoder, type Proposal } from './wire.js';

export interface LogEvent {
  readonly stream: string;
  readonly revision: bigint;
  readonly position: number;
  readonly id: string;
  readonly type: string;
  readonly createdMs: number;
  /** `RecordedEvent`, encoded. */
  readonly recorded: Uint8Array;
  /** `ReadResp` with it, encoded. */
  readonly response: Uint8Array;
}

export type Expected = bigint | 'any' | 'noStream' | 'streamExists';

export type AppendOutcome =
  | { kind: 'written'; lastRevision: bigint; position: number; repeated: boolean }
  | { kind: 'wrongExpectedVersion'; current: bigint }
  | { kind: 'streamDeleted' };

export interface StreamMetadata {
  maxCount?: number;
  maxAgeSeconds?: number;
  truncateBefore?: bigint;
}

export interface Stream {
  readonly name: string;
  /** The event of revision n is the n-th. */
  readonly events: LogEvent[];
  tombstoned: boolean;
  metadata: StreamMetadata;
}

export const NO_STREAM = -1n;
export const JSON_CONTENT = 'application/json';
/** A node keeps at least so many ids of newest events, to recognise a repetition that names no revision. */
const RECENT_IDS = 40_000;
/** What a record of the log takes besides names and payloads. */
const RECORD_OVERHEAD_BYTES = 86;
/** The log begins with records that are no events. */
const FIRST_POSITION = 1_103;
const EMPTY = new Uint8Array();

export class EventLog {
  readonly events: LogEvent[] = [];
  readonly #streams = new Map<string, Stream>();
  /** Ids of the newest events, in two generations: when the younger is full, the older is forgotten. */
  #recentIds = new Map<string, LogEvent>();
  #olderIds = new Map<string, LogEvent>();
  readonly #listeners = new Set<() => void>();
  readonly #file: LogFile | undefined;
  #end = FIRST_POSITION;
  readonly #now: () => number;

  /** @param now the node's clock, in milliseconds since 1970. */
  constructor(now: () => number, file?: LogFile) {
    this.#now = now;
    this.#file = file;
    for (const event of file?.load() ?? []) this.#index(event);
    if (this.events.length === 0) this.#writeSystemEvents();
  }

  /** Calls back after every commit. Answers how to stop that. */
  onCommit(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  stream(name: string): Stream | undefined {
    return this.#streams.get(name);
  }

  /** Index of the first event at or after a position. */
  indexOf(position: number): number {
    let low = 0;
    let high = this.events.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.events[middle] as LogEvent).position < position) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Position of the newest event. */
  get lastPosition(): number {
    return (this.events.at(-1) as LogEvent).position;
  }

  /** Whether a reader may start there: at an event, or beyond the end of the log. */
  isReadable(position: number): boolean {
    return position <= 0 || position >= this.#end || this.events[this.indexOf(position)]?.position === position;
  }

  /** Forgets what a node forgets when it starts again. */
  restarted(): void {
    this.#recentIds.clear();
    this.#olderIds.clear();
  }

  close(): void {
    this.#file?.close();
  }

  append(name: string, expected: Expected, proposals: readonly Proposal[]): AppendOutcome {
    const refusalOrRepetition = this.#check(name, expected, proposals);
    if (refusalOrRepetition !== undefined) return refusalOrRepetition;
    const stream = this.#streams.get(name);
    if (stream !== undefined && isSoftDeleted(stream)) this.#undelete(stream);
    const written = this.#write(name, proposals);
    const last = written.at(-1);
    if (last !== undefined) return { kind: 'written', lastRevision: last.revision, position: last.position, repeated: false };
    // An append without events leaves a record in the log all the same.
    const position = this.#end;
    this.#end += RECORD_OVERHEAD_BYTES + name.length;
    return { kind: 'written', lastRevision: this.#lastRevision(name), position, repeated: false };
  }

  /** Hides the events of a stream. It goes on at the next revision when it is written again. */
  softDelete(name: string, expected: Expected): AppendOutcome {
    const refusal = this.#check(name, expected, [deletion()]);
    if (refusal !== undefined) return refusal;
    return this.#writeMetadata(name, { $tb: Number(DELETED_STREAM) });
  }

  /** Deletes a stream for good. */
  tombstone(name: string, expected: Expected): AppendOutcome {
    const refusal = this.#check(name, expected, [deletion()]);
    if (refusal !== undefined) return refusal;
    const [event] = this.#write(name, [deletion()], true);
    const { revision, position } = event as LogEvent;
    return { kind: 'written', lastRevision: revision, position, repeated: false };
  }

  /** Undefined when the append is to be written. */
  #check(name: string, expected: Expected, proposals: readonly Proposal[]): AppendOutcome | undefined {
    const stream = this.#streams.get(name);
    const current = this.#lastRevision(name);
    if (stream?.tombstoned || this.#streams.get(name.replace(/^\$\$/, ''))?.tombstoned) return { kind: 'streamDeleted' };
    if (expected === 'streamExists') {
      if (stream !== undefined && isSoftDeleted(stream)) return { kind: 'streamDeleted' };
      if (current < 0n && this.#lastRevision(`$$${name}`) < 0n) return { kind: 'wrongExpectedVersion', current };
    }
    if (expected === 'any' || expected === 'streamExists') return this.#repetitionOfRecent(name, current, proposals);
    const revision = expected === 'noStream' ? NO_STREAM : expected;
    if (revision > current) return { kind: 'wrongExpectedVersion', current };
    if (revision === current) return undefined;
    return this.#repetitionAfter(stream as Stream, revision, proposals);
  }

  #repetitionOfRecent(name: string, current: bigint, proposals: readonly Proposal[]): AppendOutcome | undefined {
    let last = NO_STREAM;
    for (const [index, { id }] of proposals.entries()) {
      const known = this.#recentIds.get(id) ?? this.#olderIds.get(id);
      if (known?.stream !== name) return index === 0 ? undefined : { kind: 'wrongExpectedVersion', current };
      last = known.revision;
    }
    return proposals.length === 0 ? undefined : this.#repeated(name, last);
  }

  #repetitionAfter(stream: Stream, revision: bigint, proposals: readonly Proposal[]): AppendOutcome | undefined {
    const current = this.#lastRevision(stream.name);
    const first = Number(revision) + 1;
    for (const [index, { id }] of proposals.entries()) {
      if (stream.events[first + index]?.id === id) continue;
      return index === 0 && revision === NO_STREAM && isSoftDeleted(stream)
        ? undefined
        : { kind: 'wrongExpectedVersion', current };
    }
    if (proposals.length === 0) return { kind: 'wrongExpectedVersion', current };
    return this.#repeated(stream.name, revision + BigInt(proposals.length));
  }

  #repeated(name: string, lastRevision: bigint): AppendOutcome {
    const position = this.#streams.get(name)?.events[Number(lastRevision)]?.position ?? 0;
    return { kind: 'written', lastRevision, position, repeated: true };
  }

  #lastRevision(name: string): bigint {
    return BigInt((this.#streams.get(name)?.events.length ?? 0) - 1);
  }

  #undelete(stream: Stream): void {
    const { maxCount, maxAgeSeconds } = stream.metadata;
    this.#writeMetadata(stream.name, { $maxCount: maxCount, $maxAge: maxAgeSeconds, $tb: stream.events.length });
  }

  #writeMetadata(name: string, metadata: Record<string, number | undefined>): AppendOutcome {
    // 2^63 − 1 cannot be written by JSON.stringify without loss.
    const json = JSON.stringify(metadata).replace(/9223372036854776000/, String(DELETED_STREAM));
    const [event] = this.#write(`$$${name}`, [jsonProposal('$metadata', json)]);
    const { revision, position } = event as LogEvent;
    return { kind: 'written', lastRevision: revision, position, repeated: false };
  }

  #write(name: string, proposals: readonly Proposal[], tombstone = false): LogEvent[] {
    const createdMs = this.#now();
    const first = this.#lastRevision(name) + 1n;
    const encoder = new EventEncoder(name, createdMs);
    let position = this.#end;
    const written = proposals.map((proposal, index) => {
      const revision = tombstone ? DELETED_STREAM : first + BigInt(index);
      const { id, type } = proposal;
      const encoded = encoder.encode(proposal, revision, position);
      const event = { stream: name, revision, position, id, type, createdMs, ...encoded };
      position = endOf(event);
      return event;
    });
    // What cannot be kept is not committed: the file comes first.
    if (written.length > 0) this.#file?.write(written);
    for (const event of written) this.#index(event);
    for (const listener of this.#listeners) listener();
    return written;
  }

  #index(event: LogEvent): void {
    let stream = this.#streams.get(event.stream);
    if (stream === undefined) {
      stream = { name: event.stream, events: [], tombstoned: false, metadata: {} };
      this.#streams.set(event.stream, stream);
    }
    this.events.push(event);
    this.#end = endOf(event);
    this.#remember(event);
    if (event.revision === DELETED_STREAM) stream.tombstoned = true;
    else stream.events.push(event);
    if (event.stream.startsWith('$$')) this.#applyMetadata(event);
  }

  #remember(event: LogEvent): void {
    this.#recentIds.set(event.id, event);
    if (this.#recentIds.size < RECENT_IDS) return;
    this.#olderIds = this.#recentIds;
    this.#recentIds = new Map();
  }

  #applyMetadata(event: LogEvent): void {
    const name = event.stream.slice(2);
    const stream = this.#streams.get(name) ?? { name, events: [], tombstoned: false, metadata: {} };
    this.#streams.set(name, stream);
    stream.metadata = metadataOf(event);
  }

  /** A node writes events of its own when it starts for the first time; whoever reads everything meets them. */
  #writeSystemEvents(): void {
    this.#write('$$$settings', [jsonProposal('$metadata', '{"$acl":{"$r":"$admins"}}')]);
    this.#write('$user-admin', [jsonProposal('$UserCreated', '{"loginName":"admin"}')]);
    this.#write('$users', [jsonProposal('$User', '"admin"')]);
  }
}

export function isSoftDeleted(stream: Stream): boolean {
  return stream.metadata.truncateBefore === DELETED_STREAM;
}

function metadataOf(event: LogEvent): StreamMetadata {
  try {
    const text = dataOf(event.recorded);
    // JSON.parse has no such number, and it is the only one beyond 2^53 that means something.
    const softDeleted = new RegExp(`"\\$tb"\\s*:\\s*${DELETED_STREAM}`).test(text);
    const { $maxCount, $maxAge, $tb } = JSON.parse(text) as { $maxCount?: number; $maxAge?: number; $tb?: number };
    const truncateBefore = softDeleted ? DELETED_STREAM : $tb === undefined ? undefined : BigInt($tb);
    return { maxCount: $maxCount, maxAgeSeconds: $maxAge, truncateBefore };
  } catch {
    // A node takes any metadata, and goes by none that it cannot read.
    return {};
  }
}

function endOf({ position, recorded }: LogEvent): number {
  return position + RECORD_OVERHEAD_BYTES + recorded.length;
}

function jsonProposal(type: string, json: string): Proposal {
  return { id: randomUUID(), type, contentType: JSON_CONTENT, data: Buffer.from(json), metadata: EMPTY };
}

function deletion(): Proposal {
  return { id: randomUUID(), type: '$streamDeleted', contentType: 'application/octet-stream', data: EMPTY, metadata: EMPTY };
}
