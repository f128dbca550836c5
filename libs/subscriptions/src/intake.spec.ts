/** What one slow handler means for all other ledgers. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { EventStore } from '#event-store';
import { Handled, SubscriptionWorld, eventually } from '../../../test/support/subscriptions/world.js';

const ORDERS = { backend: 'shop', model: 'shop.order' };
const CATEGORIES = { backend: 'shop', model: 'shop.category' };

let world: SubscriptionWorld;
let handled: Handled;
beforeEach(async () => {
  world = await SubscriptionWorld.open();
  handled = new Handled();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await world.close();
});

/** Each event in a batch of its own, as when they come one by one. */
function oneByOne(store: EventStore): void {
  const subscribe = store.subscribe.bind(store);
  vi.spyOn(store, 'subscribe').mockImplementation(async function* (to, signal) {
    for await (const { events, position, caughtUp } of subscribe(to, signal)) {
      for (const event of events) yield { events: [event], position: event.position, caughtUp: false };
      yield { events: [], position, caughtUp };
    }
  });
}

/** Handles what comes, but not the binding `slow` before it is released. */
function slowly(): { handle: Handled['handle']; release: () => void } {
  let release = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  const handle: Handled['handle'] = async (event, context) => {
    if (event.bindingId === 'slow') await held;
    await handled.handle(event, context);
  };
  return { handle, release };
}

describe('while a handler is slow', () => {
  it('other ledgers go on, however much comes that the filter does not want', async () => {
    oneByOne(world.store);
    const { handle, release } = slowly();
    await world.happen(['slow']);
    world.start(handle, { inFlightEvents: 5, filter: { recordId: ['r-slow', 'r-a', 'r-b'] } });
    for (const id of ['a', 'b']) {
      await world.happen(
        Array.from({ length: 50 }, (_, index) => `c${index}`),
        CATEGORIES,
      );
      await world.happen([id], ORDERS);
    }
    await eventually(() => expect(handled.names).toEqual(['a1', 'b1']));
    release();
    await world.caughtUp();
    expect(handled.names).toEqual(['a1', 'b1', 'slow1']);
  });

  it('other ledgers are so many wanted events ahead of it and no more, and go on when it has settled', async () => {
    oneByOne(world.store);
    const { handle, release } = slowly();
    await world.happen(['slow']);
    for (let round = 0; round < 10; round += 1) {
      await world.happen(['c'], CATEGORIES);
      await world.happen(['a'], ORDERS);
    }
    world.start(handle, { inFlightEvents: 5, filter: { recordId: ['r-slow', 'r-a'] } });
    const ahead = ['a1', 'a2', 'a3', 'a4'];
    await eventually(() => expect(handled.names).toEqual(ahead));
    release();
    await world.caughtUp();
    expect(handled.names).toHaveLength(11);
    expect(handled.names.slice(0, 4)).toEqual(ahead);
  });
});
