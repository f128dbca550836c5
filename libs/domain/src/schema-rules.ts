/**
 * Which JSON Schemas are admitted: bounded in size and depth, closed in themselves, and cheap to evaluate. Users declare
 * them, so a schema must not be able to reach out, nor to make the check of one small document run for ever.
 */
import { refuse, type Problem, type Refusal } from './refusals.js';
import { MAX_DATA_DEPTH, isObject, utf8Length, type JsonObject, type JsonValue } from './values.js';

export const MAX_SCHEMA_BYTES = 65_536;
export const MAX_SCHEMA_DEPTH = 16;
/** At most this many subschemas may look at one place of a document, counted along the way down to it. */
export const MAX_SCHEMA_EVALUATIONS = 2_000;
/** At most this many objects and lists in all: what a schema compiles to grows with them. */
export const MAX_SCHEMA_NODES = 4_000;
/** At most this many subschemas beneath one keyword: compilers nest them. */
export const MAX_SCHEMA_SIBLINGS = 500;
const MAX_REFERENCES_FOLLOWED = 100;

/** Checks schemas, and documents against them; an implementation stands outside of the domain. */
export interface SchemaValidator {
  /** Why the schema cannot be used; empty when it can. */
  problemsOfSchema(schema: JsonObject): Problem[];
  /** What in the document the schema does not admit; empty when it admits it. Never quotes a value of the document. */
  problemsOf(schema: JsonObject, document: JsonObject): Problem[];
}

/** Keywords that name or find schemas in other ways than by a path within this one. */
const REFUSED_KEYS: ReadonlySet<string> = new Set([
  '$data',
  '$anchor',
  '$dynamicRef',
  '$dynamicAnchor',
  '$recursiveRef',
  '$recursiveAnchor',
  '$vocabulary',
  '__proto__',
]);

export function refusalOfSchema(schema: unknown, what: string, validator: SchemaValidator): Refusal | undefined {
  if (!isObject(schema as JsonValue)) return refuse('INVALID_SCHEMA', `${what} is a JSON Schema: an object`);
  const root = schema as JsonObject;
  const problem = problemOfShape(root, '', 1, { nodes: 0 }) ?? problemOfSize(root) ?? problemOfWork(root);
  const errors = problem === undefined ? validator.problemsOfSchema(root) : [problem];
  return errors.length === 0
    ? undefined
    : refuse('INVALID_SCHEMA', `${what} is not a JSON Schema that can be used here`, { errors });
}

function problemOfSize(schema: JsonObject): Problem | undefined {
  if (utf8Length(JSON.stringify(schema)) <= MAX_SCHEMA_BYTES) return undefined;
  return { path: '', message: `a schema has at most ${MAX_SCHEMA_BYTES} bytes as JSON` };
}

function problemOfShape(value: JsonValue, path: string, depth: number, seen: { nodes: number }): Problem | undefined {
  if (typeof value === 'string' && /\p{Cs}/u.test(value)) return { path, message: 'a schema has no lone surrogates' };
  if (typeof value !== 'object' || value === null) return undefined;
  if (depth > MAX_SCHEMA_DEPTH) return { path, message: `a schema is nested at most ${MAX_SCHEMA_DEPTH} deep` };
  seen.nodes += 1;
  if (seen.nodes > MAX_SCHEMA_NODES)
    return {
      path: '',
      message: `a schema has at most ${MAX_SCHEMA_NODES} objects and lists in all`,
    };
  for (const [key, child] of Object.entries(value)) {
    const childPath = `${path}/${pointerToken(key)}`;
    const problem =
      (Array.isArray(value) ? undefined : problemOfKey(key, child, childPath, depth)) ??
      problemOfShape(child, childPath, depth + 1, seen);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function problemOfKey(key: string, value: JsonValue, path: string, depth: number): Problem | undefined {
  if (REFUSED_KEYS.has(key)) return { path, message: `${key} is not taken` };
  if (/\p{Cs}/u.test(key)) return { path, message: 'a schema has no lone surrogates' };
  if (key === '$id' && depth > 1) return { path, message: '$id is taken at the root only' };
  if (key !== '$ref' || (typeof value === 'string' && (value === '#' || value.startsWith('#/')))) return undefined;
  return { path, message: '$ref leads to a place within the schema: "#" or "#/…"' };
}

// ── How much work a schema can make ──────────────────────────────────────────────────────────────────────────────────

/** Keywords whose subschemas look at the same place as the schema that they stand in. */
const IN_PLACE = ['not', 'if', 'then', 'else'];
const IN_PLACE_LISTS = ['allOf', 'anyOf', 'oneOf'];
const IN_PLACE_MAPS = ['dependentSchemas', 'dependencies'];
/** Those that look one step deeper, at every member or item. */
const DEEPER = [
  'additionalProperties',
  'unevaluatedProperties',
  'propertyNames',
  'items',
  'contains',
  'unevaluatedItems',
  'additionalItems',
];

class TooMuchWork extends Error {}

/**
 * Counts how many subschemas can look at one place: references that double at each step, or lead back to where they
 * stand, make a small schema cost without bound. Different members are different places, so of `properties` the dearest counts.
 */
function problemOfWork(root: JsonObject): Problem | undefined {
  const counted = new Map<JsonObject, (number | 'counting')[]>();
  let following = 0;

  function workOf(schema: JsonValue | undefined, depth: number): number {
    if (!isObject(schema) || depth < 0) return 1;
    const known = counted.get(schema) ?? [];
    counted.set(schema, known);
    if (known[depth] === 'counting') throw new TooMuchWork('a $ref leads back to the place where it stands');
    if (known[depth] !== undefined) return known[depth];
    known[depth] = 'counting';
    const work = 1 + workInPlace(schema, depth) + workDeeper(schema, depth - 1);
    if (work > MAX_SCHEMA_EVALUATIONS)
      throw new TooMuchWork(`more than ${MAX_SCHEMA_EVALUATIONS} subschemas look at one place of a document`);
    known[depth] = work;
    return work;
  }

  function workInPlace(schema: JsonObject, depth: number): number {
    let work = 0;
    for (const key of IN_PLACE) if (key in schema) work += workOf(schema[key], depth);
    for (const key of [...IN_PLACE_LISTS, ...IN_PLACE_MAPS])
      for (const child of childrenOf(schema[key])) work += workOf(child, depth);
    return typeof schema.$ref === 'string' ? work + workOfTarget(schema.$ref, depth) : work;
  }

  function workDeeper(schema: JsonObject, depth: number): number {
    let work = 0;
    for (const key of DEEPER) if (key in schema) work += workOf(schema[key], depth);
    for (const child of childrenOf(schema.patternProperties)) work += workOf(child, depth);
    for (const key of ['properties', 'prefixItems'])
      work += Math.max(0, ...childrenOf(schema[key]).map((child) => workOf(child, depth)));
    return work;
  }

  function workOfTarget(reference: string, depth: number): number {
    const target = targetOf(root, reference);
    if (target === undefined) throw new TooMuchWork(`$ref ${reference} leads nowhere`);
    following += 1;
    if (following > MAX_REFERENCES_FOLLOWED)
      throw new TooMuchWork(`more than ${MAX_REFERENCES_FOLLOWED} references follow on each other`);
    const work = workOf(target, depth);
    following -= 1;
    return work;
  }

  try {
    workOf(root, MAX_DATA_DEPTH);
    for (const definition of [...childrenOf(root.$defs), ...childrenOf(root.definitions)]) workOf(definition, MAX_DATA_DEPTH);
    return undefined;
  } catch (error) {
    if (error instanceof TooMuchWork) return { path: '', message: error.message };
    throw error;
  }
}

function childrenOf(value: JsonValue | undefined): JsonValue[] {
  const children = typeof value === 'object' && value !== null ? Object.values(value) : [];
  if (children.length > MAX_SCHEMA_SIBLINGS)
    throw new TooMuchWork(`more than ${MAX_SCHEMA_SIBLINGS} subschemas stand side by side`);
  return children;
}

/** What a `$ref` within the schema leads to. */
export function targetOf(root: JsonObject, reference: string): JsonValue | undefined {
  let place: JsonValue | undefined = root;
  for (const token of reference.split('/').slice(1)) {
    const key = decoded(token);
    if (typeof place !== 'object' || place === null || key === undefined || !Object.hasOwn(place, key)) return undefined;
    place = (place as JsonObject)[key];
  }
  return place;
}

function decoded(token: string): string | undefined {
  try {
    return decodeURIComponent(token).replaceAll('~1', '/').replaceAll('~0', '~');
  } catch {
    return undefined;
  }
}

export function pointerToken(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}
