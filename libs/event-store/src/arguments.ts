import {
  EventStoreError,
  MAX_APPEND_BYTES,
  MAX_APPEND_EVENTS,
  MAX_PAGE_EVENTS,
  NO_STREAM,
  type EventJson,
  type NewEvent,
  type Revision,
} from './port.js';

/** The events of an append as text, by columns. */
export interface SerializedAppend {
  ids: string[];
  types: string[];
  data: string[];
  metadata: string[];
  /** At least as many as there are, and at most three times as many. */
  bytes: number;
}

/** UTF-8 needs at most so many bytes for what is one unit of a string. */
const MAX_BYTES_OF_UNIT = 3;

/** What every adapter does with an append first. @throws {EventStoreError} `TOO_LARGE` */
export function serializeAppend(events: readonly NewEvent[]): SerializedAppend {
  if (events.length > MAX_APPEND_EVENTS) {
    throw new EventStoreError('TOO_LARGE', `An append of ${events.length} events: at most ${MAX_APPEND_EVENTS}`);
  }
  const serialized: SerializedAppend = { ids: [], types: [], data: [], metadata: [], bytes: 0 };
  for (const event of events) {
    const { id, type } = event;
    const texts = jsonOf(event);
    serialized.ids.push(id);
    serialized.types.push(type);
    serialized.data.push(texts.data);
    serialized.metadata.push(texts.metadata);
    serialized.bytes += MAX_BYTES_OF_UNIT * (type.length + texts.data.length + texts.metadata.length);
  }
  // They are counted exactly only where it matters, which is seldom.
  if (serialized.bytes > MAX_APPEND_BYTES) serialized.bytes = countBytes(serialized);
  if (serialized.bytes > MAX_APPEND_BYTES) {
    throw new EventStoreError('TOO_LARGE', `An append of ${serialized.bytes} bytes: at most ${MAX_APPEND_BYTES}`);
  }
  return serialized;
}

function jsonOf(event: NewEvent): EventJson {
  if ('json' in event && event.json !== undefined) return event.json;
  if (!('data' in event)) throw new Error(`broken invariant: event ${event.id} has neither values nor JSON`);
  return { data: JSON.stringify(event.data), metadata: JSON.stringify(event.metadata) };
}

function countBytes({ types, data, metadata }: SerializedAppend): number {
  return [...types, ...data, ...metadata].reduce((sum, text) => sum + Buffer.byteLength(text), 0);
}

/** @throws {RangeError} for a page size that no store may be asked for. */
export function requirePageLimit(limit: number): void {
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_PAGE_EVENTS) {
    throw new RangeError(`A page of ${limit} events: from 1 to ${MAX_PAGE_EVENTS}`);
  }
}

/** @throws {RangeError} for no prefix at all: nobody follows nothing. */
export function requirePrefixes(prefixes: readonly string[]): void {
  if (prefixes.length === 0) throw new RangeError('At least one prefix of streams');
}

/** @throws {RangeError} for what is neither a revision nor `NO_STREAM`. */
export function requireRevision(revision: Revision): void {
  if (!Number.isSafeInteger(revision) || revision < NO_STREAM) {
    throw new RangeError(`${revision} is not a revision`);
  }
}
