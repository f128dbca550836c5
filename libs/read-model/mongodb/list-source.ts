import type { Collection, Sort } from 'mongodb';
import type { Binding } from '#domain';
import { orderOf, type Place } from '../src/filter.js';
import type { BindingFilter } from '../src/port.js';
import { toBinding } from '../src/stepwise-documents.js';
import { decode, keyOf, type MongoDocument } from './codec.js';
import { scalar, text, type MongoFilter } from './filters.js';
import { indexedAs } from './indexed-data.js';
import { BINDINGS, BY, LIVE_KEY } from './schema.js';

/**
 * So many recently synchronized bindings are sorted by id for each step. When there are more, a walk by id meets them often
 * enough.
 */
const MAX_SORTED = 5_000;

/** One search along an index, with everything that narrows it down to a stretch of that index. */
export interface Stretch {
  filter: MongoFilter;
  sort: Sort;
  /** Absent where no other index could lead there. */
  hint: string | undefined;
}

/** What a listing walks along: stretches one after the other, behind a place, in the listing's order. */
export type Walk = (place: Place) => Stretch[];

/** The index that leaves the least to be looked through; `indexes` are the data fields that the ledger has indexed. */
export function walkOf(scope: string, filter: BindingFilter, indexes: readonly string[], fewSyncedAfter: boolean): Walk {
  const live = filter.state !== 'unbound';
  const of = { scope: { $eq: scope }, live: { $eq: live } };
  return ofOneKey(of, filter) ?? byDate(of, filter) ?? inOrderOfIds(of, filter, indexes, fewSyncedAfter);
}

type Of = { scope: { $eq: string }; live: { $eq: boolean } };

/** Few bindings have the same record or external id, so these may be sorted in any order. */
function ofOneKey(of: Of, { externalId, recordId, ...rest }: BindingFilter): Walk | undefined {
  const live = of.live.$eq;
  const order = orderOf(rest);
  const dateField = order === 'createdAt' ? 'createdAt' : 'syncDate';
  const along = (field: 'externalId' | 'recordId', key: string): Walk => {
    const filter = live ? { [LIVE_KEY[field]]: { $eq: keyOf(of.scope.$eq, text(key)) } } : { ...of, [field]: { $eq: text(key) } };
    const hint = live ? undefined : field === 'externalId' ? BY.formerExternalId : BY.formerRecord;
    if (order !== 'id') return alongDates(filter as MongoFilter, dateField, hint);
    return ({ id }) => [{ filter: { ...filter, id: { $gt: id } } as MongoFilter, sort: { id: 1 }, hint }];
  };
  if (externalId !== undefined) return along('externalId', externalId);
  return recordId === undefined ? undefined : along('recordId', recordId);
}

function byDate(of: Of, { syncedBefore, syncedAfter, createdBefore, state }: BindingFilter): Walk | undefined {
  if (syncedBefore !== undefined) {
    const walk = alongDates(of as MongoFilter, 'syncDate', BY.syncDate, syncedBefore);
    return syncedAfter === undefined ? walk : (place) => walk(later(place, syncedAfter));
  }
  if (createdBefore === undefined) return undefined;
  if (state !== 'pending') return alongDates(of as MongoFilter, 'createdAt', BY.creation, createdBefore);
  const pending = { scope: of.scope, state: { $eq: 'pending' } } as MongoFilter;
  return alongDates(pending, 'createdAt', BY.pendingCreation, createdBefore);
}

function inOrderOfIds(
  of: Of,
  { data = {}, state, syncedAfter }: BindingFilter,
  indexes: readonly string[],
  fewSyncedAfter: boolean,
): Walk {
  const along =
    (filter: MongoFilter, hint: string): Walk =>
    ({ id }) => [{ filter: { ...filter, id: { $gt: id } }, sort: { id: 1 }, hint }];
  const indexed = of.live.$eq ? Object.entries(data).find(([field]) => indexes.includes(field)) : undefined;
  if (indexed !== undefined) return along({ scope: of.scope, indexed: { $eq: indexedAs(...indexed) } }, BY.indexed);
  if (state === 'pending') return along({ scope: of.scope, state: { $eq: 'pending' } }, BY.pendingId);
  if (syncedAfter !== undefined && fewSyncedAfter) return along(syncedAfterFilter(of, syncedAfter), BY.syncDate);
  return along(of as MongoFilter, BY.id);
}

function syncedAfterFilter(of: Of, syncedAfter: string): MongoFilter {
  return { ...of, syncDate: { $gt: scalar(syncedAfter) } } as MongoFilter;
}

/** By date and id: first what is left of the place's own instant, then the later ones. */
function alongDates(filter: MongoFilter, field: 'syncDate' | 'createdAt', hint?: string, before?: string): Walk {
  return ({ date, id }) => {
    const upTo = before === undefined ? {} : { $lt: scalar(before) };
    const rest: Stretch = {
      filter: { ...filter, [field]: { $gt: date, ...upTo } } as MongoFilter,
      sort: { [field]: 1, id: 1 },
      hint,
    };
    if (before !== undefined && date >= before) return [];
    return [{ filter: { ...filter, [field]: { $eq: date }, id: { $gt: id } } as MongoFilter, sort: { id: 1 }, hint }, rest];
  };
}

/** A character after all those of ids. */
const BEHIND_ALL_IDS = '\u{10FFFF}';

/** The place, or the end of everything up to `date` if it lies before that. */
function later(place: Place, date: string): Place {
  return place.date <= date ? { date, id: BEHIND_ALL_IDS } : place;
}

/** Whether few enough bindings were synchronized after an instant to sort them by id. */
export async function areFewSyncedAfter(
  bindings: Collection<MongoDocument>,
  scope: string,
  { state, syncedAfter }: BindingFilter,
): Promise<boolean> {
  if (syncedAfter === undefined) return false;
  const filter = syncedAfterFilter({ scope: { $eq: scope }, live: { $eq: state !== 'unbound' } }, syncedAfter);
  return (await bindings.countDocuments(filter, { limit: MAX_SORTED + 1, hint: BY.syncDate })) <= MAX_SORTED;
}

/** Reads bindings behind a place; fewer than `limit` when there are no more. */
export async function readBehind(
  bindings: Collection<MongoDocument>,
  walk: Walk,
  place: Place,
  limit: number,
): Promise<Binding[]> {
  const found: Binding[] = [];
  for (const { filter, sort, hint } of walk(place)) {
    const left = limit - found.length;
    if (left === 0) break;
    const documents = await bindings
      .find(filter, { sort, limit: left, batchSize: left, ...(hint === undefined ? {} : { hint }) })
      .toArray();
    for (const document of documents) found.push(toBinding(decode(BINDINGS, document)));
  }
  return found;
}
