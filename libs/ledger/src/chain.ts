/**
 * How events of a ledger are written and read: metadata, the hash chain over them, and upcasting.
 * hash = SHA-256 over the UTF-8 of: previous hash, revision, event id, type, data, metadata without the hash; data and
 * metadata as canonical JSON (RFC 8785), the parts joined by line feeds. The hash before revision 0 is the empty string.
 */
import { hash as digest } from 'node:crypto';
import canonicalize from 'canonicalize';
import { EVENT_SCHEMA, isLedgerEvent, type EventMetadata, type LedgerEvent, type RecordedLedgerEvent } from '#domain';
import type { JsonObject, NewEvent, RecordedEvent } from '#event-store';

/**
 * Canonical JSON. For an object of scalars, as nearly all events and metadata are, sorted members and the platform's own
 * serialisation give exactly RFC 8785, several times faster than the walk that anything nested takes.
 */
export function canonicalJson(value: unknown): string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return canonicalize(value) ?? 'null';
  const members = value as Record<string, unknown>;
  const sorted: Record<string, unknown> = {};
  for (const key of Object.keys(members).sort()) {
    const member = members[key];
    if (isDigit(key) || !isPlain(member)) return canonicalize(value) ?? 'null';
    sorted[key] = member;
  }
  return JSON.stringify(sorted);
}

/** Integers as keys come first in every object, whatever their order in it was. */
function isDigit(key: string): boolean {
  const first = key.charCodeAt(0);
  return !(first > 57 || first < 48);
}

function isPlain(member: unknown): boolean {
  if (typeof member === 'object') return member === null || isEmpty(member);
  return typeof member !== 'number' || Number.isFinite(member);
}

function isEmpty(member: object): boolean {
  for (const _ in member) return false;
  return Object.getPrototypeOf(member) === Object.prototype;
}

export function sha256(text: string): string {
  return digest('sha256', text, 'hex');
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
  const chained: EventMetadata = { schema: EVENT_SCHEMA, ...metadata, hash: '' };
  const { hash: _, ...unhashed } = chained;
  const [data, rest] = [canonicalJson(event.data), canonicalJson(unhashed)];
  chained.hash = chainHash(previous, revision, { id, type: event.type }, data, rest);
  const recorded = { type: event.type, data: event.data, id, revision, metadata: chained } as RecordedLedgerEvent;
  serialized.set(recorded, { data, metadata: `${rest.slice(0, -1)},"hash":"${chained.hash}"}` });
  return { event: recorded, bytes: Buffer.byteLength(data) + Buffer.byteLength(rest) + 200 };
}

/** The JSON that the hash was made over, so that a store that keeps text need not make it again. */
const serialized = new WeakMap<RecordedLedgerEvent, { data: string; metadata: string }>();

export function toNewEvent(event: RecordedLedgerEvent): NewEvent {
  const { id, type, data, metadata } = event;
  return {
    json: serialized.get(event),
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
