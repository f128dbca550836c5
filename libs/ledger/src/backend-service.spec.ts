import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  CONTEXT,
  ORDERS,
  PARTNERS,
  SHOP_MODEL,
  World,
  bind,
  done,
  refusedAs,
  setUp,
  type Process,
} from '../../../test/support/control/world.js';

let world: World;
let here: Process;
beforeEach(async () => {
  world = await World.open();
  here = world.process();
  await setUp(here);
});
afterEach(() => world.close());

const backends = () => here.plane.backends;

describe('a backend', () => {
  it('is answered as it was registered, by any process', async () => {
    const view = await done(world.process().plane.backends.get('berlin'));
    expect(view).toEqual({
      id: 'berlin',
      type: 'shop',
      name: 'berlin',
      location: 'https://berlin.example.com',
      version: null,
      username: null,
      hasPassword: false,
      settings: {},
      secretNames: [],
      state: 'active',
      models: [],
      revision: 0,
      createdAt: expect.any(String),
      updatedAt: expect.any(String),
    });
  });

  it('is registered once, also by two at the same time', async () => {
    const command = { id: 'paris', type: 'shop', location: 'https://paris.example.com' };
    const answers = await Promise.all([1, 2, 3].map(() => refusedAs(world.process().plane.backends.register(command, CONTEXT))));
    expect(answers.sort()).toEqual(['BACKEND_EXISTS', 'BACKEND_EXISTS', 'done']);
    expect(await world.eventTypes('backend-paris')).toEqual(['BackendRegistered']);
  });

  it('is answered again to the same request with the same key', async () => {
    const command = { id: 'paris', type: 'shop', location: 'https://paris.example.com', password: 'p4ssw0rd' };
    const first = await done(backends().register(command, CONTEXT, { key: 'k-1' }));
    await done(backends().change('paris', { name: 'Paris' }, CONTEXT));
    expect(await done(world.process().plane.backends.register(command, CONTEXT, { key: 'k-1' }))).toEqual(first);
    expect(await refusedAs(backends().register({ ...command, name: 'Lyon' }, CONTEXT, { key: 'k-1' }))).toBe(
      'IDEMPOTENCY_KEY_REUSED',
    );
    expect(await refusedAs(backends().register(command, CONTEXT, { key: 'k-2' }))).toBe('BACKEND_EXISTS');
    expect(await refusedAs(backends().register(command, { ...CONTEXT, actor: 'somebody' }, { key: 'k-1' }))).toBe(
      'BACKEND_EXISTS',
    );
    expect(await refusedAs(backends().register(command, CONTEXT))).toBe('BACKEND_EXISTS');
  });

  it('changes what is given and nothing else; the same again changes nothing', async () => {
    const change = { name: 'Berlin', version: '1.7', username: 'sync', settings: { lang: 'de', deep: { a: 1, b: 2 } } };
    const answer = await done(backends().change('berlin', change, { ...CONTEXT, onBehalfOf: 'anna' }, { reason: 'moved' }));
    expect(answer).toMatchObject({
      outcome: 'changed',
      backend: { ...change, location: 'https://berlin.example.com', revision: 1 },
    });
    expect(await done(backends().change('berlin', change, CONTEXT))).toMatchObject({
      outcome: 'unchanged',
      backend: { revision: 1 },
    });
    await done(backends().change('berlin', { version: null, settings: { lang: null, deep: { a: null } } }, CONTEXT));
    expect(await done(backends().get('berlin'))).toMatchObject({ version: null, username: 'sync', settings: { deep: { b: 2 } } });
    const history = await done(backends().history('berlin', { limit: 10 }));
    expect(history.map(({ type, actor, onBehalfOf, reason }) => ({ type, actor, onBehalfOf, reason }))).toEqual([
      { type: 'BackendRegistered', actor: 'tester', onBehalfOf: undefined, reason: undefined },
      { type: 'BackendChanged', actor: 'tester', onBehalfOf: 'anna', reason: 'moved' },
      { type: 'BackendChanged', actor: 'tester', onBehalfOf: undefined, reason: undefined },
    ]);
    expect(history[2]?.data).toEqual({ version: null, settings: { deep: { b: 2 } } });
    expect(history[0]?.changed).toBeUndefined();
    expect(history[2]?.changed).toEqual({
      version: { from: '1.7', to: null },
      settings: { from: change.settings, to: { deep: { b: 2 } } },
    });
    expect(await done(backends().history('berlin', { after: 1, limit: 1 }))).toEqual([history[2]]);
  });

  it('has times that never go backwards, whatever the clocks say', async () => {
    const clock = () => Date.now() - 4_000;
    await done(world.process({ clock }).plane.backends.change('berlin', { name: 'Earlier' }, CONTEXT));
    const [first, second] = await done(backends().history('berlin', { limit: 2 }));
    expect(second?.at).toBe(first?.at);
  });

  it('is not changed by whose clock is wrong', async () => {
    const slow = world.process({ clock: () => Date.now() - 60_000 });
    expect(await refusedAs(slow.plane.backends.change('berlin', { name: 'Late' }, CONTEXT))).toBe('STORE_UNAVAILABLE');
    const fast = world.process({ clock: () => Date.now() + 6_000 });
    expect(fast.plane.trouble).toBeUndefined();
    await done(fast.plane.backends.change('berlin', { name: 'Early' }, CONTEXT));
    expect(fast.plane.trouble).toContain("off the store's");
    expect(await refusedAs(fast.plane.catalog.defineType({ type: 'erp' }, CONTEXT))).toBe('STORE_UNAVAILABLE');
    expect(await refusedAs(backends().pause('berlin', CONTEXT))).toBe('STORE_UNAVAILABLE');
    const later = world.process({ clock: () => Date.now() + 2_000 });
    await done(later.plane.backends.pause('berlin', CONTEXT));
  });

  it('loses no change when many are made at once', async () => {
    const processes = Array.from({ length: 8 }, () => world.process());
    await Promise.all(
      processes.map(({ plane }, index) => done(plane.backends.change('berlin', { settings: { [`s${index}`]: index } }, CONTEXT))),
    );
    const { settings, revision } = await done(backends().get('berlin'));
    expect(Object.keys(settings)).toHaveLength(8);
    expect(revision).toBe(8);
  });

  it('is not known by another name', async () => {
    for (const id of ['paris', '', 'a/b', 'Berlin', 'x'.repeat(10_000)]) {
      expect(await refusedAs(backends().get(id))).toBe('BACKEND_NOT_FOUND');
      expect(await refusedAs(backends().change(id, {}, CONTEXT))).toBe('BACKEND_NOT_FOUND');
      expect(await refusedAs(backends().pause(id, CONTEXT))).toBe('BACKEND_NOT_FOUND');
      expect(await refusedAs(backends().retire(id, CONTEXT))).toBe('BACKEND_NOT_FOUND');
      expect(await refusedAs(backends().history(id, { limit: 1 }))).toBe('BACKEND_NOT_FOUND');
      expect(await refusedAs(backends().readCredentials(id, CONTEXT))).toBe('BACKEND_NOT_FOUND');
    }
  });
});

describe('the list of backends', () => {
  it('has what was registered before the call, in pages by id, projected or not', async () => {
    const ids = ['berlin', ...Array.from({ length: 12 }, (_, index) => `shop-${index}`)].sort();
    for (const id of ids.slice(1, 6))
      await done(backends().register({ id, type: 'shop', location: 'https://x.example' }, CONTEXT));
    await world.project();
    for (const id of ids.slice(6)) await done(backends().register({ id, type: 'shop', location: 'https://x.example' }, CONTEXT));
    await done(backends().change('berlin', { name: 'Newer' }, CONTEXT));
    const other = world.process().plane.backends;
    const all = await other.list();
    expect(all.map(({ id }) => id)).toEqual(ids);
    expect(all[0]?.name).toBe('Newer');
    expect((await other.list('shop-0', 3)).map(({ id }) => id)).toEqual(['shop-1', 'shop-10', 'shop-11']);
  });

  it('is fresh although another process keeps changing it', async () => {
    const [one, two] = [world.process().plane.backends, world.process().plane.backends];
    for (let turn = 0; turn < 5; turn += 1) {
      await done(one.change('berlin', { name: `Berlin ${turn}` }, CONTEXT));
      expect((await two.list())[0]?.name).toBe(`Berlin ${turn}`);
    }
  });
});

describe('the registration of a ledger', () => {
  it('comes before its first event, and is answered again', async () => {
    const opening = await done(backends().registerLedger(PARTNERS, CONTEXT));
    expect(opening).toEqual({
      rules: { localModel: 'res.partner', cardinality: 'one', dataSchema: null, indexes: [] },
      backendRevision: 1,
      modelRevision: 0,
    });
    expect(await done(world.process().plane.backends.registerLedger(PARTNERS, CONTEXT))).toEqual(opening);
    expect(await done(backends().get('berlin'))).toMatchObject({ models: ['shop.partner'], revision: 1 });
  });

  it('answers the rules that hold after it, since a change of the model before it did not find the ledger', async () => {
    const slow = world.process({
      beforeAppend: async ([event]) => {
        if (event?.type === 'LedgerRegistered')
          await done(here.plane.catalog.defineModel({ ...SHOP_MODEL, cardinality: 'many' }, CONTEXT));
      },
    });
    const opening = await done(slow.plane.backends.registerLedger(PARTNERS, CONTEXT));
    expect(opening).toMatchObject({ rules: { cardinality: 'many' }, modelRevision: 3 });
  });

  it('does not open a ledger in the middle of a change of what it is made with', async () => {
    const slow = world.process({
      beforeAppend: async ([event]) => {
        if (event?.type !== 'LedgerRegistered') return;
        const changing = world.process({ crashes: { atWrite: 2, done: false } });
        await expect(changing.plane.catalog.defineModel({ ...SHOP_MODEL, localModel: 'res.users' }, CONTEXT)).rejects.toThrow(
          'died',
        );
      },
    });
    expect(await refusedAs(slow.plane.backends.registerLedger(PARTNERS, CONTEXT))).toBe('BUSY');
    await here.plane.resumeFanOuts();
    expect(await done(slow.plane.backends.registerLedger(PARTNERS, CONTEXT))).toMatchObject({
      rules: { localModel: 'res.partner' },
    });
  });

  it('is done once by many at the same time', async () => {
    const openings = await Promise.all(
      Array.from({ length: 10 }, () => done(world.process().plane.backends.registerLedger(ORDERS, CONTEXT))),
    );
    for (const opening of openings) expect(opening).toEqual(openings[0]);
    expect(await world.eventTypes('backend-berlin')).toEqual(['BackendRegistered', 'LedgerRegistered']);
  });

  it.each([
    ['an unknown backend', { backend: 'paris', model: 'shop.partner' }, 'BACKEND_NOT_FOUND'],
    ['an unknown model', { backend: 'berlin', model: 'shop.nothing' }, 'MODEL_NOT_FOUND'],
    ['a model that objects have anyway', { backend: 'berlin', model: 'constructor' }, 'MODEL_NOT_FOUND'],
    ['a model of another type', { backend: 'berlin', model: 'erp.partner' }, 'MODEL_BACKEND_MISMATCH'],
  ])('is refused for %s, and so is a look at it', async (_what, ledger, code) => {
    await done(here.plane.catalog.defineType({ type: 'erp' }, CONTEXT));
    await done(here.plane.catalog.defineModel({ model: 'erp.partner', backendType: 'erp', localModel: 'res.partner' }, CONTEXT));
    expect(await refusedAs(backends().registerLedger(ledger, CONTEXT))).toBe(code);
    expect((await backends().checkLedger(ledger))?.refused).toBe(code);
  });

  it('is refused while the backend is paused, also for one that is registered', async () => {
    await done(backends().registerLedger(PARTNERS, CONTEXT));
    await done(backends().pause('berlin', CONTEXT));
    expect(await refusedAs(backends().registerLedger(PARTNERS, CONTEXT))).toBe('BACKEND_PAUSED');
    expect(await refusedAs(backends().registerLedger(ORDERS, CONTEXT))).toBe('BACKEND_PAUSED');
    expect(await backends().checkLedger(ORDERS)).toBeUndefined();
    await done(backends().resume('berlin', CONTEXT));
    expect(await refusedAs(backends().registerLedger(ORDERS, CONTEXT))).toBe('done');
  });

  it('finds the ledgers of a local model on all backends', async () => {
    await done(backends().register({ id: 'paris', type: 'shop', location: 'https://paris.example.com' }, CONTEXT));
    await done(bind(here, PARTNERS, { recordId: '1', externalId: 'a' }) as Promise<object>);
    await done(backends().registerLedger({ ...PARTNERS, backend: 'paris' }, CONTEXT));
    await done(backends().registerLedger(ORDERS, CONTEXT));
    const found = await world.process().plane.ledgersOfLocalModel('res.partner');
    expect(found).toEqual([PARTNERS, { ...PARTNERS, backend: 'paris' }]);
  });
});
