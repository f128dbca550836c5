/** What a subscriber is given, and what its checkpoint says. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Handled, NAME, PRODUCTS, SubscriptionWorld, eventually } from '../../../test/support/subscriptions/world.js';

const ORDERS = { backend: 'shop', model: 'shop.order' };

let world: SubscriptionWorld;
let handled: Handled;
beforeEach(async () => {
  world = await SubscriptionWorld.open();
  handled = new Handled();
});
afterEach(() => world.close());

describe('a subscriber', () => {
  it('gets history, then what happens, each event once and in order', async () => {
    await world.happen(['a', 'b', 'a']);
    world.start(handled.handle);
    await eventually(() => expect(handled.names).toEqual(['a1', 'b1', 'a2']));
    await world.happen(['c', 'a']);
    await eventually(() => expect(handled.names).toEqual(['a1', 'b1', 'a2', 'c1', 'a3']));
    const [{ event, context } = { event: undefined, context: undefined }] = handled.calls;
    expect(event).toMatchObject({ type: 'BindingCreated', ...PRODUCTS, localModel: 'product', bindingId: 'a', actor: 'tester' });
    expect(context).toMatchObject({ subscriber: NAME, attempt: 1, replayed: false, position: event?.position });
    expect(context?.signal.aborted).toBe(false);
    expect(await world.positions.read(event?.position ?? '')).toBeDefined();
  });

  it('goes on where it was, with nothing twice after an orderly stop', async () => {
    await world.happen(['a', 'b']);
    const first = world.start(handled.handle);
    await world.caughtUp();
    await first.stop();
    expect((await world.document()).instance).toBeNull();
    await world.happen(['c']);
    world.start(handled.handle);
    await eventually(() => expect(handled.names).toEqual(['a1', 'b1', 'c1']));
    await world.caughtUp();
    expect(handled.names).toEqual(['a1', 'b1', 'c1']);
  });

  it('begins where it is told to only while it has no checkpoint', async () => {
    await world.happen(['a', 'b']);
    const first = world.start(handled.handle, { from: 'now' });
    await world.caughtUp();
    await world.happen(['c']);
    await eventually(() => expect(handled.names).toEqual(['c1']));
    await first.stop();
    world.start(handled.handle, { from: 'start' });
    await world.happen(['d']);
    await eventually(() => expect(handled.names).toEqual(['c1', 'd1']));
  });

  it('begins behind the position of an event', async () => {
    await world.happen(['a', 'b', 'c']);
    world.start(handled.handle, { name: 'one' });
    await eventually(() => expect(handled.names).toEqual(['a1', 'b1', 'c1']));
    const position = handled.calls[1]?.event.position ?? '';
    const other = new Handled();
    world.start(other.handle, { name: 'other', from: position });
    await eventually(() => expect(other.names).toEqual(['c1']));
  });

  it('does not begin at what is no position of the store', async () => {
    world.start(handled.handle, { from: 'C:12/P:12' });
    await eventually(() =>
      expect(world.notices).toContainEqual({
        subscriber: NAME,
        kind: 'stopped',
        message: expect.stringContaining('no position'),
      }),
    );
    await expect(world.document()).rejects.toThrow(/no checkpoint/);
  });

  it('gets what its filter wants; the checkpoint moves over the rest', async () => {
    await world.happen(['a', 'b', 'a']);
    await world.happen(['o', 'o'], ORDERS);
    world.start(handled.handle, { filter: { model: ['shop.order', 'other'], type: 'SyncDateUpdated' } });
    await world.caughtUp();
    expect(handled.names).toEqual(['o2']);
    await world.happen(['a', 'a'], ORDERS);
    await world.happen(['b']);
    await eventually(() => expect(handled.names).toEqual(['o2', 'a2']));
    await world.happen(['c', 'c'], PRODUCTS);
    await world.happen(['d'], ORDERS);
    await world.caughtUp();
    expect(handled.names).toEqual(['o2', 'a2']);
  });

  it('is not given what is no event of a binding, and stops before a type that it does not know', async () => {
    await world.append(PRODUCTS, [{ type: 'LedgerPaused', data: {} }]);
    await world.happen(['a']);
    await world.append(PRODUCTS, [{ type: 'BindingBlessed', data: {} } as never]);
    await world.happen(['b']);
    world.start(handled.handle);
    await eventually(async () => expect((await world.document()).stopped).toMatch(/BindingBlessed/));
    expect(handled.names).toEqual(['a1']);
    // A newer version may run it: it does not keep the lease.
    expect((await world.document()).instance).toBeNull();
  });
});

describe('handlers', () => {
  it('of a ledger never overlap; of several ledgers as many run as are allowed', async () => {
    const ledgers = Array.from({ length: 6 }, (_, index) => ({ backend: `shop-${index}`, model: 'shop.product' }));
    for (let round = 0; round < 4; round += 1) for (const ledger of ledgers) await world.happen(['a', 'b', 'c'], ledger);
    const running = new Map<string, number>();
    let most = 0;
    world.start(
      async (event, context) => {
        running.set(event.backend, (running.get(event.backend) ?? 0) + 1);
        most = Math.max(most, running.size);
        expect(running.get(event.backend)).toBe(1);
        await sleep(Math.random() * 3);
        running.delete(event.backend);
        await handled.handle(event, context);
      },
      { concurrency: 3, attempts: 1 },
    );
    await world.caughtUp();
    expect(handled.calls).toHaveLength(72);
    expect(most).toBe(3);
    for (const ledger of ledgers) expect(handled.of(ledger)).toEqual(Array.from({ length: 12 }, (_, index) => index));
  });

  it('hold the checkpoint back until all before are done, though others go on', async () => {
    await world.happen(['slow']);
    await world.happen(['a', 'b'], ORDERS);
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    world.start(async (event, context) => {
      if (event.bindingId === 'slow') await held;
      await handled.handle(event, context);
    });
    await eventually(() => expect(handled.names).toEqual(['a1', 'b1']));
    const before = await world.document();
    await eventually(async () => expect((await world.document()).at > before.at).toBe(true));
    expect((await world.document()).position).toBe('');
    release();
    await world.caughtUp();
    expect(handled.names).toEqual(['a1', 'b1', 'slow1']);
  });

  it('are read ahead for so far and no farther', async () => {
    await world.happen(['slow']);
    const ids = Array.from({ length: 50 }, (_, index) => `b${index}`);
    await world.happen(ids, ORDERS);
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    world.start(
      async (event, context) => {
        if (event.bindingId === 'slow') await held;
        await handled.handle(event, context);
      },
      { inFlightEvents: 10 },
    );
    await eventually(() => expect(handled.calls).toHaveLength(9));
    await sleep(20);
    expect(handled.calls).toHaveLength(9);
    release();
    await world.caughtUp();
    expect(handled.calls).toHaveLength(51);
  });

  it('are tried again, with the number of the attempt, before the next event of the ledger', async () => {
    handled.failing.set('a', 3);
    await world.happen(['a', 'b']);
    world.start(handled.handle, { attempts: 4 });
    await world.caughtUp();
    expect(handled.calls.map(({ event, context }) => [event.bindingId, context.attempt])).toEqual([
      ['a', 4],
      ['b', 1],
    ]);
    expect((await world.document()).lastError).toMatchObject({ message: 'a cannot be handled', attempt: 3, revision: 0 });
  });

  it('that take too long are told so, and the ledger waits until they have settled', async () => {
    await world.happen(['a', 'b']);
    let aborted: unknown;
    world.start(
      async (event, context) => {
        const { signal, attempt } = context;
        if (event.bindingId === 'a' && attempt === 1) {
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
          await sleep(20);
          aborted = signal.reason;
          throw aborted;
        }
        await handled.handle(event, context);
      },
      { attemptTimeoutMs: 10 },
    );
    await world.caughtUp();
    expect(aborted).toMatchObject({ message: expect.stringContaining('more than 10 ms') });
    expect(handled.names).toEqual(['a1', 'b1']);
  });
});

describe('a shutdown', () => {
  it('waits for the handlers that run, begins none, and saves what they did', async () => {
    await world.happen(['a', 'b']);
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    const subscription = world.start(async (event, context) => {
      await held;
      await handled.handle(event, context);
    });
    await eventually(async () => expect((await world.document()).instance).not.toBeNull());
    await sleep(20);
    const stopped = subscription.stop();
    await sleep(20);
    release();
    await stopped;
    expect(handled.names).toEqual(['a1']);
    world.start(handled.handle);
    await world.caughtUp();
    expect(handled.names).toEqual(['a1', 'b1']);
  });

  it('does not count against a handler that gives up because it is told to', async () => {
    await world.happen(['a']);
    let running = false;
    const subscription = world.start(
      async (_event, { signal }) => {
        running = true;
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        throw signal.reason;
      },
      { shutdownMs: 30, attempts: 1 },
    );
    await eventually(() => expect(running).toBe(true));
    await subscription.stop();
    expect((await world.document()).parked.events).toBe(0);
    world.start(handled.handle);
    await world.caughtUp();
    expect(handled.names).toEqual(['a1']);
  });

  it('ends within its bound, though a handler never does; its signal says so', async () => {
    await world.happen(['a']);
    let signal: AbortSignal | undefined;
    const subscription = world.start(
      (_event, context) => {
        ({ signal } = context);
        return new Promise(() => undefined);
      },
      { shutdownMs: 50 },
    );
    await eventually(() => expect(signal).toBeDefined());
    await subscription.stop();
    expect(signal?.reason).toMatchObject({ message: 'the shutdown is over' });
    const document = await world.document();
    expect([document.position, document.instance]).toEqual(['', null]);
  });
});
