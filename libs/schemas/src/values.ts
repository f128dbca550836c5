/** The values of the wire, each as a schema that admits it by the domain's own rule and answers what it came to. */
import { z } from 'zod';
import {
  MAX_REASON_LENGTH,
  parseData,
  parseId,
  parseInstant,
  type JsonObject,
  type JsonValue,
  type Parsed,
  type RefusalCode,
} from '#domain';
import type { AsOf } from '#ledger';

export const MAX_KEY_LENGTH = 255;
/** Binding ids are made by the ledger; anything longer is none of them. */
export const MAX_BINDING_ID_LENGTH = 100;

/** A schema over one of the domain's parse functions; a value that it does not admit is refused with `code`. */
function parsedBy<T>(parse: (value: unknown) => Parsed<T>, code: RefusalCode, documentation: Record<string, unknown>) {
  return z
    .unknown()
    .transform((input, context): T => {
      const parsed = parse(input);
      if (parsed.problem === undefined) return parsed.value;
      context.issues.push({ code: 'custom', message: parsed.problem, params: { refusal: code }, input });
      return z.NEVER;
    })
    .meta(documentation);
}

/** Record ids, external ids and binding ids. */
export const idSchema = parsedBy(parseId, 'INVALID_ID', {
  anyOf: [
    { type: 'string', minLength: 1, maxLength: 512 },
    { type: 'integer', minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER },
  ],
  description:
    'An id: a string of at most 512 bytes of UTF-8, compared byte by byte; safe integers are taken as their decimal digits.',
});

/** An id as it stands in a path or query. */
export const idTextSchema = parsedBy(parseId, 'INVALID_ID', {
  type: 'string',
  minLength: 1,
  maxLength: 512,
  description: 'An id, percent-encoded.',
});

export const syncDateSchema = parsedBy(parseInstant, 'INVALID_SYNC_DATE', {
  type: 'string',
  format: 'date-time',
  description:
    'When it was synchronized: ISO 8601 with zone, such as `2026-03-03T09:30:00+01:00`, at most 5 minutes ahead of the clock.',
});

/** `null` means none. */
export const optionalSyncDateSchema = parsedBy<string | null>(
  (value) => (value === null ? { value } : parseInstant(value)),
  'INVALID_SYNC_DATE',
  {
    type: 'string',
    format: 'date-time',
    nullable: true,
    description:
      'When it was synchronized: ISO 8601 with zone, such as `2026-03-03T09:30:00+01:00`. Absent means now, when an external id is given; `null` means none.',
  },
);

/** An instant that something is asked for by. */
export const instantSchema = parsedBy(parseInstant, 'MALFORMED', {
  type: 'string',
  format: 'date-time',
  description: 'ISO 8601 with zone, such as `2026-03-03T09:30:00Z`.',
});

export const dataSchema = parsedBy(parseData, 'INVALID_DATA', {
  type: 'object',
  additionalProperties: true,
  description:
    'JSON merge patch (RFC 7396) of what only the backend knows, such as `{"group": "retail"}`: at most 64 KiB, 16 deep, no key that begins with `$` or contains `.`.',
});

/** Any JSON object, where another rule says what it may hold. */
export const jsonObjectSchema = parsedBy(parseJsonObject, 'MALFORMED', { type: 'object', additionalProperties: true });

function parseJsonObject(value: unknown): Parsed<JsonObject> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { problem: 'a JSON object is expected' };
  return { value: value as Record<string, JsonValue> };
}

/** Text that is kept: lone surrogates and NUL survive no journey through other systems. */
function keptText(maxLength: number, documentation: Record<string, unknown>) {
  return z
    .string()
    .min(1)
    .max(maxLength)
    .refine((text) => !/\p{Cs}|\0/u.test(text), 'has no lone surrogates and no NUL')
    .meta(documentation);
}

export const reasonSchema = keptText(MAX_REASON_LENGTH, { description: 'Why, for the record.' });
export const keySchema = keptText(MAX_KEY_LENGTH, {
  description: 'Idempotency key: the same key and request gives the first answer again, for 24 hours.',
});
export const versionSchema = z.int().min(0).meta({ description: 'The version that the binding must have.' });
export const bindingIdSchema = keptText(MAX_BINDING_ID_LENGTH, { description: 'The id of the binding that is meant.' });
export const directionSchema = z
  .enum(['import', 'export'])
  .meta({ description: 'Stands in the event, so that listeners can break echo loops.' });

/** A whole number as it stands in a query. */
export function countTextSchema(least: number, most: number, documentation: Record<string, unknown>) {
  return z
    .string()
    .transform((text, context): number => {
      const count = /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
      if (count >= least && count <= most) return count;
      context.issues.push({ code: 'custom', message: `must be a whole number from ${least} to ${most}`, input: text });
      return z.NEVER;
    })
    .meta({ type: 'integer', minimum: least, maximum: most, ...documentation });
}

/** No enumeration, which the description of the API would list as values of a boolean: texts, which those are not. */
export const flagTextSchema = z
  .string()
  .refine((text) => text === 'true' || text === 'false', 'must be true or false')
  .transform((text) => text === 'true')
  .meta({ type: 'boolean' });

/** As of −1, before a ledger's first event, nothing was bound. */
const REVISION = /^revision:(-1|\d{1,15})$/;

/** The moment of which something is asked for. */
export const asOfSchema = z
  .string()
  .transform((text, context): AsOf => {
    const [, revision] = REVISION.exec(text) ?? [];
    if (revision !== undefined) return { revision: Number(revision) };
    const instant = parseInstant(text);
    if (instant.problem === undefined) return { at: instant.value };
    context.issues.push({ code: 'custom', message: 'must be an instant (ISO 8601 with zone) or "revision:<n>"', input: text });
    return z.NEVER;
  })
  .meta({
    type: 'string',
    description:
      'Answer as it was at this instant (ISO 8601 with zone, such as `2026-03-03T09:30:00Z`), or after this revision of the ledger (`revision:<n>`).',
  });
