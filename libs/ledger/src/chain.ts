/**
 * How events of a ledger are written and read: metadata, the hash chain over them, and upcasting.
 * hash = SHA-256 over the UTF-8 of: previous hash, revision, event id, type, data, metadata without the hash; data and
 * metadata as canonical JSON (RFC 8785), the parts joined by line feeds. The hash before revision 0 is the empty string.
 */
import { hash as digest } from 'node:crypto';
import canonicalize from 'canonicalize';
import {
  EVENT_SCHEMA,
  isBindingEvent,
  isLedgerEvent,
  type EventMetadata,
  type LedgerEvent,
  type RecordedLedgerEvent,
  type RequestContext,
} from '#domain';
import type { EventJson, EventValues, JsonObject, NewEvent, RecordedEvent } from '#event-store';

/**
 * Canonical JSON. Where the members of every object stand in their order already, the platform's own serialisation is exactly
 * RFC 8785, several times faster than sorting them: that is why events and metadata are made in that order.
 */
export function canonicalJson(value: unknown): string {
  if (isInOrder(value)) return JSON.stringify(value);
  const sorted = sortedMembers(value);
  return isInOrder(sorted) ? JSON.stringify(sorted) : (canonicalize(value) ?? 'null');
}

/** The members of an object, sorted; integers as keys stay in front all the same. */
function sortedMembers(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** True for plain JSON all of whose objects have their members in the order of RFC 8785, by UTF-16 code units. */
function isInOrder(value: unknown): boolean {
  if (typeof value !== 'object') return typeof value === 'number' ? Number.isFinite(value) : PLAIN.has(typeof value);
  if (value === null) return true;
  if (Array.isArray(value)) return value.every(isInOrder);
  let before: string | undefined;
  for (const key in value) {
    if ((before !== undefined && key <= before) || !isInOrder(value[key as never])) return false;
    before = key;
  }
  return Object.getPrototypeOf(value) === Object.prototype;
}

const PLAIN: ReadonlySet<string> = new Set(['string', 'boolean']);

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

/** An event's metadata before it has its place in the chain, and the same as canonical JSON. */
export interface UnchainedMetadata {
  fields: Omit<EventMetadata, 'hash'>;
  json: string;
  /** The same, up to where the hash follows. */
  jsonBeforeHash: string;
  bytes: number;
}

/** Members in the order of canonical JSON. `details` has what the command says: direction, idempotency and reason. */
export function metadataOf(
  { actor, causationId, correlationId, onBehalfOf }: RequestContext,
  at: string,
  details: Pick<EventMetadata, 'direction' | 'idempotency' | 'reason'> = {},
): UnchainedMetadata {
  const fields: Record<string, unknown> = { actor, at };
  if (causationId !== undefined) fields['causationId'] = causationId;
  fields['correlationId'] = correlationId;
  if (details.direction !== undefined) fields['direction'] = details.direction;
  if (details.idempotency !== undefined) fields['idempotency'] = details.idempotency;
  if (onBehalfOf !== undefined) fields['onBehalfOf'] = onBehalfOf;
  if (details.reason !== undefined) fields['reason'] = details.reason;
  fields['schema'] = EVENT_SCHEMA;
  const json = canonicalJson(fields);
  return {
    fields: fields as unknown as Omit<EventMetadata, 'hash'>,
    json,
    jsonBeforeHash: `${json.slice(0, -1)},"hash":"`,
    bytes: Buffer.byteLength(json),
  };
}

/** An event of a ledger with the JSON of it. `fields`: its metadata, with or without the hash. */
export type WrittenEvent = LedgerEvent & { revision: number; fields: UnchainedMetadata['fields']; json: EventJson };

/** An event in its place in the chain. An append takes the JSON that its hash was made over. */
export type ChainedEvent = RecordedLedgerEvent & WrittenEvent & { hash: string; bytes: number };

class Chained {
  constructor(
    readonly id: string,
    readonly revision: number,
    readonly type: string,
    readonly data: LedgerEvent['data'],
    readonly fields: UnchainedMetadata['fields'],
    readonly hash: string,
    readonly json: EventJson,
    /** What it adds to an append, roughly from above. */
    readonly bytes: number,
  ) {}

  /** Put together only where somebody asks: most events share the fields with those around them. */
  get metadata(): EventMetadata {
    return { ...this.fields, hash: this.hash };
  }
}

/** Gives the next event of a ledger its metadata and hash. */
export function chainEvent(
  previous: string,
  revision: number,
  id: string,
  { type, data }: LedgerEvent,
  { fields, json, jsonBeforeHash, bytes }: UnchainedMetadata,
): ChainedEvent {
  const dataJson = canonicalJson(data);
  const hash = chainHash(previous, revision, { id, type }, dataJson, json);
  const texts = { data: dataJson, metadata: `${jsonBeforeHash}${hash}"}` };
  const size = Buffer.byteLength(dataJson) + bytes + 200;
  return new Chained(id, revision, type, data, fields, hash, texts, size) as unknown as ChainedEvent;
}

/** An event that was read, as those that are to be written. */
export function writtenEvent(event: RecordedLedgerEvent): WrittenEvent {
  const { type, data, revision, metadata } = event;
  const json = { data: JSON.stringify(data), metadata: JSON.stringify(metadata) };
  return { type, data, revision, fields: metadata, json } as WrittenEvent;
}

/** As `readLedgerEvent`, for who decides by it: what does not say which binding it is of cannot be decided by. @throws {UnknownEvent} */
export function readForDeciding(recorded: RecordedEvent): RecordedLedgerEvent {
  const { stream, revision } = recorded;
  if (!isObject(recorded.data) || !isObject(recorded.metadata))
    throw new UnknownEvent(`${stream}@${revision}: its data or metadata is no object`);
  const event = readLedgerEvent(recorded);
  if (!isBindingEvent(event)) return event;
  const { bindingId, recordId, externalId, version } = event.data;
  const whole = typeof bindingId === 'string' && typeof recordId === 'string' && Number.isInteger(version);
  if (whole && (externalId === null || typeof externalId === 'string')) return event;
  throw new UnknownEvent(`${stream}@${revision}: a ${event.type} that does not say who is bound to what`);
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

export function toNewEvent({ id, type, data, metadata }: RecordedLedgerEvent): NewEvent & EventValues {
  return { id, type, data: data as unknown as JsonObject, metadata: metadata as unknown as JsonObject };
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
