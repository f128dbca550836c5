/** Persistent subscriptions where the conformance suite is silent. */
import {
  EventStoreDBClient,
  PersistentSubscriptionDroppedError,
  persistentSubscriptionToStreamSettingsFromDefaults,
  persistentSubscriptionToAllSettingsFromDefaults,
  START,
  streamNameFilter,
  type PersistentSubscriptionToStream,
} from '@eventstore/db-client';
import { beforeAll, describe, expect, it } from 'vitest';
import { events, name, standIns, until } from './client.js';
import type { StandIn } from './index.js';

const { start, connect } = standIns();
let node: StandIn;
let client: EventStoreDBClient;
beforeAll(async () => {
  node = await start();
  client = connect(node.url);
});

const settings = (more = {}) => persistentSubscriptionToStreamSettingsFromDefaults({ startFrom: START, ...more });

function consume(stream: string, bufferSize = 10) {
  const subscription = client.subscribeToPersistentSubscriptionToStream(stream, 'g', { bufferSize });
  const seen: string[] = [];
  const errors: Error[] = [];
  subscription.on('error', (error) => void errors.push(error));
  subscription.on('data', (item) => seen.push(`${item.event?.revision}/${item.retryCount}`));
  return { subscription, seen, errors };
}

async function group(label: string, count: number, more = {}): Promise<string> {
  const stream = name(label);
  await client.createPersistentSubscriptionToStream(stream, 'g', settings(more));
  await client.appendToStream(stream, events(count));
  return stream;
}

async function acknowledgeAll(subscription: PersistentSubscriptionToStream): Promise<void> {
  subscription.on('data', (item) => void subscription.ack(item));
}

describe('persistent subscriptions', () => {
  it('give a consumer no more than it has room for', async () => {
    const stream = await group('room', 9);
    const { subscription, seen } = consume(stream, 3);
    await until(() => seen.length === 3);
    const { stats, connections } = await client.getPersistentSubscriptionToStreamInfo(stream, 'g');
    expect([stats.totalInFlightMessages, connections[0]?.availableSlots]).toEqual([3, 0]);
    await acknowledgeAll(subscription);
    await subscription.unsubscribe();
  });

  it('give again what is not acknowledged in time, and set aside what comes too often', async () => {
    const stream = await group('slow', 1, { messageTimeout: 20, maxRetryCount: 2 });
    const { subscription, seen } = consume(stream);
    await until(async () => (await client.getPersistentSubscriptionToStreamInfo(stream, 'g')).stats.parkedMessageCount === 1n);
    expect(seen).toEqual(['0/0', '0/1', '0/2']);
    await subscription.unsubscribe();
  });

  it('take so many subscribers and no more', async () => {
    const stream = await group('crowd', 1, { maxSubscriberCount: 1 });
    const first = consume(stream);
    await until(() => first.seen.length === 1);
    const second = consume(stream);
    await until(() => second.errors.length > 0);
    expect(second.errors[0]).toMatchObject({ type: 'maximum-subscribers-reached', streamName: stream, groupName: 'g' });
    await first.subscription.unsubscribe();
  });

  it('end their consumers when the group is deleted', async () => {
    const stream = await group('deleted', 1);
    const { seen, errors } = consume(stream);
    await until(() => seen.length === 1);
    await client.deletePersistentSubscriptionToStream(stream, 'g');
    await until(() => errors.length > 0);
    expect(errors[0]).toBeInstanceOf(PersistentSubscriptionDroppedError);
    await until(() => node.openCalls('persistent') === 0);
  });

  it('lose nothing when the connection is cut', async () => {
    const stream = await group('cut', 4);
    const first = consume(stream);
    await until(() => first.seen.length === 4);
    node.dropConnections();
    await until(() => first.errors.length > 0);
    const second = consume(stream);
    await until(() => second.seen.length === 4);
    expect(second.seen).toEqual(['0/1', '1/1', '2/1', '3/1']);
    await second.subscription.unsubscribe();
  });

  it('are listed, and told about as they were made', async () => {
    const prefix = name('listed');
    const toAll = persistentSubscriptionToAllSettingsFromDefaults({ startFrom: START, maxRetryCount: 7 });
    await client.createPersistentSubscriptionToAll(prefix, toAll, { filter: streamNameFilter({ prefixes: [prefix] }) });
    const listed = await client.listPersistentSubscriptionsToAll();
    expect(listed.find(({ groupName }) => groupName === prefix)?.settings).toMatchObject(toAll);
    await client.deletePersistentSubscriptionToAll(prefix);
  });
});
