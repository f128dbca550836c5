import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { NO_STREAM, START, type EventStore, type SubscriptionBatch } from '#event-store';
import { append, event, idsOf, many, nameOf, range, readWhole, revisionsOf, type Subject } from './events.js';
import { Follower } from './follower.js';

/** Appends so many events in appends of the given size, without a pause. */
async function appendSteadily(store: EventStore, stream: string, count: number, size: number): Promise<void> {
  for (let start = 0; start < count; start += size) await append(store, stream, start - 1, many(size));
}

export function followingStream(store: Subject): void {
  it('gives history first, then what is appended, in order, none twice', async () => {
    const stream = nameOf('live');
    await append(store(), stream, NO_STREAM, many(4));
    const follower = new Follower(store(), { stream, after: NO_STREAM });
    await follower.until(() => follower.caughtUp);
    expect(revisionsOf(follower.events)).toEqual([0, 1, 2, 3]);
    await append(store(), stream, 3, many(3));
    const events = await follower.take(7);
    expect(events).toEqual(await readWhole(store(), stream));
  });

  it('has no gap and no repeat where history ends and appends go on', async () => {
    const stream = nameOf('busy');
    const writing = appendSteadily(store(), stream, 1_500, 15);
    const followers = range(0, 3).map(() => new Follower(store(), { stream, after: NO_STREAM }));
    for (const follower of followers) expect(revisionsOf(await follower.take(1_500))).toEqual(range(0, 1_499));
    await writing;
  });

  it('begins after the revision that it is given', async () => {
    const stream = nameOf('resume');
    await append(store(), stream, NO_STREAM, many(4));
    const [resumed, atEnd] = [1, 3].map((after) => new Follower(store(), { stream, after })) as [Follower, Follower];
    expect(revisionsOf(await resumed.take(2))).toEqual([2, 3]);
    await append(store(), stream, 3, many(1));
    expect(revisionsOf(await atEnd.take(1))).toEqual([4]);
  });

  it('waits for a stream that does not exist yet', async () => {
    const stream = nameOf('later');
    const follower = new Follower(store(), { stream, after: NO_STREAM });
    await nextTurn();
    const batch = many(2);
    await append(store(), stream, NO_STREAM, batch);
    expect(idsOf(await follower.take(2))).toEqual(idsOf(batch));
  });

  it('says that it has caught up once history has been given', async () => {
    const stream = nameOf('caught');
    await append(store(), stream, NO_STREAM, many(30));
    const follower = new Follower(store(), { stream, after: NO_STREAM });
    await follower.until(() => follower.caughtUp);
    expect(follower.events).toHaveLength(30);
    const last = follower.batches.findLast(({ events }) => events.length > 0);
    expect(last?.position).toBe(follower.events.at(-1)?.position);
    await follower.stop();
  });

  it('lets two followers both see everything', async () => {
    const stream = nameOf('fanout');
    const followers = range(1, 2).map(() => new Follower(store(), { stream, after: NO_STREAM }));
    await appendSteadily(store(), stream, 20, 1);
    const written = await readWhole(store(), stream);
    for (const follower of followers) expect(await follower.take(20)).toEqual(written);
  });

  it('gives a slow consumer everything, when it asks', async () => {
    const stream = nameOf('slow');
    const pause = async () => {
      for (let turn = 0; turn < 20; turn += 1) await nextTurn();
    };
    const follower = new Follower(store(), { stream, after: NO_STREAM }, pause);
    await appendSteadily(store(), stream, 3_000, 100);
    expect(revisionsOf(await follower.take(3_000))).toEqual(range(0, 2_999));
  });

  it('ends when it is aborted: while it waits, between two batches, and before it began', async () => {
    const stream = nameOf('abort');
    await append(store(), stream, NO_STREAM, many(2));
    const waiting = new Follower(store(), { stream, after: NO_STREAM });
    await waiting.until(() => waiting.caughtUp);
    await waiting.stop();

    const abort = new AbortController();
    let batches = 0;
    for await (const batch of store().subscribe({ stream, after: NO_STREAM }, abort.signal)) {
      batches += 1;
      expect(batch.events.length).toBeGreaterThan(0);
      abort.abort();
    }
    expect(batches).toBe(1);
    const none: SubscriptionBatch[] = [];
    for await (const batch of store().subscribe({ stream, after: NO_STREAM }, abort.signal)) none.push(batch);
    expect(none).toEqual([]);
  });

  it('can be left by its consumer', async () => {
    const stream = nameOf('left');
    await append(store(), stream, NO_STREAM, many(5));
    for await (const { events } of store().subscribe({ stream, after: NO_STREAM }, new AbortController().signal)) {
      if (events.length > 0) break;
    }
    expect(await store().append(stream, 4, many(1))).toMatchObject({ ok: true });
  });
}

export function followingAll(store: Subject): void {
  it('gives a prefix only, streams interleaved in the order of the commits', async () => {
    const prefix = nameOf('interleaved');
    const [a, b] = [`${prefix}-a`, `${prefix}-b`];
    const start = await append(store(), nameOf('before'), NO_STREAM, many(1));
    const follower = new Follower(store(), { streamPrefixes: [`${prefix}-`], after: start.position });
    await follower.until(() => follower.caughtUp);
    await append(store(), a, NO_STREAM, many(1));
    await append(store(), nameOf('noise'), NO_STREAM, many(5));
    await append(store(), b, NO_STREAM, many(2));
    await append(store(), a, 0, many(1));
    const events = await follower.take(4);
    expect(follower.seen).toEqual([`${a}@0`, `${b}@0`, `${b}@1`, `${a}@1`]);
    const positions = events.map(({ position }) => position);
    expect([...positions].sort()).toEqual(positions);
  });

  it('has no gap and no repeat while many streams are written', async () => {
    const prefix = nameOf('many');
    const streams = range(1, 8).map((index) => `${prefix}-${index}`);
    const writing = Promise.all(streams.map((stream) => appendSteadily(store(), stream, 120, 8)));
    const follower = new Follower(store(), { streamPrefixes: [`${prefix}-`], after: START });
    await follower.take(960);
    await writing;
    for (const stream of streams) {
      const events = follower.events.filter((one) => one.stream === stream);
      expect(revisionsOf(events)).toEqual(range(0, 119));
    }
  });

  it('begins after the position that it is given', async () => {
    const stream = nameOf('resumed');
    const first = await append(store(), stream, NO_STREAM, many(1));
    await append(store(), stream, 0, many(2));
    const follower = new Follower(store(), { streamPrefixes: [stream], after: first.position });
    expect(revisionsOf(await follower.take(2))).toEqual([1, 2]);
  });

  it('can be resumed after any of its batches without a gap or a repeat', async () => {
    const prefix = nameOf('chained');
    let { position } = await append(store(), nameOf('before'), NO_STREAM, many(1));
    const seen: string[] = [];
    for (let round = 0; round < 6; round += 1) {
      await append(store(), nameOf('noise'), NO_STREAM, many(3));
      const appended = await append(store(), prefix, round * 4 - 1, many(4));
      for await (const batch of store().subscribe({ streamPrefixes: [prefix], after: position }, new AbortController().signal)) {
        seen.push(...batch.events.map(({ revision }) => String(revision)));
        position = batch.position;
        if (position >= appended.position) break;
      }
    }
    expect(seen).toEqual(range(0, 23).map(String));
  });

  it('moves the position on although nothing matches', async () => {
    const start = await append(store(), nameOf('before'), NO_STREAM, many(1));
    const prefix = nameOf('unmatched');
    const follower = new Follower(store(), { streamPrefixes: [prefix], after: start.position });
    const noise = await append(store(), nameOf('noise'), NO_STREAM, many(300));
    const reached = () => (follower.batches.at(-1)?.position ?? START) >= noise.position;
    await append(store(), prefix, NO_STREAM, [event('Match')]);
    await follower.until(() => follower.events.length === 1);
    expect(reached()).toBe(true);
    const positions = follower.batches.map(({ position }) => position);
    expect([...positions].sort()).toEqual(positions);
    const matched = follower.batches.at(-1)?.position ?? START;
    await append(store(), nameOf('noise'), NO_STREAM, many(300));
    await follower.until(() => (follower.batches.at(-1)?.position ?? START) > matched);
    await follower.stop();
    expect(follower.events).toHaveLength(1);
  });

  it('says that it has caught up once history has been given, also where there is none', async () => {
    const stream = nameOf('history');
    await append(store(), stream, NO_STREAM, many(30));
    const follower = new Follower(store(), { streamPrefixes: [stream], after: START });
    await follower.until(() => follower.caughtUp);
    expect(follower.events).toHaveLength(30);
    await follower.stop();
    const nothing = new Follower(store(), { streamPrefixes: [nameOf('nothing')], after: START });
    await nothing.until(() => nothing.caughtUp);
    expect(nothing.events).toEqual([]);
    await nothing.stop();
  });
}

export function closing(makeStore: () => Promise<EventStore>): void {
  it('finishes the appends that were accepted, ends the subscriptions, and refuses whatever comes later', async () => {
    const store = await makeStore();
    const [stream, quiet] = [nameOf('closed'), nameOf('quiet')];
    await append(store, stream, NO_STREAM, many(1));
    const follower = new Follower(store, { stream, after: NO_STREAM });
    const waiting = new Follower(store, { streamPrefixes: [quiet], after: START });
    await follower.until(() => follower.events.length === 1);
    const accepted = Array.from({ length: 5 }, () => store.append(nameOf('accepted'), NO_STREAM, many(50)));
    await Promise.all([store.close(), store.close()]);
    expect((await Promise.all(accepted)).map(({ ok }) => ok)).toEqual([true, true, true, true, true]);
    await Promise.all([follower.ended, waiting.ended]);

    const closed = { name: 'EventStoreError', code: 'CLOSED' };
    await expect(store.append(stream, 0, many(1))).rejects.toMatchObject(closed);
    await expect(store.readStream(stream, { limit: 1 })).rejects.toMatchObject(closed);
    await expect(store.readAll({ after: START, streamPrefixes: [stream], limit: 1 })).rejects.toMatchObject(closed);
    await expect(store.headRevision(stream)).rejects.toMatchObject(closed);
    await expect(store.ping()).rejects.toMatchObject(closed);
    await expect(new Follower(store, { stream, after: NO_STREAM }).ended).rejects.toMatchObject(closed);
  });
}
