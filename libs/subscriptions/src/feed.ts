/** Events as a subscriber is given them: those of bindings, in the order of the store. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isBindingEvent, type LedgerName } from '#domain';
import {
  readLedgerEvent,
  UnknownEvent,
  viewEvent,
  type Place,
  type PublishPosition,
  type BindingEventView,
  type EventMatcher,
  type Positions,
  type StreamNames,
} from '#ledger';
import { EventStoreError, type EventStore, type Position, type RecordedEvent } from '#event-store';
import { ReadModelError } from '#read-model';
import type { BindingName } from './parking.js';

export interface FeedSource {
  store: EventStore;
  streams: StreamNames;
  positions: Positions;
  localModelOf(ledger: LedgerName): Promise<string | null>;
}

const LONGEST_WAIT_MS = 2_000;
const FIRST_WAIT_MS = 50;
const MAX_PLACES = 10_000;

/** Makes events what clients see. Where they stand is looked up once for each ledger. */
class EventViews {
  private readonly places = new Map<string, Place>();

  constructor(private readonly source: FeedSource) {}

  /** `undefined` for an event that is not of a binding of a ledger that is wanted. @throws {UnknownEvent} */
  async of(recorded: RecordedEvent, publish: PublishPosition, matcher?: EventMatcher): Promise<BindingEventView | undefined> {
    const place = this.places.get(recorded.stream) ?? (await this.placeOf(recorded.stream));
    if (place === undefined || matcher?.ledger(place) === false) return undefined;
    const event = readLedgerEvent(recorded);
    // An event of a binding has all members of its identity, which the view's type leaves open.
    return isBindingEvent(event) ? (viewEvent(place, publish(recorded.position), event) as BindingEventView) : undefined;
  }

  private async placeOf(stream: string): Promise<Place | undefined> {
    const ledger = this.source.streams.ledgerOf(stream);
    if (ledger === undefined) return undefined;
    const place = { ...ledger, localModel: await this.source.localModelOf(ledger) };
    if (this.places.size >= MAX_PLACES) this.places.clear();
    this.places.set(stream, place);
    return place;
  }
}

export interface FeedConsumer {
  /** Resolves when there is room for more. */
  take(event: BindingEventView, position: Position): Promise<void>;
  /** Everything up to the position was handed on. */
  passed(position: Position, caughtUp: boolean): void;
  /** The store, or the read model, cannot be used now: it is waited for. */
  trouble(error: Error): void;
}

/** Follows the store from after the position until the signal aborts. @throws what does not pass by waiting. */
export async function feed(
  source: FeedSource,
  matcher: EventMatcher,
  from: Position,
  consumer: FeedConsumer,
  signal: AbortSignal,
): Promise<void> {
  const { store, streams } = source;
  const streamPrefixes = matcher.prefixes(streams);
  const views = new EventViews(source);
  let after = from;
  let checked = false;
  await whileUnavailable(signal, consumer.trouble, async (succeeded) => {
    if (!checked) await requireKnown(store, from);
    checked = true;
    for await (const batch of store.subscribe({ streamPrefixes, after }, signal)) {
      const publish = await source.positions.publisher();
      for (const recorded of batch.events) {
        const event = await views.of(recorded, publish, matcher);
        if (event !== undefined && matcher.event(event)) await consumer.take(event, recorded.position);
        if (signal.aborted) return;
        after = recorded.position;
      }
      consumer.passed(batch.position, batch.caughtUp);
      after = batch.position;
      succeeded();
    }
  });
}

/** A checkpoint behind the end is one of a store that was restored since: what it then gets anew would be skipped. */
async function requireKnown(store: EventStore, position: Position): Promise<void> {
  if (position > (await store.endPosition()))
    throw new Error('its checkpoint lies behind the end of the event store, which was restored from a backup: reset it');
}

/** An event is not where it was, or this version does not know it any more: of no use to wait for it. */
export class UnreadableEvent extends Error {
  override readonly name = 'UnreadableEvent';
}

/** One event again. Waits for a store that cannot be used; `undefined` when the signal aborts. @throws {UnreadableEvent} */
export async function readAgain(
  source: FeedSource,
  { backend, model, bindingId }: BindingName,
  revision: number,
  signal: AbortSignal,
  trouble: (error: Error) => void,
): Promise<BindingEventView | undefined> {
  let event: BindingEventView | undefined;
  await whileUnavailable(signal, trouble, async () => {
    const [recorded] = await source.store.readStream(source.streams.ledger({ backend, model }), {
      after: revision - 1,
      limit: 1,
    });
    const publish = await source.positions.publisher();
    event = recorded === undefined ? undefined : await new EventViews(source).of(recorded, publish).catch(unreadable);
    if (event?.revision !== revision || event.bindingId !== bindingId)
      throw new UnreadableEvent(`${backend}/${model}@${revision} is not the event that was parked of binding ${bindingId}`);
  });
  return signal.aborted ? undefined : event;
}

function unreadable(error: unknown): never {
  if (error instanceof UnknownEvent) throw new UnreadableEvent(error.message, { cause: error });
  throw error;
}

async function whileUnavailable(
  signal: AbortSignal,
  trouble: (error: Error) => void,
  act: (succeeded: () => void) => Promise<void>,
): Promise<void> {
  for (let failures = 0; !signal.aborted; failures += 1) {
    try {
      return await act(() => (failures = 0));
    } catch (error) {
      if (signal.aborted) return;
      const passes = error instanceof EventStoreError || error instanceof ReadModelError;
      if (!passes || error.code === 'CLOSED') throw error;
      trouble(error);
      await sleep(Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** failures), undefined, { signal }).catch(() => undefined);
    }
  }
}
