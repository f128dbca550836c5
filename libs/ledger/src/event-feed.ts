/** The events of all bindings, in the order of the store: by pages, and followed. */
import type { LedgerName } from '#domain';
import { EventStoreError, type EventStore, type Position } from '#event-store';
import { EventMatcher, type EventFilter } from './event-filter.js';
import { EventTail, MAX_SEGMENT_LENGTH, type Segment } from './event-tail.js';
import { toFeedPart, withinLength, type FeedEvent, type FeedPart } from './feed-events.js';
import type { Positions } from './positions.js';
import type { StreamNames } from './streams.js';
import { Turns } from './turns.js';

/** Events that are read together while somebody catches up. */
const READ_EVENTS = 128;
/** Readers that go on in one turn of the event loop: of the tail, and of pages, which are parsed for each. */
const TAIL_READERS_A_TURN = 16;
const PAGE_READERS_A_TURN = 1;
/** A page of few matches ends after so much of the store was searched: whoever asked is told how far. */
export const MAX_SEARCHED_READS = 64;
/** Characters of JSON in one page. */
export const MAX_PAGE_LENGTH = 4_194_304;

export interface FeedTools {
  store: EventStore;
  streams: StreamNames;
  positions: Positions;
  localModelOf: (ledger: LedgerName) => Promise<string | null>;
}

/** Events in order, perhaps none, and where to go on. */
export interface FeedBatch {
  events: readonly FeedEvent[];
  /** As the store has it. */
  position: Position;
}

export interface FeedPage extends FeedBatch {
  /** Nothing was behind it when it was read. */
  end: boolean;
}

export interface FollowOptions {
  /** After this long without anything new, a batch without events says where the reader is. */
  idleMs: number;
}

/**
 * Readers that are near the end share one subscription to the store and the parsed events; the others read pages of their own until
 * they are there too. What a reader has not taken is not read for it, so a slow reader costs one batch.
 *
 * Events come from the store itself: the read model may not have them yet.
 */
export class EventFeed {
  readonly positions: Positions;
  private opening: Promise<EventTail> | undefined;
  private tail: EventTail | undefined;
  private readonly tailTurns = new Turns(TAIL_READERS_A_TURN);
  private readonly pageTurns = new Turns(PAGE_READERS_A_TURN);
  private readonly following = new Set<AbortController>();
  private closed = false;

  constructor(private readonly tools: FeedTools) {
    this.positions = tools.positions;
  }

  /** One page after a position: shorter than `limit`, or empty, where little fits or events are large. @throws {UnknownEvent} */
  async page(from: Position, filter: EventFilter, limit: number): Promise<FeedPage> {
    const matcher = new EventMatcher(filter);
    const found: FeedEvent[] = [];
    let [position, length, end] = [from, 0, false];
    for (let reads = 0; reads < MAX_SEARCHED_READS && !end && found.length < limit && length < MAX_PAGE_LENGTH; reads += 1) {
      const part = await this.read(position, matcher, matcher.all ? limit - found.length : READ_EVENTS);
      const wanted = part.events.slice(0, limit - found.length);
      const all = wanted.length === part.events.length;
      if (part.failure !== undefined && found.length + wanted.length === 0) throw part.failure;
      for (const event of wanted) length += event.json.length;
      found.push(...wanted);
      position = all ? part.position : (wanted.at(-1) as FeedEvent).position;
      if (part.failure !== undefined) break;
      end = all && part.end;
    }
    return { events: found, position, end };
  }

  /**
   * Everything that fits after a position, then whatever comes: no gap, no repeat. Ends when the signal aborts or the ledger closes.
   * @throws {UnknownEvent | EventStoreError} where it cannot go on; what was before has been given out.
   */
  async *follow(
    from: Position,
    filter: EventFilter,
    { idleMs }: FollowOptions,
    signal: AbortSignal,
  ): AsyncGenerator<FeedBatch, void, undefined> {
    const ending = new AbortController();
    const end = () => ending.abort();
    signal.addEventListener('abort', end);
    this.following.add(ending);
    if (signal.aborted || this.closed) end();
    try {
      yield* this.followUntil(ending.signal, from, filter, idleMs);
    } finally {
      signal.removeEventListener('abort', end);
      this.following.delete(ending);
    }
  }

  /** Ends everything that follows. */
  close(): void {
    this.closed = true;
    for (const ending of this.following) ending.abort();
  }

  private async *followUntil(
    ended: AbortSignal,
    from: Position,
    filter: EventFilter,
    idleMs: number,
  ): AsyncGenerator<FeedBatch, void, undefined> {
    if (ended.aborted) return;
    const matcher = new EventMatcher(filter);
    const tail = await this.join();
    let position = from;
    try {
      while (!ended.aborted) {
        const batch =
          position < tail.beginning ? await this.behind(position, matcher, tail) : await this.near(position, matcher, tail);
        if (batch !== undefined) {
          position = batch.position;
          yield batch;
          continue;
        }
        // What came while the answer was on its way here has woken nobody: from this look to the wait nothing can come between.
        if (tail.next(position) !== undefined) continue;
        if (tail.ended !== undefined) {
          if ('error' in tail.ended) throw tail.ended.error;
          return;
        }
        await tail.changed(ended, idleMs);
        if (tail.next(position) === undefined && tail.ended === undefined && !ended.aborted) yield { events: [], position };
      }
    } catch (error) {
      if (!(error instanceof EventStoreError && error.code === 'CLOSED')) throw error;
    } finally {
      this.leave(tail);
    }
  }

  /** The next part of the tail for a reader that has read up to where it begins, or farther. */
  private async near(position: Position, matcher: EventMatcher, tail: EventTail): Promise<FeedBatch | undefined> {
    if (tail.next(position) === undefined) return undefined;
    await this.tailTurns.next();
    // Meanwhile the tail may have dropped what this reader needs.
    if (position < tail.beginning) return this.behind(position, matcher, tail);
    const segment = tail.next(position) as Segment;
    const events = segment.after === position ? segment.events : segment.events.filter((event) => event.position > position);
    return {
      events: matcher.all ? events : events.filter(({ view }) => matcher.event(view)),
      position: segment.until,
    };
  }

  private async behind(position: Position, matcher: EventMatcher, tail: EventTail): Promise<FeedBatch> {
    const { beginning } = tail;
    const part = await this.read(position, matcher, READ_EVENTS);
    if (part.failure !== undefined && part.events.length === 0) throw part.failure;
    const events = withinLength(part.events, MAX_SEGMENT_LENGTH);
    if (events.length < part.events.length) return { events, position: (events.at(-1) as FeedEvent).position };
    // The end of the store was read, and the tail began before it: what the store does not show for a position is nothing.
    const reached = part.end && part.position < beginning ? beginning : part.position;
    return { events, position: reached };
  }

  private async read(after: Position, matcher: EventMatcher, wanted: number): Promise<FeedPart & { end: boolean }> {
    const { store, streams, positions } = this.tools;
    await this.pageTurns.next();
    const limit = Math.min(READ_EVENTS, wanted);
    const page = await store.readAll({ after, streamPrefixes: matcher.prefixes(streams), limit });
    const publish = await positions.publisher();
    const part = await toFeedPart(page.events, { after, until: page.position }, matcher, publish, this.tools);
    return { ...part, end: page.end && part.failure === undefined };
  }

  private async join(): Promise<EventTail> {
    for (;;) {
      const first = this.opening === undefined;
      const opening = (this.opening ??= EventTail.open(this.tools));
      try {
        const tail = await opening;
        if (tail.usable) {
          tail.readers += 1;
          this.tail = tail;
          return tail;
        }
        // One that was closed, or failed for those before, is replaced; one that fails at once is not tried for ever.
        if (first && tail.ended !== undefined && 'error' in tail.ended) throw tail.ended.error;
        if (this.opening === opening) this.opening = undefined;
      } catch (error) {
        if (this.opening === opening) this.opening = undefined;
        throw error;
      }
    }
  }

  /** The last one closes the tail: nobody pays for what nobody reads. */
  private leave(tail: EventTail): void {
    tail.readers -= 1;
    if (tail.readers > 0) return;
    tail.close();
    if (this.tail !== tail) return;
    this.tail = undefined;
    this.opening = undefined;
  }
}
