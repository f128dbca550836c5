/** The node of EventStoreDB restarts, and cuts connections, while a durable subscriber reads: nothing is lost, doubled or out of order. */
import { expect, it } from 'vitest';
import { openEventStoreDb } from '#event-store/eventstoredb';
import { startStandIn } from '../support/stand-in/index.js';
import { Handled, SubscriptionWorld, eventually } from '../support/subscriptions/world.js';

const ROUNDS = 10;
const AT_ONCE = 200;
const LEDGERS = ['shop-1', 'shop-2', 'shop-3'].map((backend) => ({ backend, model: 'shop.product' }));

it('has every event once and in order, whatever the node does in between', async () => {
  const node = await startStandIn();
  const world = await SubscriptionWorld.open({ store: await openEventStoreDb({ url: node.url, streamPrefix: '' }) });
  const handled = new Handled();
  try {
    world.start(handled.handle, { leaseMs: 20_000, inFlightEvents: 50 });
    const ids = Array.from({ length: AT_ONCE }, (_, index) => `b${index}`);
    for (let round = 0; round < ROUNDS; round += 1) {
      const before = handled.calls.length;
      for (const ledger of LEDGERS) await world.happen(ids, ledger);
      // As soon as reading has begun.
      await eventually(() => expect(handled.calls.length).toBeGreaterThan(before));
      if (round % 2 === 0) await node.restart();
      else node.dropConnections();
    }
    const all = ROUNDS * AT_ONCE;
    await eventually(() => expect(handled.calls.length).toBe(all * LEDGERS.length));
    for (const ledger of LEDGERS) expect(handled.of(ledger)).toEqual(Array.from({ length: all }, (_, revision) => revision));
    await eventually(async () => expect(await world.operations.list()).toMatchObject([{ lag: { events: 0 } }]));
  } finally {
    await world.close();
    await node.stop();
  }
});
