/**
 * Documents of the stepwise read model as they stand in MongoDB. What users made up (`data`, answers, rules) is kept as JSON
 * text: it comes back as it was, whatever its names and numbers, and the database never takes any of it for a query.
 */
import type { UpdateFilter } from 'mongodb';
import type { Fields, StoredDocument } from '../src/stepwise.js';
import { BINDINGS, KEYS, LEDGERS, LIVE_KEY } from './schema.js';

/** A document of the database: flat, of scalars, and of lists of strings where that is what is indexed. */
export type MongoDocument = { _id: string; [field: string]: unknown };

const JSON_FIELDS: { readonly [collection: string]: ReadonlySet<string> } = {
  [BINDINGS]: new Set(['data']),
  [KEYS]: new Set(['answer']),
  [LEDGERS]: new Set(['state']),
};
/** What the adapter adds for its own queries, and nobody else is to see. */
const OWN_FIELDS: ReadonlySet<string> = new Set([
  'scope',
  'live',
  LIVE_KEY.recordId,
  LIVE_KEY.externalId,
  'indexed',
  'localModel',
]);
const NONE: ReadonlySet<string> = new Set();
const NEVER = '';
const NO_DATA = '{}';

let newestScope = { backend: '' as unknown, model: '' as unknown, generation: '' as unknown, text: '/ ' };

/** Ledger and generation in one: it begins the id of everything that belongs to the generation. A batch has one for all. */
export function scopeOf({ backend, model, generation }: { backend: unknown; model: unknown; generation: unknown }): string {
  const { backend: b, model: m, generation: g } = newestScope;
  if (backend !== b || model !== m || generation !== g)
    newestScope = { backend, model, generation, text: `${String(backend)}/${String(model)} ${String(generation)}` };
  return newestScope.text;
}

/** As it is inserted; a field that is `undefined` is not. `encoded` has what is there already, such as the id. */
export function encode(collection: string, fields: Fields, also: Fields = {}, encoded: Fields = {}): Fields {
  add(encoded, collection, fields);
  add(encoded, collection, also);
  const place = 'generation' in also ? also : fields;
  if ('generation' in place) encoded['scope'] = scopeOf(place as { backend: unknown; model: unknown; generation: unknown });
  if (collection === BINDINGS) addBindingFields(encoded);
  if (collection === LEDGERS && 'state' in fields) encoded['localModel'] = localModelOf(fields);
  return encoded;
}

function add(encoded: Fields, collection: string, fields: Fields): void {
  const asJson = JSON_FIELDS[collection] ?? NONE;
  // Not by entries: a batch has thousands of fields, and would leave an array for each.
  for (const name in fields) {
    const value = fields[name];
    if (value === undefined || name === 'backend' || name === 'model' || name === 'generation') continue;
    if (asJson.has(name)) encoded[name] = JSON.stringify(value);
    else if (isFlat(value)) encoded[name] = value;
    else throw new Error(`broken invariant: ${collection} has no field ${name} for a structure`);
  }
}

/** A binding that was never synchronized has the sync date '', which sorts before every date. */
function addBindingFields(encoded: Fields): void {
  if (encoded['syncDate'] === null) encoded['syncDate'] = NEVER;
  const { scope, state, recordId, externalId } = encoded;
  if (state === undefined) return;
  const live = state !== 'unbound';
  encoded['live'] = live;
  // Absent where there is nothing to be found by.
  encoded[LIVE_KEY.recordId] = live ? keyOf(scope as string, recordId as string) : undefined;
  encoded[LIVE_KEY.externalId] = live && externalId !== null ? keyOf(scope as string, externalId as string) : undefined;
}

/** The key of a record or an external id among those of all ledgers and generations. */
export function keyOf(scope: string, id: string): string {
  return `${scope} ${id}`;
}

/** Fields to be set, and those that must not be there any more. */
export function changeOf(collection: string, fields: Fields, also?: Fields): UpdateFilter<MongoDocument> {
  const encoded = encode(collection, fields, also);
  const absent = Object.keys(encoded).filter((name) => encoded[name] === undefined);
  for (const name of absent) delete encoded[name];
  return {
    ...(Object.keys(encoded).length === 0 ? {} : { $set: encoded }),
    ...(absent.length === 0 ? {} : { $unset: Object.fromEntries(absent.map((name) => [name, '' as const])) }),
  };
}

function localModelOf(fields: Fields): unknown {
  return (fields['state'] as { rules: { localModel: string | null } }).rules.localModel;
}

function isFlat(value: unknown): boolean {
  if (Array.isArray(value)) return value.every((each) => typeof each === 'string');
  return value === null || typeof value !== 'object';
}

/** As it was before it was stored; of ledger and generation, which whoever asked for it has named, only a ledger's document tells. */
export function decode(collection: string, document: MongoDocument): StoredDocument {
  if (collection === BINDINGS) return decodedBinding(document);
  const asJson = JSON_FIELDS[collection] ?? NONE;
  const decoded: StoredDocument = { _id: document._id };
  for (const name in document) {
    if (OWN_FIELDS.has(name)) continue;
    const value = document[name];
    decoded[name] = asJson.has(name) ? JSON.parse(value as string) : value;
  }
  if (collection === LEDGERS) Object.assign(decoded, namesOf(document['scope'] as string));
  return decoded;
}

/** In its place, as whoever makes a binding of it takes its fields one by one: lookups decode hundreds at a time. */
function decodedBinding(document: MongoDocument): StoredDocument {
  const { data, syncDate } = document;
  // A document that was read in part may have neither.
  if (data !== undefined) document['data'] = data === NO_DATA ? {} : JSON.parse(data as string);
  if (syncDate === NEVER) document['syncDate'] = null;
  return document;
}

/** Ledger and generation of a scope. */
export function namesOf(scope: string): { backend: string; model: string; generation: string } {
  const [slash, space] = [scope.indexOf('/'), scope.lastIndexOf(' ')];
  return { backend: scope.slice(0, slash), model: scope.slice(slash + 1, space), generation: scope.slice(space + 1) };
}
