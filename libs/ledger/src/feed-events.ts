/** Events of bindings as readers of the feed get them: parsed once, however many readers there are. */
import { isBindingEvent, ledgerKey, type LedgerName } from '#domain';
import type { Position, RecordedEvent } from '#event-store';
import { readLedgerEvent, UnknownEvent } from './chain.js';
import type { BindingEventView, EventMatcher } from './event-filter.js';
import { viewEvent, type Place } from './located.js';
import type { PublishPosition } from './positions.js';
import type { StreamNames } from './streams.js';

export class FeedEvent {
  private text: string | undefined;

  constructor(
    /** As the store has it; `view.position` is for clients. */
    readonly position: Position,
    readonly view: BindingEventView,
  ) {}

  /** As JSON, made once. */
  get json(): string {
    this.text ??= JSON.stringify(this.view);
    return this.text;
  }
}

/** What became of a part of the store: events up to `position`, and, when reading could not go on there, why. */
export interface FeedPart {
  events: FeedEvent[];
  position: Position;
  failure?: UnknownEvent;
}

export interface FeedEventTools {
  streams: StreamNames;
  localModelOf: (ledger: LedgerName) => Promise<string | null>;
}

/**
 * Takes what fits out of a part of the store that was read after `after` and up to `until`. An event that this version does not know is
 * not skipped: the part ends before it.
 */
export async function toFeedPart(
  recorded: readonly RecordedEvent[],
  { after, until }: { after: Position; until: Position },
  matcher: EventMatcher,
  publish: PublishPosition,
  tools: FeedEventTools,
): Promise<FeedPart> {
  const events: FeedEvent[] = [];
  const places = new Map<string, Place>();
  let reached = after;
  for (const each of recorded) {
    const ledger = tools.streams.ledgerOf(each.stream);
    if (ledger !== undefined && matcher.ledger(ledger)) {
      const event = known(each);
      if (event instanceof UnknownEvent) return { events, position: reached, failure: event };
      if (isBindingEvent(event)) {
        const place = await placeOf(ledger, places, tools);
        // An event of a binding has all members of its identity, which the view's type leaves open.
        const view = viewEvent(place, each.position, event) as BindingEventView;
        if (matcher.event(view)) {
          view.position = publish(each.position);
          events.push(new FeedEvent(each.position, view));
        }
      }
    }
    reached = each.position;
  }
  return { events, position: until };
}

function known(recorded: RecordedEvent): ReturnType<typeof readLedgerEvent> | UnknownEvent {
  try {
    return readLedgerEvent(recorded);
  } catch (error) {
    if (error instanceof UnknownEvent) return error;
    throw error;
  }
}

async function placeOf(ledger: LedgerName, places: Map<string, Place>, { localModelOf }: FeedEventTools): Promise<Place> {
  const key = ledgerKey(ledger);
  const met = places.get(key);
  if (met !== undefined) return met;
  const place = { ...ledger, localModel: await localModelOf(ledger) };
  places.set(key, place);
  return place;
}

/** The first events whose JSON is at most so long together; at least one. */
export function withinLength(events: readonly FeedEvent[], maxLength: number): readonly FeedEvent[] {
  let length = 0;
  const end = events.findIndex((event, index) => (length += event.json.length) > maxLength && index > 0);
  return end < 0 ? events : events.slice(0, end);
}
