/** The values that everything is made of: names, ids, instants and data, each with the rule that admits it. */

export type JsonValue = string | number | boolean | null | JsonValue[] | { [key: string]: JsonValue };
export type JsonObject = { [key: string]: JsonValue };

/** A value that was admitted, or why it was not. */
export type Parsed<T> = { value: T; problem?: undefined } | { problem: string };

export const MAX_NAME_LENGTH = 100;
export const MAX_ID_BYTES = 512;
export const MAX_DATA_BYTES = 65_536;
export const MAX_DATA_DEPTH = 16;
export const MAX_REASON_LENGTH = 500;
/** A sync date further ahead of the clock than this is refused: one fast clock would freeze the binding. */
export const MAX_SYNC_DATE_AHEAD_MS = 5 * 60_000;

const NAME = /^[a-z][a-z0-9_.]*(-[a-z0-9_.]+)*$/;
/** Neither they nor surrogates that stand alone survive a journey through other systems. */
const CONTROL_CHARACTER = /\p{Cc}/u;
const INSTANT = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(Z|[+-]\d\d(?::?\d\d)?)$/i;

/** Backend ids, backend types and model names: they become parts of stream names, so `/` is not among their letters. */
export function parseName(value: unknown): Parsed<string> {
  if (typeof value !== 'string') return { problem: 'a name is a string' };
  if (value.length > MAX_NAME_LENGTH) return { problem: `a name has at most ${MAX_NAME_LENGTH} characters` };
  if (!NAME.test(value))
    return {
      problem: 'a name begins with a letter and has only a-z, 0-9, "_", "." and single "-"',
    };
  return { value };
}

/**
 * Record ids and external ids: strings, compared byte by byte and never normalised. Safe integers are taken as their
 * decimal digits, because half of all systems number their rows; `0` is such an id.
 */
export function parseId(value: unknown): Parsed<string> {
  if (typeof value === 'number') {
    return Number.isSafeInteger(value) ? { value: String(value) } : { problem: 'a number is an id only if it is a safe integer' };
  }
  if (typeof value !== 'string') return { problem: 'an id is a string or a safe integer' };
  if (value === '' || value === '.' || value === '..') return { problem: `${JSON.stringify(value)} is not an id` };
  if (CONTROL_CHARACTER.test(value) || !value.isWellFormed())
    return { problem: 'an id has no control characters and no lone surrogates' };
  if (exceedsBytes(value, MAX_ID_BYTES)) return { problem: `an id has at most ${MAX_ID_BYTES} bytes of UTF-8` };
  return { value };
}

/** An instant with a zone, as UTC with milliseconds; finer digits are cut off. */
export function parseInstant(value: unknown): Parsed<string> {
  const match = typeof value === 'string' ? INSTANT.exec(value) : null;
  if (!match) return { problem: 'a date is ISO 8601 with a zone, such as 2026-03-03T09:30:00Z' };
  const [, year, month, day, hour, minute, second = '00', fraction = '', zone = 'Z'] = match;
  const utc = Date.UTC(
    Number(year),
    Number(month) - 1,
    Number(day),
    Number(hour),
    Number(minute),
    Number(second),
    Number(fraction.padEnd(3, '0').slice(0, 3)),
  );
  const read = new Date(utc);
  const rolledOver =
    read.getUTCMonth() + 1 !== Number(month) ||
    read.getUTCDate() !== Number(day) ||
    read.getUTCHours() !== Number(hour) ||
    Number(minute) > 59 ||
    Number(second) > 59;
  const offsetMs = zoneOffsetMs(zone);
  if (rolledOver || offsetMs === undefined || Number(year) < 100)
    return { problem: `${JSON.stringify(value)} is not a date of the calendar` };
  const instant = new Date(utc - offsetMs);
  return instant.getUTCFullYear() > 9999 ? { problem: 'the date is out of range' } : { value: instant.toISOString() };
}

function zoneOffsetMs(zone: string): number | undefined {
  if (zone === 'Z' || zone === 'z') return 0;
  const digits = zone.slice(1).replace(':', '');
  const [hours, minutes] = [Number(digits.slice(0, 2)), Number(digits.slice(2))];
  if (hours > 23 || minutes > 59) return undefined;
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60_000;
}

/** Data of a binding, or a merge patch for it: an object within the limits, with keys that no store takes for operators. */
export function parseData(value: unknown): Parsed<JsonObject> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { problem: 'data is a JSON object' };
  const problem = problemOfJson(value, 1);
  if (problem !== undefined) return { problem };
  const data = value as JsonObject;
  return isTooLarge(data) ? { problem: `data has at most ${MAX_DATA_BYTES} bytes as JSON` } : { value: data };
}

/** Whether data has more bytes as JSON than it may have. */
export function isTooLarge(data: JsonObject): boolean {
  return mostBytesOf(data) > MAX_DATA_BYTES && exceedsBytes(JSON.stringify(data), MAX_DATA_BYTES);
}

/** What a character of a string, and what a number or anything else that is short, has at most in JSON. */
const [MOST_BYTES_OF_CHARACTER, MOST_BYTES_OF_SHORT] = [6, 32];

/** The size as JSON, from above: most data is so small that its JSON needs not be made to know that it fits. */
function mostBytesOf(value: JsonValue): number {
  if (typeof value === 'string') return MOST_BYTES_OF_CHARACTER * value.length + MOST_BYTES_OF_SHORT;
  if (typeof value !== 'object' || value === null) return MOST_BYTES_OF_SHORT;
  let bytes = MOST_BYTES_OF_SHORT;
  if (Array.isArray(value)) for (const item of value) bytes += MOST_BYTES_OF_SHORT + mostBytesOf(item);
  else for (const key of Object.keys(value)) bytes += mostBytesOf(key) + mostBytesOf(value[key] as JsonValue);
  return bytes;
}

function problemOfJson(value: unknown, depth: number): string | undefined {
  if (value === null || typeof value === 'boolean') return undefined;
  if (typeof value === 'string') return value.isWellFormed() ? undefined : 'data has no lone surrogates';
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : 'data has only finite numbers';
  if (typeof value !== 'object' || !isPlain(value)) return 'data is JSON';
  if (depth > MAX_DATA_DEPTH) return `data is nested at most ${MAX_DATA_DEPTH} deep`;
  return Array.isArray(value) ? problemOfItems(value, depth) : problemOfMembers(value as Record<string, unknown>, depth);
}

/** Every item, as JSON has them: what is missing in between is none. */
function problemOfItems(items: readonly unknown[], depth: number): string | undefined {
  for (const item of items) {
    const problem = problemOfJson(item, depth + 1);
    if (problem !== undefined) return problem;
  }
  return Object.keys(items).length === items.length ? undefined : 'data is JSON';
}

function problemOfMembers(members: Record<string, unknown>, depth: number): string | undefined {
  for (const key of Object.keys(members)) {
    const problem = problemOfKey(key) ?? problemOfJson(members[key], depth + 1);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** Whatever is an instance of a class (a date, a map), or says itself what it is as JSON, would be stored as something else than it was. */
function isPlain(value: object): boolean {
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return Array.isArray(value) || prototype === null || Object.getPrototypeOf(prototype) === null;
}

function problemOfKey(key: string): string | undefined {
  if (key === '__proto__' || key.startsWith('$') || key.includes('.')) return `${JSON.stringify(key)} cannot be a key of data`;
  return key.isWellFormed() && !key.includes('\0') ? undefined : 'keys of data have no lone surrogates and no NUL';
}

/** JSON merge patch (RFC 7396): `null` takes a member away, an object is merged, anything else replaces. */
export function mergePatch(target: JsonValue | undefined, patch: JsonObject): JsonObject {
  const merged: JsonObject = isObject(target) ? { ...target } : {};
  for (const key of Object.keys(patch)) {
    const value = patch[key] as JsonValue;
    if (value === null) delete merged[key];
    else merged[key] = isObject(value) ? mergePatch(merged[key], value) : value;
  }
  return merged;
}

/** Equality of JSON values; the order of members does not count. */
export function jsonEqual(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((value, index) => jsonEqual(value, b[index]));
  if (!isObject(a) || !isObject(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && jsonEqual(a[key], b[key]));
}

export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const encoder = new TextEncoder();
export function utf8Length(text: string): number {
  return encoder.encode(text).length;
}

/** Whether a text has more bytes of UTF-8. A character has three at most, so most texts need no counting. */
export function exceedsBytes(text: string, maxBytes: number): boolean {
  return text.length * 3 > maxBytes && utf8Length(text) > maxBytes;
}
