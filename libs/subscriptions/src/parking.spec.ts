/** Poison events: what is parked, what goes on, and how operators get it out. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Handled, NAME, PRODUCTS, SubscriptionWorld, eventually } from '../../../test/support/subscriptions/world.js';
import { SUBSCRIBER_KIND } from './document.js';
import { MAX_PARKED_BYTES, Parking, ParkingFull, type ParkedBinding } from './parking.js';

const OFTEN = 1_000_000;
const binding = (bindingId: string) => ({ ...PRODUCTS, bindingId });
const ORDERS = { backend: 'shop', model: 'shop.order' };

let world: SubscriptionWorld;
let handled: Handled;
beforeEach(async () => {
  world = await SubscriptionWorld.open();
  handled = new Handled();
});
afterEach(() => world.close());

/** What is parked, such as `{ a: [0, 2] }`. */
async function parked(): Promise<Record<string, number[]>> {
  const bindings = (await world.operations.parked(NAME)) as ParkedBinding[];
  return Object.fromEntries(bindings.map(({ bindingId, events }) => [bindingId, events.map(({ revision }) => revision)]));
}

async function served(): Promise<void> {
  for (const subscription of world.subscriptions) subscription.poke();
  await eventually(async () => expect((await world.document()).requests).toEqual([]));
}

describe('a poison event', () => {
  it('is parked with the later ones of its binding; all others go on', async () => {
    handled.failing.set('a', OFTEN);
    await world.happen(['a', 'b', 'a', 'c', 'a']);
    await world.happen(['a'], ORDERS);
    world.start(handled.handle, { attempts: 3, filter: { model: 'shop.product' } });
    await world.caughtUp();
    await world.happen(['a', 'b']);
    const { parked: counts, lastError } = await world.caughtUp();
    expect(handled.names).toEqual(['b1', 'c1', 'b2']);
    expect(await parked()).toEqual({ a: [0, 2, 4, 5] });
    expect(counts).toMatchObject({ events: 4, bindings: 1 });
    expect(lastError).toMatchObject({ message: 'a cannot be handled', attempt: 3, bindingId: 'a', revision: 0 });
    // Only the first was tried.
    expect(handled.failing.get('a')).toBe(OFTEN - 3);
    expect(await world.operations.parked(NAME)).toMatchObject([
      { ...PRODUCTS, bindingId: 'a', recordId: 'r-a', error: 'a cannot be handled', attempts: 3 },
    ]);
  });

  it('stays parked after a restart, and so do the later ones', async () => {
    handled.failing.set('a', OFTEN);
    await world.happen(['a']);
    const first = world.start(handled.handle, { attempts: 1 });
    await world.caughtUp();
    await first.stop();
    handled.failing.clear();
    await world.happen(['a', 'b']);
    world.start(handled.handle);
    await world.caughtUp();
    expect(handled.names).toEqual(['b1']);
    expect(await parked()).toEqual({ a: [0, 1] });
  });

  it('is replayed in order, with those behind it, before what comes then', async () => {
    handled.failing.set('a', 1).set('b', 1);
    await world.happen(['a', 'b', 'a', 'b', 'a']);
    world.start(handled.handle, { attempts: 1 });
    await world.caughtUp();
    expect(await parked()).toEqual({ a: [0, 2, 4], b: [1, 3] });
    expect(await world.operations.replayParked(NAME, binding('a'), { actor: 'olga', reason: 'repaired' })).toMatchObject({
      requests: [{ action: 'replay', actor: 'olga', reason: 'repaired' }],
    });
    await served();
    expect(handled.names).toEqual(['a1', 'a2', 'a3']);
    expect(handled.calls.every(({ context }) => context.replayed)).toBe(true);
    await world.happen(['a', 'b']);
    await world.caughtUp();
    expect(handled.names).toEqual(['a1', 'a2', 'a3', 'a4']);
    await world.operations.replayParked(NAME);
    await served();
    expect(handled.names).toEqual(['a1', 'a2', 'a3', 'a4', 'b1', 'b2', 'b3']);
    expect(await parked()).toEqual({});
    expect((await world.document()).parked).toEqual({ version: null, events: 0, bindings: 0, oldestAt: null });
  });

  it('that fails again stays where it is', async () => {
    handled.failing.set('a', 2);
    await world.happen(['a', 'a']);
    world.start(handled.handle, { attempts: 1 });
    await world.caughtUp();
    await world.operations.replayParked(NAME);
    await served();
    expect(await parked()).toEqual({ a: [0, 1] });
    expect(await world.operations.parked(NAME)).toMatchObject([{ attempts: 2 }]);
    await world.operations.replayParked(NAME);
    await served();
    expect(handled.names).toEqual(['a1', 'a2']);
  });

  it('can be left out by name only, and those behind it are handled', async () => {
    handled.failing.set('a', 1);
    await world.happen(['a', 'a', 'a']);
    world.start(handled.handle, { attempts: 1 });
    await world.caughtUp();
    expect(await world.operations.skip(NAME, binding('a'), 1)).toMatchObject({ refused: 'VERSION_MISMATCH' });
    expect(await world.operations.skip(NAME, binding('b'), 0)).toMatchObject({ refused: 'BINDING_NOT_FOUND' });
    // Asked twice at once, it is left out once.
    await Promise.all([world.operations.skip(NAME, binding('a'), 0), world.operations.skip(NAME, binding('a'), 0)]);
    await served();
    expect(handled.names).toEqual(['a2', 'a3']);
    expect(await parked()).toEqual({});
  });

  it('is left out once, though that is asked twice', async () => {
    handled.failing.set('a', OFTEN);
    await world.happen(['a', 'a', 'a']);
    const first = world.start(handled.handle, { attempts: 1 });
    await world.caughtUp();
    await first.stop();
    for (let times = 0; times < 2; times += 1) await world.operations.skip(NAME, binding('a'), 0);
    world.start(handled.handle, { attempts: 1 });
    await served();
    expect(await parked()).toEqual({ a: [1, 2] });
  });

  it('waits for an instance when it is to be replayed while none runs', async () => {
    handled.failing.set('a', 1);
    await world.happen(['a', 'a']);
    const first = world.start(handled.handle, { attempts: 1 });
    await world.caughtUp();
    await first.stop();
    await world.operations.replayParked(NAME);
    expect(await world.operations.show(NAME)).toMatchObject({ state: 'waiting', requests: [{ action: 'replay' }] });
    world.start(handled.handle);
    await served();
    expect(handled.names).toEqual(['a1', 'a2']);
  });
});

describe('a parking that is full', () => {
  it('stops the subscriber, which says so and skips nothing; with room it goes on', async () => {
    for (const id of ['a', 'b', 'c']) handled.failing.set(id, 1);
    await world.happen(['a', 'b', 'a', 'c', 'd', 'c']);
    world.start(handled.handle, { attempts: 1, parkedEvents: 3 });
    await eventually(async () => expect((await world.document()).stopped).toMatch(/3 events are parked/));
    expect(await world.operations.show(NAME)).toMatchObject({ state: 'stopped', parked: { events: 3 } });
    expect(handled.names).toEqual([]);
    await world.operations.skip(NAME, binding('b'), 1);
    await served();
    await world.caughtUp();
    // c's failure was counted when there was no room for it: it is handled now.
    expect(handled.names).toEqual(['c1', 'd1', 'c2']);
    expect(await parked()).toEqual({ a: [0, 2] });
    expect((await world.document()).stopped).toBeNull();
  });

  it('is full as well when its document would be too large', () => {
    const parking = new Parking(1_000_000);
    const event = { revision: 1, position: 'p'.repeat(1_000), type: 'BindingCreated', parkedAt: '' };
    const fill = () => {
      for (let index = 0; index < 1_000; index += 1)
        parking.park({ ...binding(`b${index}`), recordId: '1', error: 'e'.repeat(5_000), triedAt: '', attempts: 1 }, event);
    };
    expect(fill).toThrow(ParkingFull);
    expect(Buffer.byteLength(JSON.stringify(parking.all()))).toBeLessThanOrEqual(MAX_PARKED_BYTES);
    expect(parking.events).toBeGreaterThan(150);
  });
});

describe('a reset', () => {
  it.each([
    ['start', ['a1', 'b1', 'a2', 'c1']],
    ['now', ['c1']],
  ])('to %s goes on from there, and forgets what is parked', async (to, names) => {
    handled.failing.set('a', 1);
    await world.happen(['a', 'b', 'a']);
    world.start(handled.handle, { attempts: 1 });
    await world.caughtUp();
    expect(handled.names).toEqual(['b1']);
    handled.calls.splice(0);
    await world.operations.reset(NAME, to);
    await served();
    await world.happen(['c']);
    await world.caughtUp();
    expect(handled.names).toEqual(names);
    expect(await parked()).toEqual({});
  });

  it('to the position of an event goes on behind it; to none of this store it is refused', async () => {
    await world.happen(['a', 'b', 'c']);
    world.start(handled.handle);
    await world.caughtUp();
    const position = handled.calls[0]?.event.position ?? '';
    expect(await world.operations.reset(NAME, `${position}0`)).toMatchObject({ refused: 'POSITION_GONE' });
    await world.operations.reset(NAME, position, { actor: 'olga' });
    await served();
    await world.caughtUp();
    expect(handled.names).toEqual(['a1', 'b1', 'c1', 'b1', 'c1']);
  });

  it('that is repeated with its key is done once', async () => {
    await world.happen(['a']);
    world.start(handled.handle);
    await world.caughtUp();
    for (let times = 0; times < 3; times += 1) {
      await world.operations.reset(NAME, 'start', { actor: 'olga', key: 'k' });
      await served();
      await world.caughtUp();
    }
    expect(handled.names).toEqual(['a1', 'a1']);
    expect(await world.operations.reset(NAME, 'now', { actor: 'olga', key: 'k' })).toMatchObject({
      refused: 'IDEMPOTENCY_KEY_REUSED',
    });
    await world.operations.reset(NAME, 'start', { actor: 'otto', key: 'k' });
    await served();
    await world.caughtUp();
    expect(handled.names).toEqual(['a1', 'a1', 'a1']);
  });

  it('cuts off the handlers that run', async () => {
    await world.happen(['a']);
    let aborted = false;
    world.start(async (event, context) => {
      if (!aborted) {
        await new Promise((resolve) => context.signal.addEventListener('abort', resolve));
        aborted = true;
        throw context.signal.reason;
      }
      await handled.handle(event, context);
    });
    await eventually(async () => expect((await world.document()).instance).not.toBeNull());
    await world.operations.reset(NAME, 'start');
    await served();
    await world.caughtUp();
    expect(handled.names).toEqual(['a1']);
  });
});

describe('operators', () => {
  it('see where each subscriber is', async () => {
    handled.failing.set('a', OFTEN);
    await world.happen(['a', 'b']);
    const one = world.start(handled.handle, { name: 'one', attempts: 1, filter: { backend: 'shop' } });
    world.start(new Handled().handle, { name: 'two' });
    await Promise.all([world.caughtUp('one'), world.caughtUp('two')]);
    await one.stop();
    await world.happen(['c', 'd']);
    await world.caughtUp('two');
    const [first, second, ...others] = await world.operations.list();
    expect(others).toEqual([]);
    expect(first).toMatchObject({
      name: 'one',
      state: 'waiting',
      instance: null,
      filter: { backend: ['shop'] },
      lag: { events: 2, more: false },
      parked: { events: 1, bindings: 1, oldestAt: expect.stringMatching(/Z$/) },
      lastError: { message: 'a cannot be handled' },
    });
    expect(first?.lag.seconds).toBeGreaterThanOrEqual(0);
    expect(second).toMatchObject({ name: 'two', state: 'running', lag: { events: 0, seconds: 0 }, parked: { events: 0 } });
    expect(second?.instance).toContain(`:${process.pid}:`);
    expect((await world.operations.list(1))[0]?.lag).toMatchObject({ events: 1, more: true });
  });

  it('are refused what is asked of a subscriber that never ran, and more than can wait', async () => {
    for (const answer of [
      await world.operations.show('none'),
      await world.operations.parked('none'),
      await world.operations.replayParked('none'),
      await world.operations.skip('none', binding('a'), 0),
      await world.operations.reset('none', 'now'),
    ])
      expect(answer).toMatchObject({ refused: 'SUBSCRIBER_NOT_FOUND' });
    await world.start(handled.handle).stop();
    await eventually(() => world.document());
    for (let index = 0; index < 100; index += 1) await world.operations.replayParked(NAME);
    expect(await world.operations.replayParked(NAME)).toMatchObject({ refused: 'BUSY' });
    expect(await world.vault.list(SUBSCRIBER_KIND, { limit: 10 })).toHaveLength(1);
  });
});
