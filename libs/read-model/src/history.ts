/**
 * The history of a ledger as the read model keeps it: not the events, but at which revisions they stand. A creation is known to
 * the binding's document, every later event of a binding has one row. What took place, and when, is read from the stream.
 */
import type { BindingEvent } from '#domain';

/** What of a binding an event may set anew. */
export const HISTORY_FIELDS = ['recordId', 'externalId', 'syncDate', 'data'] as const;
export type HistoryField = (typeof HISTORY_FIELDS)[number];

/** One event of a binding after its creation. */
export interface HistoryRow {
  bindingId: string;
  revision: number;
  sets: HistoryField[];
  /** The keys that the event took from the binding. An unbound binding keeps its last ones. */
  formerRecordId?: string;
  formerExternalId?: string;
}

/** The row of an event; `undefined` for a creation. */
export function historyRowOf({ type, data }: BindingEvent, revision: number): HistoryRow | undefined {
  if (type === 'BindingCreated') return undefined;
  const row: HistoryRow = { bindingId: data.bindingId, revision, sets: [] };
  if (data.previousRecordId !== undefined) {
    row.sets.push('recordId');
    row.formerRecordId = data.previousRecordId;
  }
  if (data.previousExternalId !== undefined) {
    row.sets.push('externalId');
    if (data.previousExternalId !== null) row.formerExternalId = data.previousExternalId;
  }
  if (data.syncDate !== undefined) row.sets.push('syncDate');
  if (data.data !== undefined) row.sets.push('data');
  return row;
}

/** What a history is asked of: a binding, or whatever was bound to a record or an external id in the course of time. */
export type HistoryKey = { bindingId: string } | KeyOfHolders;
export type KeyOfHolders = { recordId: string } | { externalId: string };

export interface HistoryPage {
  /** In order, each once. */
  revisions: number[];
  /** The read model's checkpoint: there was nothing more up to here, if the page is not full. */
  upTo: number;
}

/** Revisions of the events that tell the state of a binding: its creation, what set its date and its data, and the last one. */
export interface ToldBy {
  created: number;
  syncDate: number;
  data: number;
  last: number;
}

export interface StatesAt {
  bindings: ToldBy[];
  /** The read model's checkpoint. When it lies before the revision that was asked for, nothing is known of that yet. */
  upTo: number;
}

/** A binding's document, as far as its history needs it. */
export interface KnownBinding<Id> {
  binding: Id;
  created: number;
  /** Of the last event that is in the document. */
  revision: number;
}

/** That a binding had a key: up to and with the event at revision `end`, or still (`Infinity`). */
export interface Holding<Id> {
  binding: Id;
  end: number;
  /** Where the holding was told by the binding's document, that one. */
  known?: KnownBinding<Id>;
}

/**
 * What an adapter's documents and rows are asked for, by whatever identifies a binding there. Rows are written before the
 * documents of the same batch, and asked for after them: so a holding that ends meanwhile is seen as one or as the other.
 */
export interface HistorySource<Id> {
  document(binding: Id): Promise<KnownBinding<Id> | undefined>;
  /** Live bindings that have the key; one that becomes bound or unbound meanwhile is met here or by `unbound`. */
  live(key: KeyOfHolders): Promise<KnownBinding<Id>[]>;
  /** Unbound bindings whose last key it was, that were unbound after a revision; in that order. */
  unbound(key: KeyOfHolders, after: number, limit: number): Promise<KnownBinding<Id>[]>;
  /** Rows after a revision that took the key from a binding, in order. */
  former(key: KeyOfHolders, after: number, limit: number): Promise<{ binding: Id; revision: number }[]>;
  /** Revisions of a binding's rows, in order. */
  events(binding: Id, after: number, upTo: number, limit: number): Promise<number[]>;
  /** The newest row of a binding up to a revision, or the newest one that sets the field. */
  newest(binding: Id, upTo: number, field?: HistoryField): Promise<number | undefined>;
}

/** What is asked for: of a binding, or of whoever held a key, as far as the read model's checkpoint. */
export interface HistoryQuestion<Id> {
  of: { binding: Id } | KeyOfHolders;
  checkpoint: number;
}

/**
 * So many former holdings of a record are looked at for one answer. Those of an external id never overlap, so that as many as
 * there are events in a page suffice; a record may have a hundred bindings at once, of which one may outlast thousands.
 */
export const MAX_HOLDINGS_OF_RECORD = 10_000;
/** Holdings that are followed up at once. */
const HOLDINGS_AT_ONCE = 16;

/** Revisions of the events asked for, after one. Each costs the same whatever else the ledger has. */
export async function revisionsOf<Id>(
  source: HistorySource<Id>,
  { of, checkpoint }: HistoryQuestion<Id>,
  after: number,
  limit: number,
): Promise<number[]> {
  if ('binding' in of) {
    const known = await source.document(of.binding);
    return known === undefined ? [] : revisionsWhile(source, known, -1, { after, upTo: checkpoint, limit });
  }
  const holdings = await holdingsAfter(source, of, after, limit);
  // As many ends as the page has places are as many events: no later one is on it.
  const last = Math.min(checkpoint, holdings[limit - 1]?.end ?? Infinity);
  const found = await inTurns(holdings, async (holding) => {
    if (holding.known !== undefined && holding.known.created > last) return [];
    const begun = await beginning(source, of, holding, checkpoint);
    if (begun === undefined || begun.start > last) return [];
    return revisionsWhile(source, begun.known, begun.start, { after, upTo: Math.min(holding.end, last), limit });
  });
  // A holding that ended while it was looked for may have been met twice.
  return [...new Set(found.flat())].sort((a, b) => a - b).slice(0, limit);
}

/** The binding, or those that held the key, at a revision up to the checkpoint: each told by its events up to there. */
export async function statesAt<Id>(
  source: HistorySource<Id>,
  { of, checkpoint }: HistoryQuestion<Id>,
  revision: number,
): Promise<ToldBy[]> {
  if ('binding' in of) {
    const known = await source.document(of.binding);
    return known === undefined || known.created > revision ? [] : [await toldBy(source, known, revision)];
  }
  const told = await inTurns(await holdingsAfter(source, of, revision, 1), async (holding) => {
    if (holding.known !== undefined && holding.known.created > revision) return undefined;
    const begun = await beginning(source, of, holding, checkpoint);
    return begun === undefined || begun.start > revision ? undefined : toldBy(source, begun.known, revision);
  });
  return [...new Map(told.filter((each) => each !== undefined).map((each) => [each.created, each])).values()];
}

/** Holdings that end after a revision, by end, with the live ones last. */
async function holdingsAfter<Id>(
  source: HistorySource<Id>,
  key: KeyOfHolders,
  after: number,
  limit: number,
): Promise<Holding<Id>[]> {
  const atMost = 'recordId' in key ? MAX_HOLDINGS_OF_RECORD : limit;
  const live = await source.live(key);
  const unbound = await source.unbound(key, after, atMost);
  const former = await source.former(key, after, atMost);
  const ended: Holding<Id>[] = [
    ...unbound.map((known) => ({ binding: known.binding, end: known.revision, known })),
    ...former.map(({ binding, revision }) => ({ binding, end: revision })),
  ];
  const standing = live.map((known) => ({ binding: known.binding, end: Infinity, known }));
  return [...ended.sort((a, b) => a.end - b.end).slice(0, atMost), ...standing];
}

/**
 * The revision at which the binding got the key: of the event that gave it, before the one that took it, or of its creation.
 * Rows after the checkpoint are there for certain only up to what the document says. One that is ahead of the document was not
 * yet true when the documents were asked for, and what was true until then they have told.
 */
async function beginning<Id>(
  source: HistorySource<Id>,
  key: KeyOfHolders,
  { binding, end, known: told }: Holding<Id>,
  checkpoint: number,
): Promise<{ known: KnownBinding<Id>; start: number } | undefined> {
  const known = told ?? (await source.document(binding));
  if (known === undefined) return undefined;
  const certain = Math.max(checkpoint, known.revision);
  if (end !== Infinity && end > certain) return undefined;
  const given = await source.newest(binding, Math.min(end - 1, certain), 'recordId' in key ? 'recordId' : 'externalId');
  return { known, start: given ?? known.created };
}

async function revisionsWhile<Id>(
  source: HistorySource<Id>,
  { binding, created }: KnownBinding<Id>,
  start: number,
  { after, upTo, limit }: { after: number; upTo: number; limit: number },
): Promise<number[]> {
  const begin = Math.max(after, start - 1);
  const rows = await source.events(binding, begin, upTo, limit);
  return created > begin && created <= upTo ? [created, ...rows].slice(0, limit) : rows;
}

async function toldBy<Id>(source: HistorySource<Id>, { binding, created }: KnownBinding<Id>, upTo: number): Promise<ToldBy> {
  const [syncDate = created, data = created, last = created] = await Promise.all([
    source.newest(binding, upTo, 'syncDate'),
    source.newest(binding, upTo, 'data'),
    source.newest(binding, upTo),
  ]);
  return { created, syncDate, data, last };
}

async function inTurns<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let start = 0; start < items.length; start += HOLDINGS_AT_ONCE) {
    results.push(...(await Promise.all(items.slice(start, start + HOLDINGS_AT_ONCE).map(work))));
  }
  return results;
}
