/** Several instances, and stores that go away. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BindingEventView } from '#ledger';
import { Handled, NAME, Outage, SubscriptionWorld, eventually } from '../../../test/support/subscriptions/world.js';
import { deleteForsaken, PARKED_KIND, readDocument, writeParked } from './document.js';

const SHORT = { leaseMs: 1_000 };

let world: SubscriptionWorld;
let handled: Handled;
beforeEach(async () => {
  world = await SubscriptionWorld.open();
  handled = new Handled();
});
afterEach(() => world.close());

const idsFrom = (from: number, count: number) => Array.from({ length: count }, (_, index) => `b${from + index}`);

describe('two instances', () => {
  it('do not both handle; when one stops the other goes on at once', async () => {
    const second = new Handled();
    const one = world.start(handled.handle);
    await eventually(async () => expect((await world.document()).instance).toBe(one.instance));
    const two = world.start(second.handle);
    await world.happen(idsFrom(0, 50));
    await world.caughtUp();
    expect([handled.calls.length, second.calls.length]).toEqual([50, 0]);
    await one.stop();
    await world.happen(idsFrom(50, 50));
    await world.caughtUp();
    expect([handled.calls.length, second.calls.length]).toEqual([50, 50]);
    expect((await world.document()).instance).toBe(two.instance);
  });

  it('take over from one that is silent, which then changes nothing and starts nothing', async () => {
    const outage = new Outage();
    await world.happen(idsFrom(0, 5));
    // It handles, but reaches the vault no more: as when it is cut off, or paused.
    const cutOff = new Handled();
    const handlesOne = async (event: BindingEventView, context: Parameters<Handled['handle']>[1]) => {
      await cutOff.handle(event, context);
      if (event.bindingId === 'b7') outage.down = true;
    };
    world.start(handlesOne, SHORT, { vault: outage.vault(world.vault) });
    await world.caughtUp();
    await world.happen(idsFrom(5, 3));
    await eventually(() => expect(outage.down).toBe(true));
    const second = world.start(handled.handle, SHORT);
    await eventually(async () => expect((await world.document()).instance).toBe(second.instance));
    await world.happen(idsFrom(8, 4));
    const { position } = await world.caughtUp();
    // What was not saved comes again, nothing else, and nothing after the other one has begun.
    expect(cutOff.calls.map(({ event }) => event.bindingId)).toEqual(idsFrom(0, 8));
    const again = handled.calls.map(({ event }) => event.bindingId);
    expect(again).toEqual(idsFrom(12 - again.length, again.length));
    expect(again.length).toBeGreaterThanOrEqual(4);
    outage.down = false;
    await eventually(() => expect(world.notices).toContainEqual({ subscriber: NAME, kind: 'lost' }));
    expect((await world.document()).position).toBe(position);
    expect((await world.document()).instance).toBe(second.instance);
    expect(cutOff.calls).toHaveLength(8);
  });

  it('tell a handler that the other one has taken over', async () => {
    const outage = new Outage();
    await world.happen(['a']);
    let reason: unknown;
    world.start(
      async (_event, { signal }) => {
        outage.down = true;
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        reason = signal.reason;
        throw reason;
      },
      SHORT,
      { vault: outage.vault(world.vault) },
    );
    await eventually(() => expect(outage.down).toBe(true));
    world.start(handled.handle, SHORT);
    await world.caughtUp();
    outage.down = false;
    await eventually(() => expect(reason).toMatchObject({ message: expect.stringContaining('does not run the subscriber') }));
    expect(handled.names).toEqual(['a1']);
    expect(await world.operations.parked(NAME)).toEqual([]);
  });

  it('of which many begin at once: one creates the checkpoint, one runs', async () => {
    await world.happen(idsFrom(0, 20));
    for (let index = 0; index < 5; index += 1) world.start(handled.handle);
    await world.caughtUp();
    expect(handled.names).toHaveLength(20);
    expect((await world.document()).epoch).toBe(1);
  });
});

describe('a store that goes away', () => {
  it('is waited for, and nothing is lost or skipped', async () => {
    const outage = new Outage();
    const store = outage.store(world.store);
    world.start(handled.handle, {}, { store });
    for (let round = 0; round < 5; round += 1) {
      await world.happen(idsFrom(round * 100, 100));
      if (round > 0) await eventually(() => expect(handled.calls.length).toBeGreaterThanOrEqual(round * 100));
      outage.down = true;
      await sleep(10);
      outage.down = false;
    }
    await world.caughtUp();
    expect(handled.calls.map(({ event }) => event.bindingId)).toEqual(idsFrom(0, 500));
    expect(world.notices).toContainEqual(expect.objectContaining({ kind: 'unavailable' }));
  });

  it('when it is the vault: the work goes on while the lease lasts, and is saved afterwards', async () => {
    const outage = new Outage();
    world.start(handled.handle, {}, { vault: outage.vault(world.vault) });
    await world.happen(['a']);
    await world.caughtUp();
    outage.down = true;
    await world.happen(['b']);
    await eventually(() => expect(handled.names).toEqual(['a1', 'b1']));
    const { position } = await world.document();
    expect(position < (await world.store.endPosition())).toBe(true);
    await sleep(50);
    outage.down = false;
    await world.caughtUp();
    expect(handled.names).toEqual(['a1', 'b1']);
  });

  it('is waited for at the start as well', async () => {
    const outage = new Outage();
    outage.down = true;
    await world.happen(['a']);
    world.start(handled.handle, SHORT, { vault: outage.vault(world.vault), store: outage.store(world.store) });
    await eventually(() => expect(world.notices).toContainEqual(expect.objectContaining({ kind: 'unavailable' })));
    outage.down = false;
    await world.caughtUp();
    expect(handled.names).toEqual(['a1']);
  });

  it('and is restored from a backup stops the subscriber: what the store then gets anew is not skipped', async () => {
    await world.happen(['a', 'b']);
    const first = world.start(handled.handle);
    await world.caughtUp();
    await first.stop();
    const [document, end] = [await world.document(), await world.store.endPosition()];
    const restored = await SubscriptionWorld.open();
    try {
      await restored.happen(['x']);
      expect((await restored.store.endPosition()) < end).toBe(true);
      await restored.vault.put({ kind: 'subscriber', id: NAME, version: '' }, JSON.stringify(document));
      restored.start(handled.handle);
      await eventually(async () => expect((await restored.document()).stopped).toMatch(/restored from a backup/));
      expect(handled.names).toEqual(['a1', 'b1']);
    } finally {
      await restored.close();
    }
  });
});

describe('what is parked', () => {
  it('of instances that died between two writes is cleared away by the next, and nothing newer', async () => {
    await world.start(handled.handle).stop();
    await eventually(() => world.document());
    const document = (await readDocument(world.vault, NAME))?.document;
    if (document === undefined) throw new Error('no document');
    for (const version of ['000000000000-old', '000000000009-newer']) await writeParked(world.vault, NAME, version, []);
    await writeParked(world.vault, 'other', '000000000000-old', []);
    await deleteForsaken(world.vault, document);
    expect((await world.vault.list(PARKED_KIND, { limit: 10 })).map(({ id, version }) => [id, version])).toEqual([
      ['other', '000000000000-old'],
      [NAME, '000000000009-newer'],
    ]);
  });

  it('that the vault does not have any more stops the subscriber until it is reset', async () => {
    handled.failing.set('a', 1);
    await world.happen(['a', 'b']);
    const first = world.start(handled.handle, { attempts: 1 });
    await world.caughtUp();
    await first.stop();
    await world.vault.deleteAll(PARKED_KIND, NAME);
    const second = world.start(handled.handle, { ...SHORT });
    await eventually(async () => expect((await world.document()).stopped).toMatch(/not in the vault any more/));
    await second.stop();
    await world.operations.reset(NAME, 'start');
    world.start(handled.handle, SHORT);
    await eventually(() => expect(handled.names).toEqual(['b1', 'a1', 'b1']));
  });
});
