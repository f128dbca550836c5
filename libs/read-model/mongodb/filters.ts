/**
 * Conditions as filters of MongoDB. A value from outside gets into a filter here alone, and always behind an operator that
 * takes it for a value: a string that looks like an operator stays a string, and anything else than a scalar is refused.
 */
import type { Filter } from 'mongodb';
import type { Condition, Scalar, Where } from '../src/stepwise.js';
import { keyOf, scopeOf, type MongoDocument } from './codec.js';
import { BINDINGS, BY, HISTORY_BY, LIVE_KEY } from './schema.js';

export type MongoFilter = Filter<MongoDocument>;
export interface Search {
  filter: MongoFilter;
  /** The index that leads to what matches; absent where it is that of the ids. */
  hint?: string;
}

/** Which documents match, and the index that leads to them. */
export function searchOf(collection: string, where: Where): Search {
  const { backend, model, generation, id, state, ...rest } = where;
  const filter: Record<string, unknown> = guardOf(rest);
  if (generation === undefined) return { filter: { ...filter, ...guardOf(given({ id, state })) } as MongoFilter };
  const scope = scopeOf({ backend: scalar(backend), model: scalar(model), generation: scalar(generation) });
  if (id !== undefined) return { filter: { ...filter, _id: keysIn(scope, id) } as MongoFilter };
  if (state === undefined && Object.keys(rest).length === 0) return { filter: { _id: beginningWith(scope) } };
  const live = collection === BINDINGS && state !== undefined && state !== 'unbound';
  const key = live ? (['externalId', 'recordId'] as const).find((field) => field in where) : undefined;
  if (live && !isAnyLive(state)) filter['state'] = conditionOf(state);
  if (key !== undefined) {
    delete filter[key];
    return { filter: { ...filter, [LIVE_KEY[key]]: keysIn(scope, where[key] as Condition) } as MongoFilter };
  }
  filter['scope'] = { $eq: scope };
  if (state !== undefined) filter['live'] = { $eq: live };
  const hint = collection === BINDINGS ? formerHint(where) : historyHint(where);
  return { filter: filter as MongoFilter, ...(hint === undefined ? {} : { hint }) };
}

function given(where: { [field: string]: Condition | undefined }): Where {
  return Object.fromEntries(Object.entries(where).filter(([, condition]) => condition !== undefined)) as Where;
}

/** Of documents that are named already: nothing but what else must hold. */
export function guardOf(where: Where): Record<string, unknown> {
  return Object.fromEntries(Object.entries(where).map(([field, condition]) => [field, conditionOf(condition)]));
}

function conditionOf(condition: Condition | undefined): Record<string, unknown> {
  if (condition === undefined || condition === null || typeof condition !== 'object') return { $eq: scalar(condition) };
  if ('in' in condition) return { $in: condition.in.map(scalar) };
  if ('below' in condition) return { $lt: scalar(condition.below) };
  const upTo = condition.atMost === undefined ? {} : { $lte: scalar(condition.atMost) };
  return 'above' in condition ? { $gt: scalar(condition.above), ...upTo } : upTo;
}

/** Types end where the program begins: what came in as something else than a scalar must not reach the database. */
export function scalar(value: unknown): Scalar {
  if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  throw new Error(`broken invariant: a filter takes scalars, not ${value === undefined ? 'nothing' : typeof value}`);
}

/** Bindings are named, and live ones found by their keys, by scope and id in one. */
function keysIn(scope: string, id: Condition): { $in: string[] } | { $eq: string } {
  if (id === null || typeof id !== 'object') return { $eq: keyOf(scope, text(id)) };
  if (!('in' in id)) throw new Error('broken invariant: ids are equal, or among some');
  return { $in: id.in.map((each) => keyOf(scope, text(each))) };
}

export function text(value: unknown): string {
  const checked = scalar(value);
  if (typeof checked === 'string') return checked;
  throw new Error(`broken invariant: an id is text, not ${checked === null ? 'null' : typeof checked}`);
}

/** Everything of a generation: its ledger's document, whose id is the scope, and those whose ids go on with a space. */
function beginningWith(scope: string): { $gte: string; $lt: string } {
  return { $gte: scope, $lt: `${scope}!` };
}

function isAnyLive(state: Condition): boolean {
  if (state === null || typeof state !== 'object' || !('in' in state)) return false;
  return state.in.length === 2 && state.in.includes('pending') && state.in.includes('bound');
}

function formerHint(where: Where): string | undefined {
  if ('externalId' in where) return BY.formerExternalId;
  return 'recordId' in where ? BY.formerRecord : undefined;
}

function historyHint(where: Where): string | undefined {
  if ('formerRecordId' in where) return HISTORY_BY.formerRecord;
  if ('formerExternalId' in where) return HISTORY_BY.formerExternalId;
  if ('bindingId' in where) return 'sets' in where ? HISTORY_BY.bindingAndField : HISTORY_BY.binding;
  return undefined;
}
