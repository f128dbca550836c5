/** Appends where the conformance suite is silent: both ways of the client, repetitions, limits, what goes wrong on purpose. */
import {
  ANY,
  DeadlineExceededError,
  EventStoreDBClient,
  jsonEvent,
  MaxAppendSizeExceededError,
  NO_STREAM,
  NotLeaderError,
  STREAM_EXISTS,
  StreamDeletedError,
  UnavailableError,
  UnknownError,
  WrongExpectedVersionError,
  type AppendExpectedRevision,
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

/** A call with credentials goes the slower way; without TLS they are not sent. */
const CREDENTIALS = { username: 'admin', password: 'changeit' };
const WAYS = [
  ['many appends over one call', undefined],
  ['a call for each append', CREDENTIALS],
] as const;

describe.each(WAYS)('%s', (_way, credentials) => {
  const append = (stream: string, batch: ReturnType<typeof events>, expectedRevision: AppendExpectedRevision) =>
    client.appendToStream(stream, batch, { expectedRevision, credentials });

  it('answers the revision and a position that rises', async () => {
    const stream = name('position');
    const first = await append(stream, events(2), NO_STREAM);
    const second = await append(stream, events(1), 1n);
    expect([first.nextExpectedRevision, second.nextExpectedRevision]).toEqual([1n, 2n]);
    const stored = await collect(client.readStream(stream));
    expect(stored.map((item) => item.event?.position?.commit)).toEqual(
      stored.map((item) => item.event?.position?.commit).sort((a, b) => Number((a ?? 0n) - (b ?? 0n))),
    );
    expect(first.position).toEqual(stored[1]?.event?.position);
    expect(second.position).toEqual(stored[2]?.event?.position);
  });

  it('names both revisions when they differ', async () => {
    const stream = name('conflict');
    await append(stream, events(3), NO_STREAM);
    const error = await refusal(append(stream, events(1), 0n));
    expect(error).toBeInstanceOf(WrongExpectedVersionError);
    expect(error).toMatchObject({ streamName: stream, expectedVersion: 0n, actualVersion: 2n });
    expect(await refusal(append(name('missing'), events(1), STREAM_EXISTS))).toMatchObject({
      expectedVersion: 'stream_exists',
      actualVersion: 'no_stream',
    });
  });

  it('takes a repetition of the same ids at the same place for success, with the same position', async () => {
    const stream = name('again');
    const batch = events(3);
    const first = await append(stream, batch, NO_STREAM);
    await append(stream, events(2), 2n);
    expect(await append(stream, batch, NO_STREAM)).toEqual(first);
    expect(await append(stream, batch.slice(1), 0n)).toEqual(first);
    expect(await revisionsOf(client, stream)).toEqual([0, 1, 2, 3, 4]);
  });

  it('refuses what is only partly a repetition', async () => {
    const stream = name('partly');
    const [a, b, c] = events(3) as [ReturnType<typeof event>, ReturnType<typeof event>, ReturnType<typeof event>];
    await append(stream, [a, b], NO_STREAM);
    for (const batch of [
      [a, b, c],
      [a, c],
      [b, a],
      [c, b],
    ]) {
      expect(await refusal(append(stream, batch, NO_STREAM))).toBeInstanceOf(WrongExpectedVersionError);
    }
    expect(await refusal(append(stream, [a, c], ANY))).toBeInstanceOf(WrongExpectedVersionError);
    expect(await revisionsOf(client, stream)).toEqual([0, 1]);
  });

  it('knows repetitions without a revision by the newest ids alone, which a restart forgets', async () => {
    const stream = name('any');
    const batch = events(2);
    const first = await append(stream, batch, ANY);
    expect(await append(stream, batch, ANY)).toEqual(first);
    expect(await append(stream, batch, STREAM_EXISTS)).toEqual(first);
    expect((await append(name('elsewhere'), batch, ANY)).nextExpectedRevision).toBe(1n);
    await node.restart();
    const again = await client.appendToStream(stream, batch).catch(() => client.appendToStream(stream, batch));
    expect(again.nextExpectedRevision).toBe(3n);
  });

  it('counts type, data and metadata towards 1 MiB, and refuses what is more', async () => {
    const stream = name('large');
    const filler = (length: number) => [jsonEvent({ type: 'T', data: { text: 'x'.repeat(length) } })];
    const overhead = JSON.stringify({ text: '' }).length + 2 * 'T'.length;
    await client.appendToStream(stream, filler(1_048_576 - overhead), { credentials });
    const error = await refusal(client.appendToStream(stream, filler(1_048_577 - overhead), { credentials }));
    expect(error).toBeInstanceOf(MaxAppendSizeExceededError);
    expect(error).toMatchObject({ maxAppendSize: 1_048_576 });
    expect(await revisionsOf(client, stream)).toEqual([0]);
  });

  it('refuses a tombstoned stream and its metadata for good', async () => {
    const stream = name('tombstone');
    await append(stream, events(1), NO_STREAM);
    await client.tombstoneStream(stream, { expectedRevision: 0n });
    expect(await refusal(append(stream, events(1), ANY))).toBeInstanceOf(StreamDeletedError);
    expect(await refusal(client.setStreamMetadata(stream, {}, { credentials }))).toBeInstanceOf(StreamDeletedError);
  });

  it.each([
    ['dropBefore', false],
    ['dropAfter', true],
  ] as const)('%s: the client hears of a lost connection, and what was written is there', async (kind, written) => {
    const stream = name(kind);
    await append(stream, events(1), NO_STREAM);
    const fault = node.faults.add({ kind, method: 'append', stream });
    const batch = events(2);
    expect(await refusal(append(stream, batch, 0n))).toMatchObject({ code: 14 });
    expect(fault.hits).toBe(1);
    expect(node.log.stream(stream)?.events.length).toBe(written ? 3 : 1);
    // Sent again as it was, it is there once.
    expect((await append(stream, batch, 0n)).nextExpectedRevision).toBe(2n);
    expect(await revisionsOf(client, stream)).toEqual([0, 1, 2]);
  });

  it.each([
    ['refuse', UnavailableError, false],
    ['diskFull', UnknownError, false],
  ] as const)('%s', async (kind, errorClass, written) => {
    const stream = name(kind);
    node.faults.add({ kind, method: 'append', stream });
    expect(await refusal(append(stream, events(1), NO_STREAM))).toBeInstanceOf(errorClass);
    expect(node.log.stream(stream) !== undefined).toBe(written);
    expect((await append(stream, events(1), NO_STREAM)).nextExpectedRevision).toBe(0n);
  });

  it('names the leader, and the client goes there', async () => {
    const leader = await start();
    const stream = name('leader');
    const { host, port } = leader;
    node.faults.add({ kind: 'notLeader', method: 'append', stream, leader: { host, port } });
    const other = connect(node.url);
    const options = { expectedRevision: NO_STREAM, credentials } as const;
    const error = await refusal(other.appendToStream(stream, events(1), options));
    expect(error).toBeInstanceOf(NotLeaderError);
    expect(error).toMatchObject({ leader: { address: host, port } });
    await other.appendToStream(stream, events(1), options);
    expect([node.log.stream(stream), leader.log.stream(stream)?.events.length]).toEqual([undefined, 1]);
  });

  it('waits before it writes, or before it answers', async () => {
    const stream = name('delay');
    node.faults.add({ kind: 'delay', method: 'append', stream, delayMs: 60 });
    node.faults.add({ kind: 'delayAfter', method: 'append', stream, delayMs: 60 });
    const started = performance.now();
    const appended = append(stream, events(1), NO_STREAM);
    expect(node.log.stream(stream)).toBeUndefined();
    await appended;
    expect(performance.now() - started).toBeGreaterThanOrEqual(115);
  });
});

describe('a write whose outcome the node does not say', () => {
  it.each([
    ['timeoutBefore', false],
    ['timeoutAfter', true],
  ] as const)('%s', async (kind, written) => {
    const stream = name(kind);
    node.faults.add({ kind, method: 'batchAppend', stream });
    expect(await refusal(client.appendToStream(stream, events(1)))).toBeInstanceOf(DeadlineExceededError);
    expect(node.log.stream(stream) !== undefined).toBe(written);
  });

  it('is never answered, until the connection is gone', async () => {
    const stream = name('silent');
    const fault = node.faults.add({ kind: 'silentAfter', method: 'batchAppend', stream });
    const other = connect(node.url);
    const appended = refusal(other.appendToStream(stream, events(1)));
    await until(() => fault.hits === 1 && node.log.stream(stream) !== undefined);
    expect(await Promise.race([appended, Promise.resolve('still waiting')])).toBe('still waiting');
    node.dropConnections();
    expect(await appended).toMatchObject({ code: 14 });
  });

  it('busy: one append is refused, its neighbours are not', async () => {
    const [stream, other] = [name('busy'), name('idle')];
    node.faults.add({ kind: 'busy', method: 'append', stream });
    const [first, second] = await Promise.allSettled([
      client.appendToStream(stream, events(1)),
      client.appendToStream(other, events(1)),
    ]);
    expect([first.status, second.status]).toEqual(['rejected', 'fulfilled']);
  });
});

describe('roles and clock', () => {
  it('a follower refuses writes and reads that need the leader, and gives ordinary reads', async () => {
    const follower = await start({ role: 'follower' });
    const reader = connect(follower.url);
    expect(await refusal(reader.appendToStream('x', events(1)))).toBeInstanceOf(UnknownError);
    expect(await refusal(collect(reader.readAll({ maxCount: 1, requiresLeader: true })))).toBeInstanceOf(UnknownError);
    expect(await collect(reader.readAll({ maxCount: 1 }))).toHaveLength(1);
    follower.leader = { host: node.host, port: node.port };
    expect(await refusal(connect(follower.url).appendToStream('x', events(1)))).toBeInstanceOf(NotLeaderError);
  });

  it('tells a client that looks for the leader among several nodes where it is', async () => {
    const [leader, follower, replica] = [
      await start(),
      await start({ role: 'follower' }),
      await start({ role: 'readOnlyReplica' }),
    ];
    follower.leader = replica.leader = { host: leader.host, port: leader.port };
    const hosts = [replica, follower].map(({ host, port }) => `${host}:${port}`).join(',');
    const stream = name('found');
    await connect(`esdb://${hosts}?tls=false&nodePreference=leader`).appendToStream(stream, events(1));
    expect(leader.log.stream(stream)?.events).toHaveLength(1);
  });

  it('refuses a batch whose deadline has passed', async () => {
    const stream = name('deadline');
    expect(await refusal(client.appendToStream(stream, events(1), { deadline: -1_000 }))).toBeInstanceOf(DeadlineExceededError);
    expect(node.log.stream(stream)).toBeUndefined();
  });

  it('stamps events by a clock that may be wrong', async () => {
    const stream = name('clock');
    node.faults.clockSkewMs = 3_600_000;
    await client.appendToStream(stream, events(1));
    node.faults.clockSkewMs = -3_600_000;
    await client.appendToStream(stream, events(1));
    const [ahead, behind] = (await collect(client.readStream(stream))).map((item) => Number(item.event?.created) - Date.now());
    expect(Math.round(Number(ahead) / 60_000)).toBe(60);
    expect(Math.round(Number(behind) / 60_000)).toBe(-60);
  });
});
