import { afterEach, describe, expect, it } from 'vitest';
import { NO_STREAM, START, type EventStore, type SubscribeTo } from '#event-store';
import {
  append,
  event,
  many,
  nameOf,
  range,
  readToEnd,
  readWhole,
  revisionsOf,
} from '../../../test/support/event-store/events.js';
import { Follower } from '../../../test/support/event-store/follower.js';
import { startStandIn, type FaultSpec, type StandIn } from '../../../test/support/stand-in/index.js';
import { openEventStoreDb, type EventStoreDbOptions } from './index.js';

let node: StandIn;
let store: EventStore;
afterEach(async () => {
  await store.close();
  await node.stop();
});

async function start(options: Partial<EventStoreDbOptions> = {}): Promise<void> {
  node = await startStandIn();
  store = await openEventStoreDb({ url: node.url, deadlineMs: 2_000, silenceMs: 200, check: false, ...options });
}

async function appendMany(stream: string, count: number): Promise<void> {
  for (let first = 0; first < count; first += 100) await append(store, stream, first - 1, many(100));
}

describe('a subscription that is interrupted', () => {
  const faults: [string, Partial<FaultSpec>][] = [
    ['a cut connection', { kind: 'drop' }],
    ['an end that the node gives it', { kind: 'end' }],
    ['a stream of events that stalls', { kind: 'stall' }],
  ];
  const both: [string, (stream: string) => SubscribeTo][] = [
    ['a stream', (stream) => ({ stream, after: NO_STREAM })],
    ['all', (stream) => ({ streamPrefixes: [stream], after: START })],
  ];
  const cases = both.flatMap(([what, to]) => faults.map(([fault, spec]) => [what, fault, to, spec] as const));

  it.each(cases)('to %s, by %s, goes on behind the last event: none lost, none twice', async (what, _fault, to, spec) => {
    await start();
    const stream = nameOf('interrupted');
    await appendMany(stream, 1_000);
    const method = what === 'all' ? 'subscribeAll' : 'subscribeStream';
    node.faults.add({ kind: 'drop', method, afterEvents: 150, times: 5, ...spec });
    const follower = new Follower(store, to(stream));
    await follower.until(() => follower.events.length >= 1_000);
    await append(store, stream, 999, many(50));
    expect(revisionsOf(await follower.take(1_050))).toEqual(range(0, 1_049));
  });

  it('by a node that is away for a while finds what was written before and after', async () => {
    await start();
    const stream = nameOf('away');
    await appendMany(stream, 100);
    const followers = both.map(([, to]) => new Follower(store, to(stream)));
    for (const follower of followers) await follower.until(() => follower.caughtUp);
    await node.restart();
    for (let revision = 99; revision < 110;) {
      const result = await store.append(stream, revision, many(1)).catch(() => undefined);
      revision = result?.ok ? result.revision : await store.headRevision(stream).catch(() => revision);
    }
    const { length } = await readWhole(store, stream);
    for (const follower of followers) expect(revisionsOf(await follower.take(length))).toEqual(range(0, length - 1));
  });

  it('while it waits for its next attempt ends when it is told to', async () => {
    await start();
    const follower = new Follower(store, { streamPrefixes: ['a'], after: START });
    await follower.until(() => follower.caughtUp);
    await node.down();
    await follower.stop();
    await node.up();
  });
});

describe('a subscription to all', () => {
  it('moves its position to the end of the store although few others wrote and nothing matches: a restart searches nothing again', async () => {
    await start({ silenceMs: 50 });
    const follower = new Follower(store, { streamPrefixes: [nameOf('quiet')], after: START });
    await follower.until(() => follower.caughtUp);
    // Too few for the node to tell of.
    const others = await append(store, nameOf('others'), NO_STREAM, many(3));
    await follower.until(() => (follower.batches.at(-1)?.position ?? START) >= others.position);
    await follower.stop();
    expect(follower.events).toEqual([]);
  });

  it('begins again from its position only: what was searched is not sent again', async () => {
    await start();
    const prefix = nameOf('mine');
    await appendMany(nameOf('others'), 2_000);
    const { position } = await append(store, prefix, NO_STREAM, many(1));
    const before = node.log.events.length;
    const follower = new Follower(store, { streamPrefixes: [prefix], after: position });
    await follower.until(() => follower.caughtUp);
    await follower.stop();
    expect(follower.events).toEqual([]);
    expect(follower.batches).toHaveLength(1);
    expect(before).toBeGreaterThan(2_000);
  });
});

describe('reads', () => {
  it('that are never answered are given up: the client knows no deadline for them', async () => {
    await start({ deadlineMs: 500 });
    const stream = nameOf('silent');
    await append(store, stream, NO_STREAM, many(1));
    node.faults.add({ kind: 'silentBefore', method: ['readStream', 'readAll', 'subscribeAll'], times: Infinity });
    const unavailable = { name: 'EventStoreError', code: 'UNAVAILABLE' };
    await expect(store.readStream(stream, { limit: 1 })).rejects.toMatchObject(unavailable);
    await expect(store.headRevision(stream)).rejects.toMatchObject(unavailable);
    await expect(store.endPosition()).rejects.toMatchObject(unavailable);
    await expect(store.ping()).rejects.toMatchObject(unavailable);
    await expect(store.readAll({ after: START, streamPrefixes: [stream], limit: 1 })).rejects.toMatchObject(unavailable);
    node.faults.clear();
    expect(await store.readStream(stream, { limit: 1 })).toHaveLength(1);
  });

  it('of all are filtered by the node, not by reading everything', async () => {
    await start();
    const prefix = nameOf('filtered');
    await appendMany(nameOf('noise'), 1_000);
    await append(store, prefix, NO_STREAM, many(3));
    // Were everything read, the plain read of all would be needed for more than the end.
    node.faults.add({ kind: 'refuse', method: 'readAll', skip: 2, times: Infinity });
    const page = await store.readAll({ after: START, streamPrefixes: [prefix], limit: 100 });
    expect(revisionsOf(page.events)).toEqual([0, 1, 2]);
  });

  it('of a store that others share give neither their events nor those of the node itself', async () => {
    await start();
    const prefix = nameOf('shared');
    await append(store, `${prefix}-a`, NO_STREAM, many(1));
    await append(store, `test-${prefix}-a`, NO_STREAM, many(1));
    await append(store, `$${prefix}-a`, NO_STREAM, [event('$metadata')]);
    const { events } = await readToEnd(store, `${prefix}-`, START);
    expect(events.map(({ stream }) => stream)).toEqual([`${prefix}-a`]);
  });

  it('take positions of this store alone', async () => {
    await start();
    for (const position of ['0000000000000012', 'C:1/P:1', 'f'.repeat(31), 'F'.repeat(32)]) {
      await expect(store.readAll({ after: position, streamPrefixes: ['a'], limit: 1 })).rejects.toBeInstanceOf(RangeError);
      await expect(new Follower(store, { streamPrefixes: ['a'], after: position }).ended).rejects.toBeInstanceOf(RangeError);
    }
    await expect(new Follower(store, { stream: 'a', after: -2 }).ended).rejects.toBeInstanceOf(RangeError);
    await expect(new Follower(store, { streamPrefixes: [], after: START }).ended).rejects.toBeInstanceOf(RangeError);
  });
});
