import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { MAX_PAGE_EVENTS, NO_STREAM, START, type SubscriptionBatch } from '#event-store';
import { append, event, many, range, readToEnd, revisionsOf } from '../../../test/support/event-store/events.js';
import { Follower } from '../../../test/support/event-store/follower.js';
import { temporaryFolders } from '../../../test/support/temporary-folders.js';
import { Transpiled } from '../../../test/support/transpiled.js';
import { openSqliteEventStore } from './index.js';

const newFolder = temporaryFolders();
const transpiled = new Transpiled(['libs/event-store/sqlite/append-worker.ts']);
const appendWorker = transpiled.url('libs/event-store/sqlite/append-worker.ts');
afterAll(() => transpiled.remove());
afterEach(() => {
  vi.useRealTimers();
});

async function openPair(appendIn: 'worker' | 'thread') {
  const folder = newFolder();
  const writing = await openSqliteEventStore({ folder, appendIn, appendWorker });
  const reading = await openSqliteEventStore({ folder, readOnly: true });
  const close = async () => {
    await reading.close();
    await writing.close();
  };
  return { writing, reading, close };
}

describe('a follower in another store on the same folder', () => {
  it.each(['worker', 'thread'] as const)(
    'is told of an append in a %s at once: it needs no look at the file',
    async (appendIn) => {
      // The time of the next look never comes.
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
      const { writing, reading, close } = await openPair(appendIn);
      const followers = [writing, reading].map((store) => new Follower(store, { streamPrefixes: [''], after: START }));
      for (const follower of followers) await follower.until(() => follower.caughtUp);
      for (const revision of range(NO_STREAM, 20)) {
        await append(writing, 'a', revision, many(1));
        for (const follower of followers) await follower.until(() => follower.events.length === revision + 2);
      }
      for (const follower of followers) await follower.stop();
      expect(vi.getTimerCount()).toBe(0);
      await close();
    },
  );

  it('looks at the file from time to time although nobody told it anything', async () => {
    const { writing, reading, close } = await openPair('thread');
    const post = vi.spyOn(BroadcastChannel.prototype, 'postMessage').mockImplementation(() => undefined);
    const follower = new Follower(reading, { stream: 'a', after: NO_STREAM });
    await nextTurn();
    await append(writing, 'a', NO_STREAM, many(3));
    expect(revisionsOf(await follower.take(3))).toEqual([0, 1, 2]);
    expect(post).toHaveBeenCalled();
    post.mockRestore();
    await close();
  });
});

describe('batches', () => {
  it('are read when the consumer asks, and not before', async () => {
    const store = await openSqliteEventStore({ folder: ':memory:' });
    await append(store, 'a', NO_STREAM, many(1_000));
    const batches = store.subscribe({ stream: 'a', after: NO_STREAM }, new AbortController().signal)[Symbol.asyncIterator]();
    const first = (await batches.next()).value as SubscriptionBatch;
    expect(first.caughtUp).toBe(false);
    await append(store, 'a', 999, many(1_000));
    let last: SubscriptionBatch;
    const seen = [...first.events];
    do {
      last = (await batches.next()).value as SubscriptionBatch;
      seen.push(...last.events);
    } while (!last.caughtUp);
    // A second batch that had been read ahead would have said that it had caught up at 999.
    expect(revisionsOf(seen)).toEqual(range(0, 1_999));
    await batches.return?.();
    await store.close();
  });

  it('and pages hold few large events', async () => {
    const store = await openSqliteEventStore({ folder: ':memory:' });
    const large = () => Array.from({ length: 100 }, () => event('Large', { filler: 'x'.repeat(10_000) }));
    for (let count = 0; count < 8; count += 1) await append(store, 'a', count * 100 - 1, large());
    const follower = new Follower(store, { streamPrefixes: ['a'], after: START });
    await follower.take(800);
    expect(Math.max(...follower.batches.map(({ events }) => events.length))).toBeLessThan(300);
    const page = await store.readAll({ after: START, streamPrefixes: ['a'], limit: MAX_PAGE_EVENTS });
    expect(page).toMatchObject({ end: false });
    expect(page.events.length).toBeLessThan(300);
    expect((await readToEnd(store, 'a', START)).events).toEqual(follower.events);
    await store.close();
  });

  it('of what does not match come in turns, however much of it there is', async () => {
    const store = await openSqliteEventStore({ folder: ':memory:' });
    for (let start = 0; start < 40_000; start += 4_000) {
      await append(
        store,
        'noise',
        start - 1,
        Array.from({ length: 4_000 }, () => event('Noise', {}, {})),
      );
    }
    await append(store, 'signal', NO_STREAM, many(1));
    let turns = 0;
    const counting = setInterval(() => (turns += 1), 0);
    const follower = new Follower(store, { streamPrefixes: ['signal'], after: START });
    const [found] = await follower.take(1);
    clearInterval(counting);
    expect(found?.stream).toBe('signal');
    expect(follower.batches.length).toBeGreaterThanOrEqual(5);
    expect(turns).toBeGreaterThan(0);
    await store.close();
  });
});

it('a position that this store never gave out is refused', async () => {
  const store = await openSqliteEventStore({ folder: ':memory:' });
  await expect(store.readAll({ after: 'C:1/P:1', streamPrefixes: [''], limit: 1 })).rejects.toBeInstanceOf(RangeError);
  await expect(new Follower(store, { streamPrefixes: [''], after: '12' }).ended).rejects.toBeInstanceOf(RangeError);
  await expect(new Follower(store, { stream: 'a', after: -2 }).ended).rejects.toBeInstanceOf(RangeError);
  await expect(store.append('a', 0.5, many(1))).rejects.toBeInstanceOf(RangeError);
  await store.close();
});
