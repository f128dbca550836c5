/** What was done and cannot be saved. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { VaultError, type Vault, type VaultKey } from '#vault';
import { Handled, NAME, SubscriptionWorld, eventually } from '../../../test/support/subscriptions/world.js';
import { PARKED_KIND, subscriberKey, type SubscriberDocument } from './document.js';

/** Looks at the lease. There are six while one lasts, and what was given up is begun again after five. */
const MANY_LOOKS = 40;
const QUICK = { attempts: 1, leaseMs: 300 };

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

/** A vault that takes no document of the parking while `tight`, and counts how often it is asked for the subscriber's. */
class TightVault {
  tight = true;
  looks = 0;
  readonly vault: Vault;

  constructor(inner: Vault) {
    const { put, get } = { put: inner.put.bind(inner), get: inner.get.bind(inner) };
    this.vault = {
      put: (key: VaultKey, ...of) => {
        if (key.kind === PARKED_KIND && this.tight) throw new VaultError('TOO_LARGE', 'the document is too large');
        return put(key, ...of);
      },
      get: (key) => {
        this.looks += 1;
        return get(key);
      },
      delete: (...of) => inner.delete(...of),
      deleteAll: (...of) => inner.deleteAll(...of),
      list: (...of) => inner.list(...of),
      ping: () => inner.ping(),
      close: () => inner.close(),
    };
  }

  async isLookedAt(): Promise<void> {
    const before = this.looks;
    await eventually(() => expect(this.looks).toBeGreaterThan(before + MANY_LOOKS));
  }
}

const STOPPED = { stopped: 'what it did cannot be saved: the document is too large', instance: null };
const NOT_SAVED = { ...STOPPED, position: '', parked: { events: 0, version: null } };

describe('a subscriber whose parked events the vault does not take', () => {
  it('is stopped, which operators see, and handles nothing again by itself', async () => {
    const tight = new TightVault(world.vault);
    handled.failing.set('a', 1_000);
    await world.happen(['a', 'b']);
    world.start(handled.handle, QUICK, { vault: tight.vault });
    await eventually(async () => expect(await world.document()).toMatchObject(NOT_SAVED));
    expect(await world.operations.show(NAME)).toMatchObject({ state: 'stopped', ...STOPPED });
    const before = handled.failing.get('a');
    await tight.isLookedAt();
    expect([handled.failing.get('a'), handled.names]).toEqual([before, ['b1']]);
    tight.tight = false;
    await world.operations.replayParked(NAME);
    expect(await world.caughtUp()).toMatchObject({ stopped: null, parked: { events: 1 } });
  });

  it('keeps what was asked of it, and tries that again when something else is asked', async () => {
    const tight = new TightVault(world.vault);
    handled.failing.set('a', 2);
    await world.happen(['a', 'b']);
    tight.tight = false;
    const subscription = world.start(handled.handle, QUICK, { vault: tight.vault });
    const { position } = await world.caughtUp();
    tight.tight = true;
    await world.operations.replayParked(NAME);
    subscription.poke();
    const asked = { ...STOPPED, position, parked: { events: 1 }, requests: [{ action: 'replay' }] };
    await eventually(async () => expect(await world.document()).toMatchObject(asked));
    await tight.isLookedAt();
    expect([await world.document(), handled.names]).toMatchObject([asked, ['b1']]);
    tight.tight = false;
    await world.operations.replayParked(NAME);
    await eventually(async () => expect(await world.document()).toMatchObject({ stopped: null, requests: [] }));
    expect(handled.names).toEqual(['b1', 'a1']);
  });

  it('is tried once by each other instance, and goes on when one of them can save', async () => {
    const tight = new TightVault(world.vault);
    const slower = { ...QUICK, leaseMs: 1_000 };
    handled.failing.set('a', 1_000);
    await world.happen(['a', 'b']);
    world.start(handled.handle, slower, { vault: tight.vault });
    await eventually(async () => expect(await world.document()).toMatchObject({ ...NOT_SAVED, epoch: 1 }));
    world.start(handled.handle, slower, { vault: tight.vault });
    await eventually(async () => expect(await world.document()).toMatchObject({ ...NOT_SAVED, epoch: 2 }));
    await tight.isLookedAt();
    expect((await world.document()).epoch).toBe(2);
    const able = world.start(handled.handle, slower);
    await world.caughtUp();
    tight.tight = false;
    await able.stop();
    // One of the first two has it again.
    await eventually(async () => expect(await world.document()).toMatchObject({ epoch: 4, stopped: null }));
  });

  it('says that it has stopped while a handler does not settle', async () => {
    const tight = new TightVault(world.vault);
    handled.failing.set('a', 1_000);
    await world.happen(['a']);
    await world.happen(['slow'], { backend: 'shop', model: 'shop.order' });
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    world.start(
      async (event, context) => {
        if (event.bindingId === 'slow') await held;
        await handled.handle(event, context);
      },
      QUICK,
      { vault: tight.vault },
    );
    await eventually(async () => expect(await world.document()).toMatchObject({ stopped: STOPPED.stopped }));
    // It runs a handler, so no other instance may.
    expect((await world.document()).instance).not.toBeNull();
    release();
    await eventually(async () => expect(await world.document()).toMatchObject(NOT_SAVED));
  });
});

describe('a subscriber whose document a newer version has written', () => {
  it('ends with all that it does, tells its handlers, and leaves the document as it is', async () => {
    const subscribe = vi.spyOn(world.store, 'subscribe');
    let signal: AbortSignal | undefined;
    await world.happen(['a']);
    const subscription = world.start(
      async (_event, context) => {
        ({ signal } = context);
        await new Promise((resolve) => context.signal.addEventListener('abort', resolve));
        throw context.signal.reason;
      },
      { leaseMs: 300 },
    );
    await eventually(() => expect(signal).toBeDefined());
    const newer: SubscriberDocument = { ...(await world.document()), schema: 2, instance: 'newer' };
    await world.vault.put(subscriberKey(NAME), JSON.stringify(newer));
    await eventually(() => expect(signal?.reason).toMatchObject({ message: expect.stringContaining('does not run') }));
    await eventually(() => expect(subscribe.mock.calls.map(([, ended]) => ended.aborted)).toEqual([true]));
    expect(world.notices).toContainEqual({
      subscriber: NAME,
      kind: 'stopped',
      message: expect.stringContaining('written by a newer version'),
    });
    await subscription.stop();
    expect(JSON.parse((await world.vault.get(subscriberKey(NAME)))?.content ?? '')).toEqual(newer);
  });
});
