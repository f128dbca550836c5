/** Histories: every event of a binding, a record or an external id, with what it changed from what. */
import { isBindingEvent, type BindingEvent, type JsonObject, type LedgerName, type RecordedLedgerEvent } from '#domain';
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

/** What each event replaced: known from an event before it in its run, else read once for each run. */
async function earlierValues(
  tools: HistoryTools,
  ledger: LedgerName,
  events: HistoryPart['events'],
): Promise<Map<number, Earlier>> {
  const runs = runsOf(events);
  const known = await valuesBefore(tools, ledger, runs);
  const earlier = new Map<number, Earlier>();
  for (const run of runs) {
    let before = known.get(run) ?? {};
    for (const { revision, data } of run) {
      const replaced: Earlier = {};
      const { syncDate, data: filled } = data;
      if (syncDate !== undefined && before.previousSyncDate !== undefined) replaced.previousSyncDate = before.previousSyncDate;
      if (filled !== undefined && before.previousData !== undefined) replaced.previousData = before.previousData;
      before = {
        previousSyncDate: syncDate === undefined ? before.previousSyncDate : syncDate,
        previousData: filled ?? before.previousData,
      };
      earlier.set(revision, replaced);
    }
  }
  return earlier;
}

/** Events of one binding that follow each other. A record's history leaves out what the binding went through with another record. */
type Run = (RecordedLedgerEvent & BindingEvent)[];

function runsOf(events: HistoryPart['events']): Run[] {
  const runs: Run[] = [];
  const newest = new Map<string, Run>();
  for (const { event } of events) {
    if (!isBindingEvent(event)) continue;
    const { bindingId, version } = event.data;
    const run = newest.get(bindingId);
    if (run !== undefined && run.at(-1)?.data.version === version - 1) {
      run.push(event);
      continue;
    }
    const begun = [event];
    newest.set(bindingId, begun);
    runs.push(begun);
  }
  return runs;
}

/** Date and data of bindings before runs of their events, as far as these replace them. */
async function valuesBefore(
  { store, readModel, streams }: HistoryTools,
  ledger: LedgerName,
  runs: readonly Run[],
): Promise<Map<Run, Earlier>> {
  const replacing = runs.filter((run) => run[0]?.type !== 'BindingCreated' && run.some(replacesAny));
  const told = new Map<Run, ToldBy>();
  for (let start = 0; start < replacing.length; start += STATES_AT_ONCE) {
    const ask = async (run: Run): Promise<void> => {
      const [{ revision, data }] = run as [Run[0] & object];
      const { bindings } = await readModel.statesAt(ledger, { bindingId: data.bindingId }, revision - 1);
      if (bindings[0] !== undefined) told.set(run, bindings[0]);
    };
    await Promise.all(replacing.slice(start, start + STATES_AT_ONCE).map(ask));
  }
  const wanted = replacing.flatMap((run) => {
    const { syncDate, data } = told.get(run) ?? {};
    const dates = run.some((event) => event.data.syncDate !== undefined);
    const fills = run.some((event) => event.data.data !== undefined);
    return [dates ? syncDate : undefined, fills ? data : undefined].filter((revision) => revision !== undefined);
  });
  const recorded = await readAllRevisions(store, streams.ledger(ledger), wanted);
  return new Map(
    [...told].map(([run, { syncDate, data }]) => [
      run,
      {
        previousSyncDate: recorded.get(syncDate)?.data['syncDate'] as string | null | undefined,
        previousData: recorded.get(data)?.data['data'] as JsonObject | undefined,
      },
    ]),
  );
}

function replacesAny({ data: { syncDate, data } }: BindingEvent): boolean {
  return syncDate !== undefined || data !== undefined;
}
