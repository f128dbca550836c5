import { setImmediate as nextTurn } from 'node:timers/promises';
import { isRefusal, ledgerKey, refuse, type Binding, type BindingState, type LedgerName, type Refusal } from '#domain';
import type { HistoryKey, KeyOfHolders, LocatedBinding } from '#read-model';
import { readHistory, viewHistory, type HistoryEvent, type HistoryTools } from './histories.js';
import { locate, locateRefusal, type LocatedRefusal, type Place } from './located.js';
import { Moments, newestEvent, type AsOf, type Moment, type MomentTools } from './moments.js';
import { bindingsAt } from './past-ledger.js';
import { tellBindings } from './past-states.js';
import type { Freshness, LedgerQueries } from './queries.js';

export interface PastTools extends HistoryTools, MomentTools {
  queries: Pick<LedgerQueries, 'placeFor' | 'await' | 'positions'>;
  /** Also those of retired backends. */
  ledgersOfLocalModel(localModel: string): Promise<LedgerName[]>;
}

export interface PastPage {
  limit: number;
  /** `nextCursor` of the page before. */
  cursor?: string;
}

export interface HistoryPageView {
  items: HistoryEvent[];
  nextCursor: string | null;
}

/** A binding as it was, and the revision that this was asked of. */
export type BindingAsOf = LocatedBinding & { asOf: Moment };

export interface RecordAsOf {
  items: LocatedBinding[];
  /** The instant that was asked for, and the revision that was used of each ledger. */
  asOf: { at: string; revisions: Record<string, number> };
}

/** A whole ledger as it was. Whoever has it closes it. */
export interface LedgerAsOf {
  asOf: Moment;
  pages: AsyncGenerator<LocatedBinding[]>;
  close(): void;
}

export interface LocalRecordKey {
  localModel: string;
  recordId: string;
}

/** Ledgers that are asked at once for what they know of one record. */
const LEDGERS_AT_ONCE = 8;
const BEYOND_ALL_REVISIONS = Number.MAX_SAFE_INTEGER;

/** What was: histories from the read model's rows and the stream, states of the past from the events that tell them. */
export class PastQueries {
  private readonly moments: Moments;
  /** The ledger of the past that is being read; its reader ends it. */
  private reading: object | undefined;

  constructor(private readonly tools: PastTools) {
    this.moments = new Moments(tools);
  }

  /** Every event of a binding, or of whatever was bound to a record or an external id in the course of time. */
  async history(
    ledger: LedgerName,
    key: HistoryKey,
    { limit, cursor }: PastPage,
    freshness?: Freshness,
  ): Promise<HistoryPageView | Refusal> {
    const after = cursor === undefined ? -1 : revisionIn(cursor);
    if (after === undefined) return badCursor();
    const place = await this.tools.queries.placeFor(ledger, freshness);
    if (isRefusal(place)) return place;
    const part = await readHistory(this.tools, ledger, key, after, limit);
    if ('bindingId' in key && part.events.length === 0 && !(await this.isKnown(ledger, key)))
      return refuse('BINDING_NOT_FOUND', `there is no binding ${JSON.stringify(key.bindingId)} in ${ledgerKey(ledger)}`);
    const items = await viewHistory(this.tools, ledger, place, part, await this.tools.queries.positions.publisher());
    return { items, nextCursor: part.more ? String(items.at(-1)?.revision) : null };
  }

  /** Every event of a local record, in all ledgers of its model, in the order of the store. */
  async historyOfRecord(
    { localModel, recordId }: LocalRecordKey,
    { limit, cursor }: PastPage,
  ): Promise<HistoryPageView | Refusal> {
    const { queries, ledgersOfLocalModel } = this.tools;
    const after = cursor === undefined ? '' : await queries.positions.read(cursor);
    if (after === undefined) return badCursor();
    const ledgers = await ledgersOfLocalModel(localModel);
    const parts = await inTurns(ledgers, (ledger) => this.partOfRecord(ledger, recordId, after, limit));
    const refused = parts.find(isRefusal);
    if (refused !== undefined) return refused;
    const items = (parts as PartOfRecord[]).flatMap((part) => part.items).sort(byPosition);
    // Behind the end of a part that has more, another ledger's events would come too early.
    const ends = (parts as PartOfRecord[]).filter(({ more }) => more).map(({ end }) => end);
    const end = ends.length === 0 ? undefined : ends.reduce((least, each) => (each < least ? each : least));
    const certain = items.filter(({ position }) => end === undefined || position <= end);
    const page = certain.slice(0, limit);
    const last = page.at(-1);
    const more = last !== undefined && page.length < items.length + ends.length;
    return { items: page.map(({ event }) => event), nextCursor: more ? last.event.position : null };
  }

  /** to_internal, as it was. */
  async toInternal(
    ledger: LedgerName,
    externalId: string,
    asOf: AsOf,
    freshness?: Freshness,
  ): Promise<BindingAsOf | LocatedRefusal> {
    return this.lookUp(ledger, { externalId }, `external id ${JSON.stringify(externalId)}`, asOf, freshness);
  }

  /** to_external, as it was. */
  async toExternal(
    ledger: LedgerName,
    recordId: string,
    asOf: AsOf,
    freshness?: Freshness,
  ): Promise<BindingAsOf | LocatedRefusal> {
    return this.lookUp(ledger, { recordId }, `record ${JSON.stringify(recordId)}`, asOf, freshness);
  }

  /** The live bindings of a local record on all backends, as they were at an instant. */
  async bindingsOfRecord({ localModel, recordId }: LocalRecordKey, at: string): Promise<RecordAsOf | Refusal> {
    const tooYoung = this.moments.tooYoung(at);
    if (tooYoung !== undefined) return tooYoung;
    const ledgers = await this.tools.ledgersOfLocalModel(localModel);
    const found = await inTurns(ledgers, (ledger) => this.stateAt(ledger, { recordId }, { at }));
    const items: LocatedBinding[] = [];
    const revisions: [string, number][] = [];
    for (const [index, state] of found.entries()) {
      if (isRefusal(state)) return state;
      items.push(...state.bindings.map((binding) => locate(state.place, binding)));
      revisions.push([ledgerKey(ledgers[index] as LedgerName), state.moment.revision]);
    }
    return { items, asOf: { at, revisions: Object.fromEntries(revisions) } };
  }

  /** All bindings of a ledger as they were, live ones or those in one state: one pass over its stream, one at a time. */
  async ledger(ledger: LedgerName, asOf: AsOf, state?: BindingState): Promise<LedgerAsOf | Refusal> {
    const place = await this.tools.queries.placeFor(ledger, undefined);
    if (isRefusal(place)) return place;
    const moment = await this.moments.of(ledger, asOf);
    if (isRefusal(moment)) return moment;
    if (this.reading !== undefined) return refuse('BUSY', 'a ledger of the past is being read already: one at a time');
    const reading = (this.reading = {});
    const pages = this.pagesAt(ledger, place, moment, state);
    const close = (): void => {
      if (this.reading === reading) this.reading = undefined;
    };
    return { asOf: moment, pages, close };
  }

  private async *pagesAt(
    ledger: LedgerName,
    place: Place,
    { revision }: Moment,
    state: BindingState | undefined,
  ): AsyncGenerator<LocatedBinding[]> {
    const { store, streams } = this.tools;
    for await (const bindings of bindingsAt(store, streams.ledger(ledger), revision, { state })) {
      yield bindings.map((binding) => locate(place, binding));
    }
  }

  private async lookUp(
    ledger: LedgerName,
    key: KeyOfHolders,
    what: string,
    asOf: AsOf,
    freshness: Freshness | undefined,
  ): Promise<BindingAsOf | LocatedRefusal> {
    const state = await this.stateAt(ledger, key, asOf, freshness);
    if (isRefusal(state)) return locateRefusal({ ...ledger, localModel: null }, state);
    const { place, moment, bindings } = state;
    const [binding] = bindings;
    const details = { asOf: moment };
    if (binding !== undefined && bindings.length === 1) return { ...locate(place, binding), asOf: moment };
    if (binding === undefined) {
      const detail = `${what} was not bound in ${ledgerKey(ledger)} at revision ${moment.revision}`;
      return locateRefusal(place, refuse('NOT_BOUND', detail, { details }));
    }
    const detail = `${what} had ${bindings.length} bindings in ${ledgerKey(ledger)} at revision ${moment.revision}`;
    return locateRefusal(place, refuse('AMBIGUOUS_RECORD', detail, { candidates: bindings, details }));
  }

  private async stateAt(
    ledger: LedgerName,
    key: KeyOfHolders,
    asOf: AsOf,
    freshness: Freshness = {},
  ): Promise<{ place: Place; moment: Moment; bindings: Binding[] } | Refusal> {
    const { queries, store, streams, readModel } = this.tools;
    const place = await queries.placeFor(ledger, freshness);
    if (isRefusal(place)) return place;
    const moment = await this.moments.of(ledger, asOf);
    if (isRefusal(moment)) return moment;
    if (moment.revision < 0) return { place, moment, bindings: [] };
    const late = await queries.await(ledger, { ...freshness, atLeast: moment.revision });
    if (late !== undefined) return late;
    const { bindings } = await readModel.statesAt(ledger, key, moment.revision);
    return { place, moment, bindings: await tellBindings(store, streams.ledger(ledger), bindings) };
  }

  private async isKnown(ledger: LedgerName, key: HistoryKey): Promise<boolean> {
    return (await this.tools.readModel.history(ledger, key, -1, 1)).revisions.length > 0;
  }

  /** The record's events in one ledger behind a position of the store. */
  private async partOfRecord(
    ledger: LedgerName,
    recordId: string,
    after: string,
    limit: number,
  ): Promise<PartOfRecord | Refusal> {
    const place = await this.tools.queries.placeFor(ledger, undefined);
    // A ledger that was registered and never opened has no model or events to speak of.
    if (isRefusal(place)) return place;
    const any = await this.tools.readModel.history(ledger, { recordId }, -1, 1);
    if (any.revisions.length === 0) return { items: [], more: false, end: '' };
    const before = after === '' ? undefined : await newestEvent(this.tools, ledger, ({ position }) => position <= after);
    const part = await readHistory(this.tools, ledger, { recordId }, before?.revision ?? -1, limit);
    const publish = await this.tools.queries.positions.publisher();
    const events = await viewHistory(this.tools, ledger, place, part, publish);
    const items = events.map((event, index) => ({ event, position: part.events[index]?.recorded.position ?? '' }));
    return { items, more: part.more, end: items.at(-1)?.position ?? '' };
  }
}

interface PartOfRecord {
  items: { event: HistoryEvent; position: string }[];
  more: boolean;
  /** Of its last event. */
  end: string;
}

function byPosition(a: { position: string }, b: { position: string }): number {
  return a.position < b.position ? -1 : 1;
}

/** Cursors of one ledger's history are revisions. */
function revisionIn(cursor: string): number | undefined {
  const revision = /^\d{1,16}$/.test(cursor) ? Number(cursor) : Number.NaN;
  return revision <= BEYOND_ALL_REVISIONS ? revision : undefined;
}

function badCursor(): Refusal {
  return refuse('MALFORMED', 'the cursor is not one that a history answered');
}

async function inTurns<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let start = 0; start < items.length; start += LEDGERS_AT_ONCE) {
    results.push(...(await Promise.all(items.slice(start, start + LEDGERS_AT_ONCE).map(work))));
    await nextTurn();
  }
  return results;
}
