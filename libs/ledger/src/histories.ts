/** Histories: every event of a binding, a record or an external id, with what it changed from what. */
import { isBindingEvent, type JsonObject, type LedgerName, type RecordedLedgerEvent } from '#domain';
import type { EventStore, RecordedEvent } from '#event-store';
import type { HistoryKey, ReadModel, ToldBy } from '#read-model';
import { readLedgerEvent } from './chain.js';
import { readAllRevisions, readRevisions } from './event-reads.js';
import { viewEvent, type EventView, type Place } from './located.js';
import type { PublishPosition } from './positions.js';
import type { StreamNames } from './streams.js';

/** An event with what it replaced: the identity's former members stand in the event itself, these are read besides. */
export type HistoryEvent = EventView & { previousSyncDate?: string | null; previousData?: JsonObject };

export interface HistoryTools {
  store: EventStore;
  readModel: ReadModel;
  streams: StreamNames;
}

/** Events in order, and whether there are more behind them. */
export interface HistoryPart {
  events: { recorded: RecordedEvent; event: RecordedLedgerEvent }[];
  more: boolean;
}

/** A page ends early, but never before its first event, when its events have so many bytes of data. */
export const MAX_HISTORY_BYTES = 1_048_576;
const STATES_AT_ONCE = 8;

/** Events that concern a key, after a revision. */
export async function readHistory(
  { store, readModel, streams }: HistoryTools,
  ledger: LedgerName,
  key: HistoryKey,
  after: number,
  limit: number,
): Promise<HistoryPart> {
  const { revisions } = await readModel.history(ledger, key, after, limit + 1);
  const wanted = revisions.slice(0, limit);
  const events: HistoryPart['events'] = [];
  let bytes = 0;
  for await (const part of readRevisions(store, streams.ledger(ledger), wanted)) {
    for (const recorded of part) {
      bytes += JSON.stringify(recorded.data).length;
      if (bytes > MAX_HISTORY_BYTES && events.length > 0) return { events, more: true };
      events.push({ recorded, event: readLedgerEvent(recorded) });
    }
  }
  return { events, more: revisions.length > limit };
}

type Earlier = Pick<HistoryEvent, 'previousSyncDate' | 'previousData'>;

/** The events as clients see them, each with the date and the data that it replaced. */
export async function viewHistory(
  tools: HistoryTools,
  ledger: LedgerName,
  place: Place,
  { events }: Pick<HistoryPart, 'events'>,
  publish: PublishPosition,
): Promise<HistoryEvent[]> {
  const earlier = await earlierValues(tools, ledger, events);
  return events.map(({ recorded, event }) => ({
    ...viewEvent(place, publish(recorded.position), event),
    ...earlier.get(event.revision),
  }));
}

/** What each event replaced: known from an event before it on the page, else read once for each binding. */
async function earlierValues(
  tools: HistoryTools,
  ledger: LedgerName,
  events: HistoryPart['events'],
): Promise<Map<number, Earlier>> {
  const known = await valuesBefore(tools, ledger, events);
  const earlier = new Map<number, Earlier>();
  for (const { event } of events) {
    if (!isBindingEvent(event)) continue;
    const { bindingId, syncDate, data } = event.data;
    const before = known.get(bindingId) ?? {};
    const [replaced, after]: [Earlier, Earlier] = [{}, { ...before }];
    if (syncDate !== undefined) {
      if (before.previousSyncDate !== undefined) replaced.previousSyncDate = before.previousSyncDate;
      after.previousSyncDate = syncDate;
    }
    if (data !== undefined) {
      if (before.previousData !== undefined) replaced.previousData = before.previousData;
      after.previousData = data;
    }
    earlier.set(event.revision, replaced);
    known.set(bindingId, after);
  }
  return earlier;
}

/** Date and data of bindings before their first events on the page, as far as these replace them. */
async function valuesBefore(
  { store, readModel, streams }: HistoryTools,
  ledger: LedgerName,
  events: HistoryPart['events'],
): Promise<Map<string, Earlier>> {
  const replaced = [...firstReplacements(events)];
  const told = new Map<string, ToldBy>();
  for (let start = 0; start < replaced.length; start += STATES_AT_ONCE) {
    const ask = async ([bindingId, { first }]: [string, Replaced]): Promise<void> => {
      const { bindings } = await readModel.statesAt(ledger, { bindingId }, first - 1);
      if (bindings[0] !== undefined) told.set(bindingId, bindings[0]);
    };
    await Promise.all(replaced.slice(start, start + STATES_AT_ONCE).map(ask));
  }
  const wanted = replaced.flatMap(([id, { dates, fills }]) => {
    const { syncDate, data } = told.get(id) ?? {};
    return [dates ? syncDate : undefined, fills ? data : undefined].filter((revision) => revision !== undefined);
  });
  const recorded = await readAllRevisions(store, streams.ledger(ledger), wanted);
  return new Map(
    [...told].map(([id, { syncDate, data }]) => [
      id,
      {
        previousSyncDate: recorded.get(syncDate)?.data['syncDate'] as string | null | undefined,
        previousData: recorded.get(data)?.data['data'] as JsonObject | undefined,
      },
    ]),
  );
}

/** That events on the page replace a binding's date, or its data, and the first that does. */
interface Replaced {
  first: number;
  dates: boolean;
  fills: boolean;
}

/** Of the bindings whose creation is not on the page. */
function firstReplacements(events: HistoryPart['events']): Map<string, Replaced> {
  const replaced = new Map<string, Replaced>();
  const created = new Set<string>();
  for (const { event } of events) {
    if (!isBindingEvent(event)) continue;
    const { bindingId, syncDate, data } = event.data;
    if (event.type === 'BindingCreated') created.add(bindingId);
    if (created.has(bindingId) || (syncDate === undefined && data === undefined)) continue;
    const before = replaced.get(bindingId) ?? { first: event.revision, dates: false, fills: false };
    replaced.set(bindingId, {
      first: before.first,
      dates: before.dates || syncDate !== undefined,
      fills: before.fills || data !== undefined,
    });
  }
  return replaced;
}
