/**
 * How events of a ledger are written and read: metadata, the hash chain over them, and upcasting.
 * hash = SHA-256 over the UTF-8 of: previous hash, revision, event id, type, data, metadata without the hash; data and
 * metadata as canonical JSON (RFC 8785), the parts joined by line feeds. The hash before revision 0 is the empty string.
 */
import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { EVENT_SCHEMA, isLedgerEvent, type EventMetadata, type LedgerEvent, type RecordedLedgerEvent } from '#domain';
import type { JsonObject, NewEvent, RecordedEvent } from '#event-store';

export function canonicalJson(value: unknown): string {
  return canonicalize(value) ?? 'null';
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

export function chainHash(
  previous: string,
  revision: number,
  event: { id: string; type: string },
  data: string,
  metadata: string,
): string {
  return sha256(`${previous}\n${revision}\n${event.id}\n${event.type}\n${data}\n${metadata}`);
}

/** Gives the next event of a ledger its metadata and hash. `bytes` is what it adds to an append, roughly from above. */
export function chainEvent(
  previous: string,
  revision: number,
  id: string,
  event: LedgerEvent,
  metadata: Omit<EventMetadata, 'hash' | 'schema'>,
): { event: RecordedLedgerEvent; bytes: number } {
  const unhashed = { schema: EVENT_SCHEMA, ...metadata };
  const [data, rest] = [canonicalJson(event.data), canonicalJson(unhashed)];
  const hash = chainHash(previous, revision, { id, type: event.type }, data, rest);
  return {
    event: { ...event, id, revision, metadata: { ...unhashed, hash } },
    bytes: Buffer.byteLength(data) + Buffer.byteLength(rest) + 200,
  };
}

export function toNewEvent({ id, type, data, metadata }: RecordedLedgerEvent): NewEvent {
  return {
    id,
    type,
    data: data as unknown as JsonObject,
    metadata: metadata as unknown as JsonObject,
  };
}

/** An event type or schema that this program does not know; a newer one may. */
export class UnknownEvent extends Error {
  override readonly name = 'UnknownEvent';
}

/** Reads an event back, in the shape of today. @throws {UnknownEvent} */
export function readLedgerEvent(recorded: RecordedEvent): RecordedLedgerEvent {
  const metadata = recorded.metadata as unknown as EventMetadata;
  if (!isLedgerEvent(recorded) || typeof metadata.schema !== 'number' || metadata.schema > EVENT_SCHEMA) {
    throw new UnknownEvent(
      `${recorded.stream}@${recorded.revision}: event type ${recorded.type} (schema ${String(metadata.schema)}) is not known to this version`,
    );
  }
  const { type, data, id, revision } = recorded;
  return { type, data, id, revision, metadata } as unknown as RecordedLedgerEvent;
}
