/** Reads and subscriptions where the conformance suite is silent: limits of a slow reader, faults in a stream of events. */
import {
  BACKWARDS,
  END,
  EventStoreDBClient,
  eventTypeFilter,
  START,
  StreamDeletedError,
  StreamNotFoundError,
  streamNameFilter,
  TimeoutError,
  type AllStreamSubscription,
  type Position,
  type ResolvedEvent,
  type StreamSubscription,
  type SubscribeToAllOptions,
} from '@eventstore/db-client';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { collect, event, events, name, refusal, revisionsOf, standIns, until } from './client.js';
import type { StandIn } from './index.js';

const { start, connect } = standIns();
let node: StandIn;
let client: EventStoreDBClient;
beforeAll(async () => {
  node = await start();
  client = connect(node.url);
});
beforeEach(() => node.faults.clear());

interface Followed {
  revisions: number[];
  words: string[];
  errors: Error[];
}

function followed(subscription: StreamSubscription | AllStreamSubscription): Followed {
  const all: Followed = { revisions: [], words: [], errors: [] };
  const { revisions, words, errors } = all;
  // The client's classes declare each event on its own.
  const emitter = subscription as unknown as NodeJS.EventEmitter;
  emitter.on('data', (item: ResolvedEvent) => revisions.push(Number(item.event?.revision)));
  for (const word of ['confirmation', 'caughtUp', 'fellBehind'])
    emitter.on(word, () => words.push(`${word}@${revisions.length}`));
  emitter.on('error', (error: Error) => errors.push(error));
  return all;
}

async function filled(label: string, count: number, batch = 500): Promise<string> {
  const stream = name(label);
  for (let done = 0; done < count; done += batch) await client.appendToStream(stream, events(Math.min(batch, count - done)));
  return stream;
}

describe('reads', () => {
  it('are windows of a stream, from either end', async () => {
    const stream = await filled('window', 10);
    const read = async (options: Parameters<EventStoreDBClient['readStream']>[1]) =>
      (await collect(client.readStream(stream, options))).map((item) => Number(item.event?.revision));
    expect(await read({ direction: BACKWARDS, fromRevision: 100n, maxCount: 2 })).toEqual([9, 8]);
    expect(await read({ direction: BACKWARDS, fromRevision: START })).toEqual([0]);
    expect(await read({ fromRevision: END })).toEqual([]);
    expect(await read({ fromRevision: 100n })).toEqual([]);
    expect(await read({ maxCount: 0 })).toEqual([]);
  });

  it('of everything go forwards from a position and backwards from before it', async () => {
    const stream = await filled('all', 3);
    const [, second] = await collect(client.readStream(stream));
    const fromPosition = second?.event?.position as Position;
    const forwards = await collect(client.readAll({ fromPosition, maxCount: 2 }));
    const backwards = await collect(client.readAll({ fromPosition, direction: BACKWARDS, maxCount: 1 }));
    expect(forwards.map((item) => item.event?.revision)).toEqual([1n, 2n]);
    expect(backwards.map((item) => item.event?.revision)).toEqual([0n]);
    const positions = (await collect(client.readAll())).map((item) => Number(item.event?.position?.commit));
    expect(positions.every((position, index) => index === 0 || position > Number(positions[index - 1]))).toBe(true);
    expect(await refusal(collect(client.readAll({ fromPosition: { commit: 5n, prepare: 5n } })))).toMatchObject({ code: 13 });
  });

  it('go by the metadata of the stream', async () => {
    const stream = await filled('age', 4);
    await client.setStreamMetadata(stream, { maxAge: 60 });
    node.faults.clockSkewMs = -120_000;
    const old = await filled('old', 3);
    await client.setStreamMetadata(old, { maxAge: 60 });
    expect([(await revisionsOf(client, stream)).length, (await revisionsOf(client, old)).length]).toEqual([4, 0]);
    await client.setStreamMetadata(stream, { maxCount: 3, truncateBefore: 3 });
    expect(await revisionsOf(client, stream)).toEqual([3]);
  });

  it('find what was deleted no more, and what was written again from there on', async () => {
    const stream = await filled('deleted', 2);
    await client.deleteStream(stream, { expectedRevision: 1n });
    expect(await refusal(collect(client.readStream(stream)))).toBeInstanceOf(StreamNotFoundError);
    await client.appendToStream(stream, events(2), { expectedRevision: 1n });
    expect(await revisionsOf(client, stream)).toEqual([2, 3]);
    expect((await client.getStreamMetadata(stream)).metadata?.truncateBefore).toBe(2);
  });

  it('wait for a reader that does not read, and end with it', async () => {
    const stream = await filled('slow', 6_000);
    const sent = node.eventsSent;
    const reading = client.readStream(stream);
    let seen = 0;
    for await (const _ of reading) if (++seen === 10) break;
    // Leaving the loop does not end the call: the client leaves that to whoever reads.
    expect(node.openCalls('readStream')).toBe(1);
    await (reading as unknown as { cancel(): Promise<void> }).cancel();
    await until(() => node.openCalls('readStream') === 0);
    expect(node.eventsSent - sent).toBeLessThan(4_000);
    const subscription = client.subscribeToStream(stream);
    await until(() => node.openCalls('subscribeStream') === 1);
    let before = -1;
    await until(async () => {
      const still = before === node.eventsSent;
      before = node.eventsSent;
      await new Promise((resolve) => setTimeout(resolve, 50));
      return still && before === node.eventsSent;
    }, 'an end of sending');
    expect(node.eventsSent - sent).toBeLessThan(8_000);
    const all = followed(subscription);
    await until(() => all.revisions.length === 6_000);
    expect(all.revisions.every((revision, index) => revision === index)).toBe(true);
    await subscription.unsubscribe();
    await until(() => node.openCalls('subscribeStream') === 0);
  });
});

describe('subscriptions', () => {
  it('to a stream that is not there are caught up at once, and end with its tombstone', async () => {
    const stream = name('later');
    const all = followed(client.subscribeToStream(stream));
    await until(() => all.words.includes('caughtUp@0'));
    await client.appendToStream(stream, events(2));
    await client.tombstoneStream(stream);
    await until(() => all.errors.length > 0);
    expect(all.errors[0]).toBeInstanceOf(StreamDeletedError);
    expect(all.revisions.slice(0, 2)).toEqual([0, 1]);
  });

  it('to everything have the events of the node itself, unless a filter says otherwise', async () => {
    await filled('user', 1);
    const types = async (filter?: SubscribeToAllOptions['filter']) => {
      const seen: string[] = [];
      const subscription = client.subscribeToAll({ filter });
      subscription.on('data', (item) => seen.push(String(item.event?.type)));
      await new Promise((resolve) => subscription.once('caughtUp', () => resolve(undefined)));
      await subscription.unsubscribe();
      return seen;
    };
    expect((await types()).some((type) => type.startsWith('$'))).toBe(true);
    const filtered = await types(eventTypeFilter({ regex: '^[^$].*' }));
    expect(filtered.length).toBeGreaterThan(0);
    expect(filtered.every((type) => !type.startsWith('$'))).toBe(true);
  });

  it('by a regular expression on the name of the stream', async () => {
    const mark = name('re');
    await client.appendToStream(`${mark}-1`, [event(1)]);
    await client.appendToStream(`${mark}-x`, [event(2)]);
    const all = followed(client.subscribeToAll({ filter: streamNameFilter({ regex: `^${mark}-[0-9]+$` }) }));
    await until(() => all.words.some((word) => word.startsWith('caughtUp')));
    expect(all.revisions).toEqual([0]);
  });

  it('report where they are although nothing matches, from where they go on without searching again', async () => {
    await filled('noise', 200);
    const checkpoints: Position[] = [];
    const filter = streamNameFilter({
      prefixes: [name('nothing')],
      maxSearchWindow: 50,
      checkpointReached: (_subscription, position) => void checkpoints.push(position),
    });
    const all = followed(client.subscribeToAll({ filter }));
    await until(() => all.words.includes('caughtUp@0') && checkpoints.length > 3);
    expect(Number(checkpoints.at(-1)?.commit)).toBe(node.log.lastPosition);
    const resumed = followed(client.subscribeToAll({ filter, fromPosition: checkpoints.at(-1) as Position }));
    await until(() => resumed.words.includes('caughtUp@0'));
    expect(all.errors.concat(resumed.errors)).toEqual([]);
    const nowhere = { commit: 7n, prepare: 7n };
    const lost = followed(client.subscribeToAll({ filter, fromPosition: nowhere }));
    await until(() => lost.errors.length > 0);
  });

  it('say that they fell behind, and that they caught up again', async () => {
    const stream = name('behind');
    const stall = node.faults.add({ kind: 'stall', method: 'subscribe', stream, afterEvents: 2, times: Infinity });
    const subscription = client.subscribeToStream(stream);
    const all = followed(subscription);
    await until(() => all.words.includes('caughtUp@0'));
    for (let append = 0; append < 8; append++) await client.appendToStream(stream, events(400));
    await until(() => all.revisions.length === 2);
    stall.remove();
    await until(() => all.revisions.length === 3_200);
    await until(() => all.words.at(-1)?.startsWith('caughtUp') === true);
    expect(all.words.some((word) => word.startsWith('fellBehind'))).toBe(true);
    expect(all.revisions.every((revision, index) => revision === index)).toBe(true);
  });
});

describe('faults in a stream of events', () => {
  it('stall: it stays open and gives nothing, until the fault is gone', async () => {
    const stream = await filled('stall', 20);
    const stall = node.faults.add({ kind: 'stall', method: 'subscribeStream', stream, afterEvents: 7 });
    const all = followed(client.subscribeToStream(stream));
    await until(() => stall.hits === 1 && all.revisions.length === 7);
    expect([all.words, all.errors]).toEqual([['confirmation@0'], []]);
    stall.remove();
    await until(() => all.words.includes('caughtUp@20'));
  });

  it.each([
    ['drop', { code: 14 }],
    ['end', { code: 10 }],
  ] as const)('%s: ends in the middle, and can be resumed', async (kind, error) => {
    const stream = await filled(kind, 300);
    node.faults.add({ kind, method: 'subscribe', stream, afterEvents: 150 });
    const all = followed(client.subscribeToStream(stream));
    await until(() => all.errors.length > 0);
    expect(all.errors[0]).toMatchObject(error);
    if (kind === 'end') expect(all.errors[0]).toBeInstanceOf(TimeoutError);
    const last = all.revisions.at(-1) ?? -1;
    expect(last).toBeLessThan(150);
    const rest = followed(client.subscribeToStream(stream, { fromRevision: last < 0 ? START : BigInt(last) }));
    await until(() => rest.words.includes(`caughtUp@${299 - last}`));
  });

  it('cuts reads as well', async () => {
    const stream = await filled('cut', 300);
    node.faults.add({ kind: 'drop', method: 'read', stream, afterEvents: 100 });
    expect(await refusal(revisionsOf(client, stream))).toMatchObject({ code: 14 });
    expect(await revisionsOf(client, stream)).toHaveLength(300);
  });

  it('refuses a subscription, once', async () => {
    const stream = await filled('refused', 1);
    node.faults.add({ kind: 'refuse', method: 'subscribe', stream });
    const all = followed(client.subscribeToStream(stream));
    await until(() => all.errors.length > 0);
    expect(all.errors[0]).toMatchObject({ code: 14 });
    const again = followed(client.subscribeToStream(stream));
    await until(() => again.words.includes('caughtUp@1'));
  });
});

describe('a restart', () => {
  it('cuts what follows, and keeps what was committed', async () => {
    const stream = await filled('restart', 5);
    const all = followed(client.subscribeToStream(stream));
    await until(() => all.words.includes('caughtUp@5'));
    const { port } = node;
    await node.down();
    await until(() => all.errors.length > 0);
    expect(await refusal(client.appendToStream(stream, events(1)))).toMatchObject({ code: 14 });
    await node.up();
    expect(node.port).toBe(port);
    await until(async () => (await refusal(client.appendToStream(stream, events(1), { expectedRevision: 4n }))) === 'no refusal');
    expect(await revisionsOf(client, stream)).toEqual([0, 1, 2, 3, 4, 5]);
    expect([node.openCalls('subscribeStream'), node.openCalls('readStream')]).toEqual([0, 0]);
  });
});
