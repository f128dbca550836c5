import { afterEach, expect, it, vi } from 'vitest';
import type { EventStore } from '#event-store';
import { openSqliteEventStore } from '#event-store/sqlite';
import { ProjectionProgress, StreamNames } from '#ledger';
import { ReadModelError } from '#read-model';
import { openSqliteReadModel } from '#read-model/sqlite';
import { projectInThread, type Projection } from './projection.js';

const opened: { close(): Promise<void> }[] = [];
let projection: Projection | undefined;
afterEach(async () => {
  await projection?.stop();
  for (const each of opened.splice(0)) await each.close();
});

it('tells why it applies nothing while the read model cannot be written, and no longer than that', async () => {
  const store: EventStore = await openSqliteEventStore({ folder: ':memory:' });
  const readModel = await openSqliteReadModel({ memory: true });
  opened.push(store, readModel);
  const save = vi.spyOn(readModel, 'savePosition');
  save.mockRejectedValue(new ReadModelError('UNAVAILABLE', 'the disk is full'));
  const progress = new ProjectionProgress(readModel);
  projection = projectInThread({ store, readModel, streams: new StreamNames(''), progress }, 100);
  const troubles = () => projection?.troubles();
  await vi.waitFor(
    () => expect(troubles()).toEqual([{ stream: '', revision: -1, reason: 'the disk is full', passing: true }]),
    10_000,
  );
  save.mockRestore();
  await vi.waitFor(() => expect(troubles()).toEqual([]), 10_000);
});

it('is not disturbed by streams of others, nor by those of another prefix or of the store itself', async () => {
  const store: EventStore = await openSqliteEventStore({ folder: ':memory:' });
  const readModel = await openSqliteReadModel({ memory: true });
  opened.push(store, readModel);
  const progress = new ProjectionProgress(readModel);
  projection = projectInThread({ store, readModel, streams: new StreamNames('live-'), progress }, 100);
  // Each would stop the projection, were it followed: no version knows their type.
  for (const stream of [
    'orders-1',
    'ledger-shop/a',
    'test-ledger-shop/a',
    'live-orders-1',
    '$live-ledger-shop/a',
    'live-ledgers',
  ]) {
    await store.append(stream, -1, [{ id: crypto.randomUUID(), type: 'OrderPlaced', data: {}, metadata: {} }]);
  }
  const end = await store.endPosition();
  await vi.waitFor(async () => expect((await readModel.position()) >= end).toBe(true), 10_000);
  expect(projection.troubles()).toEqual([]);
  await store.append('live-ledger-shop/a', -1, [{ id: crypto.randomUUID(), type: 'OrderPlaced', data: {}, metadata: {} }]);
  await vi.waitFor(
    () => expect(projection?.troubles()).toMatchObject([{ reason: expect.stringContaining('OrderPlaced') }]),
    10_000,
  );
});
