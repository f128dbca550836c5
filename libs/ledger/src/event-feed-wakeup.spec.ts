/** Readers at the end of the tail, at the moment at which something comes. */
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { START, type EventStore, type RecordedEvent } from '#event-store';
import { EventFeed, type FeedBatch } from './event-feed.js';
import { Positions } from './positions.js';
import { StreamNames } from './streams.js';

/** More than the answer of a reader that found nothing takes on its way. */
const MOST_STEPS = 60;
const MOST_TURNS = 50;
const IDLE = { idleMs: 60_000 };

const streams = new StreamNames();
const positionOf = (revision: number) => String(revision + 1).padStart(4, '0');

function eventAt(revision: number): RecordedEvent {
  const data = { bindingId: `b${revision}`, version: 1, recordId: `r${revision}`, externalId: null, state: 'pending' };
  const metadata = { schema: 1, at: '2026-01-01T00:00:00.000Z', actor: 'job', correlationId: 'c', hash: '' };
  const [stream, storedAt] = [streams.ledger({ backend: 'shop', model: 'shop.product' }), metadata.at];
  return {
    stream,
    revision,
    position: positionOf(revision),
    id: `e${revision}`,
    type: 'BindingCreated',
    storedAt,
    data,
    metadata,
  };
}

/** Gives one event, and the next one when it is told to. */
class SteppedStore {
  private give = () => {};
  private readonly given = new Promise<void>((resolve) => (this.give = resolve));

  next(): void {
    this.give();
  }

  async *subscribe(_to: unknown, signal: AbortSignal) {
    yield { events: [eventAt(0)], position: positionOf(0), caughtUp: true };
    await this.given;
    yield { events: [eventAt(1)], position: positionOf(1), caughtUp: true };
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
  }

  endPosition = () => Promise.resolve(START);
  readStream = () => Promise.resolve([]);
  readAll = () => Promise.resolve({ events: [], position: START, end: true });
}

const recordsOf = ({ value }: IteratorResult<FeedBatch, void>) => value?.events.map(({ view }) => view.recordId);

// Time stands still: whoever is woken by nothing but the idle timer never is.
beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

describe('a reader that is at the end', () => {
  it('is given what comes at once, at whatever moment it comes', async () => {
    const late: number[] = [];
    for (let steps = 0; steps < MOST_STEPS; steps += 1) {
      const stepped = new SteppedStore();
      const store = stepped as unknown as EventStore;
      const positions = new Positions(store, streams);
      const feed = new EventFeed({ store, streams, positions, localModelOf: () => Promise.resolve(null) });
      const reader = feed.follow(START, {}, IDLE, new AbortController().signal);
      expect(recordsOf(await reader.next())).toEqual(['r0']);
      stepped.next();
      for (let step = 0; step < steps; step += 1) await Promise.resolve();
      let records: string[] | undefined;
      const reading = reader.next().then((batch) => (records = recordsOf(batch)));
      for (let turns = 0; turns < MOST_TURNS && records === undefined; turns += 1) await turn();
      if (records === undefined) late.push(steps);
      feed.close();
      await reading;
    }
    expect(late).toEqual([]);
  });
});
