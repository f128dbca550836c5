import {
  EventStoreError,
  MAX_APPEND_BYTES,
  MAX_APPEND_EVENTS,
  MAX_PAGE_EVENTS,
  NO_STREAM,
  type NewEvent,
  type Revision,
} from './port.js';

/** An event as text, ready to be handed to a store or to another thread. */
export interface SerializedEvent {
  id: string;
  type: string;
  data: string;
  metadata: string;
}

export interface SerializedAppend {
  events: SerializedEvent[];
  bytes: number;
}

/** What every adapter does with an append first. @throws {EventStoreError} `TOO_LARGE` */
export function serializeAppend(events: readonly NewEvent[]): SerializedAppend {
  if (events.length > MAX_APPEND_EVENTS) {
    throw new EventStoreError('TOO_LARGE', `An append of ${events.length} events: at most ${MAX_APPEND_EVENTS}`);
  }
  let bytes = 0;
  const serialized = events.map(({ id, type, data, metadata, json }) => {
    const event = { id, type, data: json?.data ?? JSON.stringify(data), metadata: json?.metadata ?? JSON.stringify(metadata) };
    bytes += Buffer.byteLength(type) + Buffer.byteLength(event.data) + Buffer.byteLength(event.metadata);
    return event;
  });
  if (bytes > MAX_APPEND_BYTES) {
    throw new EventStoreError('TOO_LARGE', `An append of ${bytes} bytes: at most ${MAX_APPEND_BYTES}`);
  }
  return { events: serialized, bytes };
}

/** @throws {RangeError} for a page size that no store may be asked for. */
export function requirePageLimit(limit: number): void {
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_PAGE_EVENTS) {
    throw new RangeError(`A page of ${limit} events: from 1 to ${MAX_PAGE_EVENTS}`);
  }
}

/** @throws {RangeError} for what is neither a revision nor `NO_STREAM`. */
export function requireRevision(revision: Revision): void {
  if (!Number.isSafeInteger(revision) || revision < NO_STREAM) {
    throw new RangeError(`${revision} is not a revision`);
  }
}
