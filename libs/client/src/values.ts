/** The values that calls are made of, and how they are written for the wire: ids, instants, paths and queries. */
import { LedgerError } from './errors.js';

export type JsonValue = string | number | boolean | null | JsonValue[] | { [key: string]: JsonValue };
export type JsonObject = { [key: string]: JsonValue };

/** A record id, external id or binding id. Safe integers are sent as their decimal digits; `0` is a valid id. Answers hold strings only. */
export type Id = string | number;

/** An instant: a `Date`, or ISO 8601 **with zone**. The ledger keeps milliseconds in UTC; answers hold strings such as `2026-03-03T09:30:00.000Z`. */
export type Instant = string | Date;

type QueryValue = string | number | boolean;
/** Query parameters; `undefined` ones are left out, a list is the parameter several times. */
export type Query = Record<string, QueryValue | readonly QueryValue[] | undefined>;

const ID_MEMBERS = ['recordId', 'externalId', 'fromRecordId', 'toRecordId', 'bindingId'];

/**
 * An id for a request body. Other finite numbers go as they are, so that the ledger refuses them with its own words;
 * `NaN` and infinities would become JSON's `null`, which means something else, and are refused here.
 */
export function idForBody(id: Id): Id {
  if (typeof id === 'string') return id;
  if (Number.isSafeInteger(id)) return String(id);
  if (Number.isFinite(id)) return id;
  throw invalidId(id, 'is not a safe integer');
}

/** An id as text, for a path or query. @throws {LedgerError} `INVALID_ID` for what no ledger would take. */
export function idAsText(id: Id): string {
  if (typeof id === 'string') return id;
  if (Number.isSafeInteger(id)) return String(id);
  throw invalidId(id, 'is not a safe integer');
}

export function instantAsText(instant: Instant): string {
  if (typeof instant === 'string') return instant;
  if (Number.isNaN(instant.getTime())) throw LedgerError.local('INVALID_SYNC_DATE', 'the Date is invalid');
  return instant.toISOString();
}

/** A request body or command as the wire has it: ids as strings, instants as ISO 8601. */
export function toWire(request: object): Record<string, unknown> {
  const wire: Record<string, unknown> = { ...request };
  for (const member of ID_MEMBERS) {
    const id = wire[member];
    if (typeof id === 'number') wire[member] = idForBody(id);
  }
  if (wire['syncDate'] instanceof Date) wire['syncDate'] = instantAsText(wire['syncDate']);
  return wire;
}

/**
 * A path with its ids percent-encoded: path`/v1/backends/${id}`.
 * URLs swallow the segments `.` and `..` however they are encoded, and an empty one would name another resource, so
 * these, which are no valid ids either, are refused here. @throws {LedgerError} `INVALID_ID`
 */
export function path(parts: TemplateStringsArray, ...ids: Id[]): string {
  return parts.reduce((text, part, index) => text + encodeSegment(ids[index - 1]!) + part);
}

function encodeSegment(id: Id): string {
  const text = idAsText(id);
  if (text === '' || text === '.' || text === '..') throw invalidId(text, 'is not an id');
  try {
    return encodeURIComponent(text);
  } catch {
    throw invalidId(text, 'has a lone surrogate');
  }
}

/** `?a=1&b=2`, or nothing when every parameter is `undefined`. */
export function queryText(query: Query): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) for (const each of [value].flat()) parameters.append(name, String(each));
  }
  return parameters.size === 0 ? '' : `?${parameters.toString()}`;
}

function invalidId(id: Id, why: string): LedgerError {
  return LedgerError.local('INVALID_ID', `${typeof id === 'string' ? JSON.stringify(id) : String(id)} ${why}`);
}
