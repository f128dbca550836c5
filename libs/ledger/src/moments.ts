/** Where a ledger stood at an instant: instants become revisions, which are exact. */
import { ledgerKey, refuse, type LedgerName, type Refusal } from '#domain';
import type { EventStore, RecordedEvent } from '#event-store';
import { readLedgerEvent } from './chain.js';
import type { StreamNames } from './streams.js';

/** What an answer of the past is asked for: the ledger as it was after a revision, or at an instant (UTC, milliseconds). */
export type AsOf = { revision: number } | { at: string };

/** The revision that an answer of the past was given for, and when its event was recorded; −1 and `null` before the first event. */
export interface Moment {
  revision: number;
  at: string | null;
}

const BEFORE_ALL_EVENTS: Moment = { revision: -1, at: null };

export interface MomentTools {
  store: EventStore;
  streams: StreamNames;
  clock(): number;
  /** An instant that is younger than this may yet get events: of a slow clock, or of an append that is still on its way. */
  youngestMs: number;
}

export class Moments {
  constructor(private readonly tools: MomentTools) {}

  async of(ledger: LedgerName, asOf: AsOf): Promise<Moment | Refusal> {
    if ('at' in asOf) return this.tooYoung(asOf.at) ?? this.at(ledger, asOf.at);
    if (asOf.revision < 0) return BEFORE_ALL_EVENTS;
    const { store, streams } = this.tools;
    const [event] = await store.readStream(streams.ledger(ledger), { after: asOf.revision - 1, limit: 1 });
    return event === undefined
      ? refuse('MALFORMED', `asOf: ${ledgerKey(ledger)} has no revision ${asOf.revision} yet`)
      : momentOf(event);
  }

  /** Why there is no answer for an instant yet. */
  tooYoung(at: string): Refusal | undefined {
    const { clock, youngestMs } = this.tools;
    if (Date.parse(at) <= clock() - youngestMs) return undefined;
    const detail = `asOf: what was true at ${at} is not certain yet: ask for an instant at least ${youngestMs / 1_000} s ago`;
    return refuse('MALFORMED', detail);
  }

  /** Of several events in the same millisecond the last one counts: recorded times never go backwards in a ledger. */
  private async at(ledger: LedgerName, at: string): Promise<Moment> {
    const newest = await newestEvent(this.tools, ledger, (event) => recordedAt(event) <= at);
    return newest === undefined ? BEFORE_ALL_EVENTS : momentOf(newest);
  }
}

/** The newest event of a ledger of which something holds that holds of none after the first of which it does not. */
export async function newestEvent(
  { store, streams }: Pick<MomentTools, 'store' | 'streams'>,
  ledger: LedgerName,
  holds: (event: RecordedEvent) => boolean,
): Promise<RecordedEvent | undefined> {
  const stream = streams.ledger(ledger);
  const [head] = await store.readStream(stream, { direction: 'backwards', limit: 1 });
  if (head === undefined || holds(head)) return head;
  let found: RecordedEvent | undefined;
  for (let [from, to] = [0, head.revision]; from < to;) {
    const middle = Math.floor((from + to) / 2);
    const [event] = await store.readStream(stream, { after: middle - 1, limit: 1 });
    if (event === undefined) throw new Error(`broken invariant: ${stream} has no revision ${middle}, but a later one`);
    if (holds(event)) [found, from] = [event, middle + 1];
    else to = middle;
  }
  return found;
}

function recordedAt(event: RecordedEvent): string {
  return readLedgerEvent(event).metadata.at;
}

function momentOf(event: RecordedEvent): Moment {
  return { revision: event.revision, at: recordedAt(event) };
}
