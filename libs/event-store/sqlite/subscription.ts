import { setImmediate as nextTurn } from 'node:timers/promises';
import { START, type Position, type SubscribeTo, type SubscriptionBatch } from '#event-store';
import type { ChangeSignal } from './change-signal.js';
import type { EventReader, Page } from './event-reader.js';

/** At most so many events in one batch, and no more once it holds so many bytes: reading is synchronous, and holds others up. */
const MAX_BATCH_EVENTS = 512;
const MAX_BATCH_BYTES = 1_048_576;

/** Where a subscription stands: reads on from there. `moved` is false when the read found nothing and went nowhere. */
interface Cursor {
  readonly position: Position;
  next(): Page & { moved: boolean };
}

/**
 * Follows a cursor for ever. A page is read when the consumer asks for it, and not before: between two pages the event loop
 * gets its turn, since reading is synchronous. Being caught up is said again after every time the reader was behind.
 */
export async function* follow(
  cursor: Cursor,
  changes: ChangeSignal,
  signal: AbortSignal,
): AsyncGenerator<SubscriptionBatch, void, undefined> {
  let caughtUp = false;
  while (!signal.aborted) {
    const version = changes.watch();
    const { events, end, moved } = cursor.next();
    if (moved || end !== caughtUp) {
      caughtUp = end;
      yield { events, position: cursor.position, caughtUp };
    }
    if (end) await changes.wait(version, signal);
    else await nextTurn();
  }
}

export function cursorFor(to: SubscribeTo, reader: EventReader): Cursor {
  return 'stream' in to ? new StreamCursor(reader, to.stream, to.after) : new StoreCursor(reader, to.streamPrefixes, to.after);
}

class StreamCursor implements Cursor {
  position: Position = START;

  constructor(
    private readonly reader: EventReader,
    private readonly stream: string,
    private revision: number,
  ) {}

  next() {
    const size = { limit: MAX_BATCH_EVENTS, maxBytes: MAX_BATCH_BYTES };
    const page = this.reader.ofStream(this.stream, false, this.revision, size);
    const last = page.events.at(-1);
    if (last !== undefined) [this.revision, this.position] = [last.revision, last.position];
    return { ...page, moved: last !== undefined };
  }
}

class StoreCursor implements Cursor {
  constructor(
    private readonly reader: EventReader,
    private readonly prefixes: readonly string[],
    public position: Position,
  ) {}

  next() {
    const page = this.reader.everything(this.position, this.prefixes, MAX_BATCH_EVENTS, MAX_BATCH_BYTES);
    const moved = page.position !== this.position;
    this.position = page.position;
    return { ...page, moved };
  }
}
