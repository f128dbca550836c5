import { afterEach, describe, expect, it } from 'vitest';
import { NO_STREAM, type EventStore } from '#event-store';
import { append, idsOf, many, nameOf, range, readWhole } from '../../../test/support/event-store/events.js';
import { makeCertificate } from '../../../test/support/stand-in/certificate.js';
import { startStandIn, type FaultKind, type StandIn, type StandInOptions } from '../../../test/support/stand-in/index.js';
import { temporaryFolders } from '../../../test/support/temporary-folders.js';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MAX_WAITING_APPENDS } from './appends.js';
import { openEventStoreDb, type EventStoreDbOptions } from './index.js';

const newFolder = temporaryFolders();
const opened: { close?(): Promise<void>; stop?(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await (each.close ?? each.stop)?.call(each);
});

async function start(options: StandInOptions = {}): Promise<StandIn> {
  const node = await startStandIn(options);
  opened.push(node);
  return node;
}

async function open(node: StandIn, options: Partial<EventStoreDbOptions> = {}): Promise<EventStore> {
  const store = await openEventStoreDb({ url: node.url, check: false, ...options });
  opened.push(store);
  return store;
}

const unknown = { name: 'EventStoreError', code: 'OUTCOME_UNKNOWN' };
const unavailable = { name: 'EventStoreError', code: 'UNAVAILABLE' };

describe('an append that fails', () => {
  // When in doubt it is unknown: the same append again finds out.
  it.each<FaultKind>(['refuse', 'busy', 'notLeader', 'diskFull', 'dropBefore', 'silentBefore', 'timeoutBefore'])(
    'before it is written (%s) leaves the outcome unknown, and the same again writes it once',
    async (kind) => {
      const node = await start();
      const store = await open(node, { deadlineMs: 1_000 });
      const [stream, batch] = [nameOf('before'), many(3)];
      node.faults.add({ kind, method: 'append', stream });
      await expect(store.append(stream, NO_STREAM, batch)).rejects.toMatchObject(unknown);
      expect(await store.headRevision(stream)).toBe(NO_STREAM);
      expect(await store.append(stream, NO_STREAM, batch)).toMatchObject({ ok: true, revision: 2 });
      expect(idsOf(await readWhole(store, stream))).toEqual(idsOf(batch));
    },
  );

  it.each<FaultKind>(['dropAfter', 'silentAfter', 'timeoutAfter'])(
    'after it was written (%s) leaves the outcome unknown, and the same again finds it written',
    async (kind) => {
      const node = await start();
      const store = await open(node, { deadlineMs: 1_000 });
      const [stream, batch] = [nameOf('after'), many(3)];
      node.faults.add({ kind, method: 'append', stream });
      await expect(store.append(stream, NO_STREAM, batch)).rejects.toMatchObject(unknown);
      expect(await store.append(stream, NO_STREAM, batch)).toMatchObject({ ok: true, revision: 2 });
      expect(idsOf(await readWhole(store, stream))).toEqual(idsOf(batch));
    },
  );

  it('because there is no node was surely not written, and goes through once it is back', async () => {
    const node = await start();
    const store = await open(node);
    const [stream, batch] = [nameOf('away'), many(2)];
    await node.down();
    // The first may have been sent on the connection that broke; nothing can be sent without one.
    await store.append(stream, NO_STREAM, batch).catch(() => undefined);
    await expect(store.append(stream, NO_STREAM, batch)).rejects.toMatchObject(unavailable);
    await node.up();
    const result = await expectSoon(() => store.append(stream, NO_STREAM, batch));
    expect(result).toMatchObject({ ok: true, revision: 1 });
  });

  it('is not harmed by an answer that comes too late, nor is any other', async () => {
    const node = await start();
    const store = await open(node, { deadlineMs: 1_000 });
    const [stream, batch] = [nameOf('late'), many(1)];
    node.faults.add({ kind: 'delayAfter', method: 'append', stream, delayMs: 1_500 });
    const late = store.append(stream, NO_STREAM, batch);
    const other = append(store, nameOf('other'), NO_STREAM, many(1));
    await expect(late).rejects.toMatchObject(unknown);
    expect(await other).toMatchObject({ ok: true });
    expect(await store.append(stream, NO_STREAM, batch)).toMatchObject({ ok: true, revision: 0 });
    // By now the late answer has come.
    for (const revision of range(0, 20)) await append(store, stream, revision, many(1));
  });

  it('takes down no append of another client: the table of what waits is its own', async () => {
    const [lost, sound] = [await start(), await start()];
    const [one, other] = [await open(lost), await open(sound)];
    sound.faults.add({ kind: 'delayAfter', method: 'append', delayMs: 300 });
    const waiting = other.append(nameOf('sound'), NO_STREAM, many(2));
    lost.faults.add({ kind: 'dropBefore', method: 'append' });
    await expect(one.append(nameOf('lost'), NO_STREAM, many(1))).rejects.toMatchObject(unknown);
    expect(await waiting).toMatchObject({ ok: true, revision: 1 });
  });

  it('is refused for certain while too many wait', async () => {
    const node = await start();
    const store = await open(node, { deadlineMs: 1_000 });
    node.faults.add({ kind: 'silentBefore', method: 'append', times: Infinity });
    const waiting = range(1, MAX_WAITING_APPENDS).map(() =>
      store.append(nameOf('many'), NO_STREAM, many(1)).catch((error: unknown) => error),
    );
    await expect(store.append(nameOf('one'), NO_STREAM, many(1))).rejects.toMatchObject(unavailable);
    for (const error of await Promise.all(waiting)) expect(error).toMatchObject(unknown);
  });

  it('to a stream that was deleted for good is told apart', async () => {
    const node = await start();
    const store = await open(node);
    const stream = nameOf('tombstone');
    await append(store, stream, NO_STREAM, many(1));
    const { EventStoreDBClient } = await import('@eventstore/db-client');
    await EventStoreDBClient.connectionString(node.url).tombstoneStream(stream);
    const deleted = { name: 'EventStoreError', code: 'STREAM_DELETED' };
    await expect(store.append(stream, 0, many(1))).rejects.toMatchObject(deleted);
    await expect(store.readStream(stream, { limit: 1 })).rejects.toMatchObject(deleted);
  });
});

describe('a connection string', () => {
  it('may ask the client for answers in place of errors: a conflict is an answer all the same', async () => {
    const node = await start();
    const store = await open(node, { url: `${node.url}&throwOnAppendFailure=false` });
    const stream = nameOf('conflict');
    await append(store, stream, NO_STREAM, many(3));
    expect(await store.append(stream, NO_STREAM, many(1))).toEqual({ ok: false, actual: 2 });
    await expect(store.append(stream, 2, [{ ...many(1)[0]!, data: { x: 'x'.repeat(1_048_577) } }])).rejects.toMatchObject({
      code: 'TOO_LARGE',
    });
  });

  it('gives the credentials, over TLS, and they never cost the fast way to append', async () => {
    const certificate = makeCertificate('127.0.0.1');
    const file = join(newFolder(), 'authority.pem');
    writeFileSync(file, certificate.certificate);
    const node = await start({ tls: certificate, users: { ledger: 'p@ss:word' } });
    const address = `127.0.0.1:${node.port}?tls=true&tlsCAFile=${encodeURIComponent(file)}`;
    const store = await open(node, { url: `esdb://ledger:p%40ss%3Aword@${address}` });
    // The one that the client would take with credentials for each call fails here.
    node.faults.add({ kind: 'refuse', method: 'unaryAppend', times: Infinity });
    const stream = nameOf('secure');
    for (const revision of range(-1, 5)) await append(store, stream, revision, many(1));
    expect(await readWhole(store, stream)).toHaveLength(7);
    expect(node.openCalls('batchAppend')).toBe(1);
  });
});

describe('a node that is not the leader', () => {
  it('names it, and reads and appends go there', async () => {
    const [leader, follower] = [await start(), await start()];
    const store = await open(follower);
    Object.assign(follower, { role: 'follower', leader: { host: leader.host, port: leader.port } });
    const [stream, batch] = [nameOf('led'), many(2)];
    expect(await store.headRevision(stream)).toBe(NO_STREAM);
    expect(await store.append(stream, NO_STREAM, batch)).toMatchObject({ ok: true, revision: 1 });
    expect(leader.log.stream(stream)?.events).toHaveLength(2);
    expect(follower.log.stream(stream)).toBeUndefined();
  });

  it('and knows of none is reported', async () => {
    const node = await start();
    const store = await open(node);
    node.role = 'readOnlyReplica';
    await expect(store.headRevision('a')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('takes no writes'),
    });
    await expect(store.ping()).rejects.toMatchObject(unavailable);
  });
});

describe('the time at which the store wrote', () => {
  it('is told of the first append to a stream, and of some later ones, so that a wrong clock shows', async () => {
    let now = Date.now();
    const node = await start();
    const store = await open(node, { clock: () => now });
    const stream = nameOf('stamped');
    const first = await append(store, stream, NO_STREAM, many(2));
    expect(first.storedAt).toBe((await readWhole(store, stream)).at(-1)?.storedAt);
    expect((await append(store, stream, 1, many(1))).storedAt).toBeUndefined();
    now += 5_000;
    node.faults.clockSkewMs = 60_000;
    const skewed = await append(store, stream, 2, many(1));
    expect(Date.parse(skewed.storedAt ?? '') - Date.now()).toBeGreaterThan(50_000);
  });

  it('that cannot be read takes nothing from the append', async () => {
    const node = await start();
    const store = await open(node, { deadlineMs: 1_000 });
    node.faults.add({ kind: 'silentBefore', method: 'read', times: Infinity });
    expect(await store.append(nameOf('unread'), NO_STREAM, many(1))).toMatchObject({ ok: true, revision: 0 });
  });
});

async function expectSoon<T>(attempt: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      expect(error).toMatchObject({ name: 'EventStoreError' });
    }
  }
}
