/** Replays of much, of what does not fit, and of what is not there any more. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MAX_VAULT_BYTES } from '#vault';
import { Handled, NAME, PRODUCTS, SubscriptionWorld, eventually } from '../../../test/support/subscriptions/world.js';
import { MAX_PARKED_BYTES, Parking, ParkingFull, type ParkedBinding } from './parking.js';

const binding = (bindingId: string) => ({ ...PRODUCTS, bindingId });
const NOW = new Date(0).toISOString();
const MANY = 700;

let world: SubscriptionWorld;
beforeEach(async () => {
  world = await SubscriptionWorld.open();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await world.close();
});

const parked = async () => (await world.operations.parked(NAME)) as ParkedBinding[];
const bytesOf = (bindings: readonly ParkedBinding[]) => Buffer.byteLength(JSON.stringify(bindings));

async function served(): Promise<void> {
  for (const subscription of world.subscriptions) subscription.poke();
  await eventually(async () => expect((await world.document()).requests).toEqual([]));
}

function warnings(): () => string[] {
  const emitted = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  return () => emitted.mock.calls.map(([warning]) => String(warning));
}

describe('errors of a replay', () => {
  /** Each with an error of one character, until there is no room for more. */
  function full(): Parking {
    const parking = new Parking(1_000_000);
    const event = { revision: 1, position: 'p', type: 'BindingCreated', parkedAt: NOW };
    const fill = () => {
      for (let index = 0; ; index += 1)
        parking.park({ ...binding(`b${index}`), recordId: '1', error: 'x', triedAt: NOW, attempts: 1 }, event);
    };
    expect(fill).toThrow(ParkingFull);
    return parking;
  }

  it.each([
    ['letters', 'e'],
    ['what takes six bytes as JSON', '\u0001'],
    ['pairs of which half is worth nothing', '😀'],
  ])('of %s never make the document larger than the vault takes, however often', (_what, character) => {
    const parking = full();
    const { events } = parking;
    for (let times = 0; times < 4; times += 1) {
      for (const each of parking.all())
        parking.failedAgain(each, { error: character.repeat(400), triedAt: NOW, attempts: 1_000_000 });
    }
    expect(bytesOf(parking.all())).toBeLessThanOrEqual(MAX_VAULT_BYTES);
    expect([parking.events, parking.all().length]).toEqual([events, events]);
  });

  it('take the room that there is, and give it back', () => {
    const parking = full();
    const [first, second, third] = parking.all() as [ParkedBinding, ParkedBinding, ParkedBinding];
    const again = (each: ParkedBinding, error: string) => parking.failedAgain(each, { error, triedAt: NOW, attempts: 0 });
    again(first, 'e'.repeat(5_000));
    expect(first.error.length).toBeLessThan(300);
    parking.shift(second);
    parking.shift(third);
    again(first, 'e'.repeat(5_000));
    expect(first.error).toBe(`${'e'.repeat(300)} …`);
    expect(bytesOf(parking.all())).toBeLessThanOrEqual(MAX_PARKED_BYTES);
    again(first, 'short');
    expect(first.error).toBe('short');
  });
});

describe('a replay', () => {
  it('of a parking whose errors grow is done and saved, each event tried once, and warns of nothing', async () => {
    const warned = warnings();
    let [message, calls] = ['x', 0];
    world.start(
      () => {
        calls += 1;
        throw new Error(message);
      },
      { attempts: 1 },
    );
    await world.happen(Array.from({ length: MANY }, (_, index) => `b${index}`));
    await world.caughtUp();
    message = 'e'.repeat(400);
    await world.operations.replayParked(NAME);
    await served();
    expect(calls).toBe(2 * MANY);
    const bindings = await parked();
    expect(bindings.map(({ attempts }) => attempts)).toEqual(bindings.map(() => 2));
    expect(bindings).toHaveLength(MANY);
    expect(bindings[0]?.error).toBe(`${'e'.repeat(300)} …`);
    expect(await world.document()).toMatchObject({ stopped: null, parked: { events: MANY } });
    expect(warned()).toEqual([]);
  });

  it('in many ledgers that wait for their next attempt warns of nothing either', async () => {
    const warned = warnings();
    const ledgers = Array.from({ length: 15 }, (_, index) => ({ backend: `shop-${index}`, model: 'shop.product' }));
    for (const ledger of ledgers) await world.happen(['a'], ledger);
    let [waiting, release] = [0, () => {}];
    const all = new Promise<void>((resolve) => (release = resolve));
    const handled = new Handled();
    world.start(
      async (event, context) => {
        if (context.attempt > 1) await all;
        else if ((waiting += 1) === ledgers.length) release();
        if (context.attempt === 1) throw new Error('not yet');
        await handled.handle(event, context);
      },
      { concurrency: 15, firstBackoffMs: 50, longestBackoffMs: 50 },
    );
    await world.caughtUp();
    expect(handled.calls).toHaveLength(15);
    expect(warned()).toEqual([]);
  });

  it('of an event that cannot be read back leaves it parked, says why, and holds up no other; it can be skipped', async () => {
    const handled = new Handled();
    for (const id of ['a', 'b']) handled.failing.set(id, 1);
    await world.happen(['a', 'a', 'b']);
    world.start(handled.handle, { attempts: 1 });
    await world.caughtUp();
    const readStream = world.store.readStream.bind(world.store);
    vi.spyOn(world.store, 'readStream').mockImplementation(async (stream, options) =>
      (await readStream(stream, options)).filter(({ revision }) => stream !== world.streams.ledger(PRODUCTS) || revision !== 0),
    );
    await world.operations.replayParked(NAME);
    await served();
    expect(handled.names).toEqual(['b1']);
    expect(await parked()).toMatchObject([{ bindingId: 'a', error: expect.stringContaining('not the event that was parked') }]);
    expect(await world.document()).toMatchObject({ stopped: null, lastError: { bindingId: 'a', revision: 0 } });
    await world.operations.skip(NAME, binding('a'), 0);
    await served();
    expect(handled.names).toEqual(['b1', 'a2']);
    expect(await parked()).toEqual([]);
  });

  it('of an event that this version does not know leaves it parked, and the other ones are tried', async () => {
    const handled = new Handled();
    for (const id of ['a', 'b']) handled.failing.set(id, 1);
    await world.happen(['a', 'b']);
    world.start(handled.handle, { attempts: 1 });
    await world.caughtUp();
    const readStream = world.store.readStream.bind(world.store);
    vi.spyOn(world.store, 'readStream').mockImplementation(async (stream, options) =>
      (await readStream(stream, options)).map((event) => (event.revision === 0 ? { ...event, type: 'BindingBlessed' } : event)),
    );
    await world.operations.replayParked(NAME);
    await served();
    expect(handled.names).toEqual(['b1']);
    expect(await parked()).toMatchObject([{ bindingId: 'a', error: expect.stringContaining('BindingBlessed') }]);
  });

  it('that is asked again with its key, when that is forgotten, is done again', async () => {
    const handled = new Handled();
    handled.failing.set('a', 2);
    await world.happen(['a']);
    world.start(handled.handle, { attempts: 1 });
    await world.caughtUp();
    const ask = async (key: string) => {
      await world.operations.replayParked(NAME, undefined, { key });
      await served();
    };
    await ask('k');
    expect(handled.names).toEqual([]);
    for (let index = 0; index < 100; index += 1) await ask(`other-${index}`);
    handled.calls.splice(0);
    handled.failing.set('b', 1);
    await world.happen(['b']);
    await eventually(async () => expect((await world.document()).parked.events).toBe(1));
    await ask('k');
    expect(handled.names).toEqual(['b1']);
  });
});
