/** The newest events of all ledgers, read from the store once for all who follow them. */
import type { EventStore, Position } from '#event-store';
import { EventMatcher } from './event-filter.js';
import { toFeedPart, withinLength, type FeedEvent, type FeedEventTools } from './feed-events.js';
import type { Positions } from './positions.js';

/** What the tail keeps at most; a reader that is farther behind reads pages of the store until it has caught up. */
export const MAX_TAIL_EVENTS = 8_192;
export const MAX_TAIL_LENGTH = 8_388_608;
/** What readers are given at once at most. */
export const MAX_SEGMENT_EVENTS = 64;
export const MAX_SEGMENT_LENGTH = 65_536;

/** Neighbouring events, and the positions between which there are no others. Readers at its beginning share it as it is. */
export interface Segment {
  readonly after: Position;
  until: Position;
  readonly events: readonly FeedEvent[];
  readonly length: number;
}

export interface TailTools extends FeedEventTools {
  store: EventStore;
  positions: Positions;
}

/** One subscription to the store, from its end as of `open` on; closed when nobody reads it any more. */
export class EventTail {
  /** How many read it. */
  readers = 0;
  /** Set when the subscription is over: with its error, or because the store closes. */
  ended: { error?: unknown } | undefined;
  private start: Position = '';
  private segments: Segment[] = [];
  private events = 0;
  private length = 0;
  private readonly closing = new AbortController();
  private readonly waiting = new Set<() => void>();

  private constructor(private readonly tools: TailTools) {}

  static async open(tools: TailTools): Promise<EventTail> {
    const tail = new EventTail(tools);
    tail.start = await tools.store.endPosition();
    tail.follow().then(
      () => tail.end({}),
      (error: unknown) => tail.end({ error }),
    );
    return tail;
  }

  /** Whether it goes on reading. */
  get usable(): boolean {
    return this.ended === undefined && !this.closing.signal.aborted;
  }

  /** Events after this position are here, as far as they have been read. */
  get beginning(): Position {
    return this.segments[0]?.after ?? this.start;
  }

  /** The segment that goes on after a position, or `undefined` when nothing has come after it yet. */
  next(position: Position): Segment | undefined {
    let [low, high] = [0, this.segments.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.segments[middle] as Segment).until <= position) low = middle + 1;
      else high = middle;
    }
    return this.segments[low];
  }

  /** Resolves when something came, or the tail ended, or after `idleMs`, or when the signal aborts. */
  changed(signal: AbortSignal, idleMs: number): Promise<void> {
    if (signal.aborted || this.ended !== undefined) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', wake);
        this.waiting.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, idleMs).unref();
      signal.addEventListener('abort', wake, { once: true });
      this.waiting.add(wake);
    });
  }

  close(): void {
    this.closing.abort();
  }

  private async follow(): Promise<void> {
    const { store, streams, positions } = this.tools;
    const everything = new EventMatcher();
    let after = this.start;
    for await (const batch of store.subscribe({ streamPrefixes: everything.prefixes(streams), after }, this.closing.signal)) {
      const publish = await positions.publisher();
      const range = { after, until: batch.position };
      const { events, position, failure } = await toFeedPart(batch.events, range, everything, publish, this.tools);
      this.add(after, events, position);
      if (failure !== undefined) throw failure;
      after = position;
    }
  }

  private add(after: Position, events: readonly FeedEvent[], until: Position): void {
    let [from, rest] = [after, events];
    while (rest.length > 0) {
      const together = withinLength(rest.slice(0, MAX_SEGMENT_EVENTS), MAX_SEGMENT_LENGTH);
      rest = rest.slice(together.length);
      const reached = rest.length === 0 ? until : (together.at(-1) as FeedEvent).position;
      this.push({ after: from, until: reached, events: together, length: lengthOf(together) });
      from = reached;
    }
    if (events.length === 0 && until > after) this.moved(after, until);
    if (until > after) this.wake();
  }

  private push(segment: Segment): void {
    this.segments.push(segment);
    this.events += segment.events.length;
    this.length += segment.length;
    while ((this.events > MAX_TAIL_EVENTS || this.length > MAX_TAIL_LENGTH) && this.segments.length > 1) {
      const oldest = this.segments.shift() as Segment;
      this.events -= oldest.events.length;
      this.length -= oldest.length;
    }
  }

  /** Nothing for anybody up to `until`: the newest segment reaches farther. */
  private moved(after: Position, until: Position): void {
    const newest = this.segments.at(-1);
    if (newest === undefined) this.push({ after, until, events: [], length: 0 });
    else newest.until = until;
  }

  private end(how: { error?: unknown }): void {
    this.ended = how;
    this.wake();
  }

  private wake(): void {
    for (const wake of this.waiting) wake();
  }
}

function lengthOf(events: readonly FeedEvent[]): number {
  return events.reduce((length, { json }) => length + json.length, 0);
}
