/**
 * Each operation on backends and models is interrupted at each of its writes, with that write done and not done. A process
 * that starts then and resumes must find, or bring about, the state before or the state after; and the repeated operation, the state after.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { isRefusal, statusOf, type DefineBindingModel, type JsonObject, type LedgerName } from '#domain';
import { CONTEXT, ORDERS, PARTNERS, World, bind, done, setUp, type Process } from '../../../test/support/control/world.js';

const PARIS: LedgerName = { backend: 'paris', model: 'shop.order' };
const UNOPENED: LedgerName = { backend: 'berlin', model: 'shop.unopened' };
const LEDGERS = [PARTNERS, ORDERS, PARIS, UNOPENED];
const ORDER_MODEL: DefineBindingModel = {
  model: 'shop.order',
  backendType: 'shop',
  localModel: 'sale.order',
  cardinality: 'many',
};
const NUMBERED: JsonObject = { properties: { no: { type: 'integer' } } };

interface Operation {
  name: string;
  prepare?: (of: Process) => Promise<void>;
  run: (of: Process) => Promise<object>;
  /** How many writes it makes at least: an operation that is interrupted nowhere proves nothing. */
  writes: number;
}

const unbindAll = (of: Process, ledger: LedgerName) => of.ledgers.run(ledger, { op: 'unbind', recordId: '1' }, of.plane, CONTEXT);
const unbindBerlin = async (of: Process) => {
  for (const ledger of [PARTNERS, ORDERS]) await unbindAll(of, ledger);
};

const OPERATIONS: Operation[] = [
  { name: 'defining a type', writes: 1, run: ({ plane }) => plane.catalog.defineType({ type: 'erp', label: 'ERP' }, CONTEXT) },
  {
    name: 'defining a model',
    writes: 1,
    run: ({ plane }) => plane.catalog.defineModel({ model: 'shop.new', backendType: 'shop', localModel: null }, CONTEXT),
  },
  {
    name: 'registering a backend with secrets',
    writes: 2,
    run: ({ plane }) =>
      plane.backends.register({ id: 'rome', type: 'shop', location: 'https://rome.example', password: 'secret' }, CONTEXT, {
        key: 'k',
      }),
  },
  {
    name: 'changing a password',
    writes: 3,
    prepare: async ({ plane }) => void (await plane.backends.change('berlin', { password: 'first' }, CONTEXT)),
    run: ({ plane }) => plane.backends.change('berlin', { name: 'Berlin', password: 'changed' }, CONTEXT),
  },
  { name: 'pausing', writes: 4, run: ({ plane }) => plane.backends.pause('berlin', CONTEXT) },
  {
    name: 'resuming',
    writes: 4,
    prepare: async ({ plane }) => void (await plane.backends.pause('berlin', CONTEXT)),
    run: ({ plane }) => plane.backends.resume('berlin', CONTEXT),
  },
  {
    name: 'retiring what has secrets',
    writes: 6,
    prepare: async (of) => {
      await unbindBerlin(of);
      await of.plane.backends.change('berlin', { password: 'secret' }, CONTEXT);
    },
    run: ({ plane }) => plane.backends.retire('berlin', CONTEXT),
  },
  {
    name: 'retiring what is paused',
    writes: 6,
    prepare: async (of) => {
      await unbindBerlin(of);
      await of.plane.backends.pause('berlin', CONTEXT);
    },
    run: ({ plane }) => plane.backends.retire('berlin', CONTEXT),
  },
  {
    name: 'narrowing a model',
    writes: 4,
    run: ({ plane }) => plane.catalog.defineModel({ ...ORDER_MODEL, dataSchema: NUMBERED }, CONTEXT),
  },
  {
    name: 'widening a model',
    writes: 4,
    prepare: async ({ plane }) => void (await plane.catalog.defineModel({ ...ORDER_MODEL, dataSchema: NUMBERED }, CONTEXT)),
    run: ({ plane }) => plane.catalog.defineModel(ORDER_MODEL, CONTEXT),
  },
  {
    name: 'narrowing a model in one thing and widening it in another',
    writes: 6,
    prepare: async ({ plane }) => void (await plane.catalog.defineModel({ ...ORDER_MODEL, dataSchema: NUMBERED }, CONTEXT)),
    run: ({ plane }) => plane.catalog.defineModel({ ...ORDER_MODEL, cardinality: 'one' }, CONTEXT),
  },
];

let world: World | undefined;
afterEach(async () => {
  await world?.close();
  world = undefined;
});

async function newWorld({ prepare }: Operation): Promise<World> {
  await world?.close();
  world = await World.open();
  const first = world.process();
  await setUp(first);
  await done(first.plane.catalog.defineModel({ model: 'shop.unopened', backendType: 'shop', localModel: 'res.users' }, CONTEXT));
  await done(first.plane.backends.register({ id: 'paris', type: 'shop', location: 'https://paris.example.com' }, CONTEXT));
  for (const ledger of [PARTNERS, ORDERS, PARIS]) await bind(first, ledger, { recordId: '1', externalId: 'a', data: { no: 1 } });
  await done(first.plane.backends.registerLedger(UNOPENED, CONTEXT));
  await prepare?.(first);
  return world;
}

/** Everything that can be seen, without what the time and chance of writing are in. */
async function look(at: World): Promise<unknown> {
  const { plane, ledgers } = at.process();
  const backends = [];
  for (const { id, name, state, hasPassword, models } of await plane.backends.list()) {
    const credentials = state === 'retired' ? null : await done(plane.backends.readCredentials(id, CONTEXT));
    backends.push({ id, name, state, hasPassword, models, credentials });
  }
  const definitions = (await plane.catalog.models()).map(
    ({ revision: _revision, createdAt: _createdAt, updatedAt: _updatedAt, ...rest }) => rest,
  );
  const types = (await plane.catalog.types()).map(({ type, label }) => ({ type, label }));
  const states = [];
  for (const ledger of LEDGERS) {
    const state = await ledgers.state(ledger);
    // Resuming may open what was registered only: it can be written to or not just the same.
    const status = statusOf(state) === 'unopened' ? 'open' : statusOf(state);
    states.push({ ledger, status, paused: state.paused, rules: state.opened ? state.rules : undefined });
  }
  return {
    backends,
    definitions,
    types,
    states: states.map((state) => (state.ledger === UNOPENED ? { ...state, rules: undefined } : state)),
  };
}

/** What must hold whenever nothing is under way: every ledger follows its backend and its model. */
async function expectSettled(at: World): Promise<void> {
  const { plane, ledgers } = at.process();
  const views = await plane.backends.list();
  for (const ledger of LEDGERS) {
    const state = await ledgers.state(ledger);
    const backend = views.find(({ id }) => id === ledger.backend);
    expect(['active', 'paused', 'retired']).toContain(backend?.state);
    if (!state.opened) continue;
    expect(state.closed).toBe(backend?.state === 'retired');
    if (state.closed) expect(state.counts).toMatchObject({ pending: 0, bound: 0 });
    else expect(state.paused).toBe(backend?.state === 'paused');
    const { localModel, cardinality, dataSchema, indexes } = await done(plane.catalog.model(ledger.model));
    if (!state.closed) expect(state.rules).toEqual({ localModel, cardinality, dataSchema, indexes });
  }
  expect(await vaultLeftovers(at)).toEqual([]);
}

/** Secrets of retired backends that are still there. */
async function vaultLeftovers(at: World): Promise<string[]> {
  const left: string[] = [];
  for (const { id, state } of await at.process().plane.backends.list()) {
    if (state === 'retired' && (await at.vault.deleteAll('secret', id)) > 0) left.push(id);
  }
  return left;
}

describe.each(OPERATIONS)('$name, interrupted at any of its writes', (operation) => {
  it('is done in the end or was never begun, and can be repeated', async () => {
    const calm = await newWorld(operation);
    const before = await look(calm);
    const whole = calm.process();
    await done(operation.run(whole));
    const writes = whole.crash.writes;
    const after = await look(calm);
    await expectSettled(calm);
    expect(after).not.toEqual(before);
    expect(writes).toBeGreaterThanOrEqual(operation.writes);

    for (let atWrite = 1; atWrite <= writes; atWrite += 1) {
      for (const isDone of [false, true]) {
        const at = await newWorld(operation);
        const crashed = at.process({ crashes: { atWrite, done: isDone } });
        await expect(operation.run(crashed)).rejects.toThrow(/died|dead/);
        // Sometimes the read model saw all of it before the crash, sometimes nothing.
        if (atWrite % 2 === 0) await at.project();
        const next = at.process();
        expect(await next.plane.resumeFanOuts()).toMatchObject({ unfinished: [] });
        await expectSettled(at);
        expect([before, after]).toContainEqual(await look(at));
        const repeated = await operation.run(next);
        expect(isRefusal(repeated) ? repeated : undefined).toBeUndefined();
        await expectSettled(at);
        expect(await look(at)).toEqual(after);
      }
    }
  });
});

/** Operations that are refused at the last moment undo what they did; that is interrupted too. */
describe.each([
  {
    name: 'a retirement that a binding cancels',
    prepare: unbindBerlin,
    ledger: ORDERS,
    late: (of: Process) => bind(of, ORDERS, { recordId: '2', externalId: 'late' }),
    run: ({ plane }: Process) => plane.backends.retire('berlin', CONTEXT),
    refused: 'BACKEND_IN_USE',
    writes: 6,
  },
  {
    name: 'a change of a model that a binding violates',
    ledger: PARIS,
    late: (of: Process) => bind(of, PARIS, { recordId: '2', externalId: 'late', data: { no: 'late' } }),
    run: ({ plane }: Process) => plane.catalog.defineModel({ ...ORDER_MODEL, dataSchema: NUMBERED }, CONTEXT),
    refused: 'MODEL_CHANGE_VIOLATED',
    writes: 5,
  },
])('$name, interrupted at any of its writes', (operation) => {
  /** Lets the binding in right before the ledger in question is changed for the second time, or for the first. */
  const obstruct = (of: Process, by: Process, at: number) => {
    let turns = 0;
    of.ledgers.beforeAmendment = async (ledger) => {
      if (ledger.backend !== operation.ledger.backend || ledger.model !== operation.ledger.model) return;
      turns += 1;
      if (turns === at) await operation.late(by);
    };
  };

  it('leaves everything as it was', async () => {
    // The first amendment of a retirement only counts.
    const turn = operation.refused === 'BACKEND_IN_USE' ? 2 : 1;
    const calm = await newWorld({ ...operation, run: operation.run, writes: 0 });
    const before = await look(calm);
    const whole = calm.process();
    obstruct(whole, calm.process(), turn);
    expect(await operation.run(whole)).toMatchObject({ refused: operation.refused });
    expect(await look(calm)).toEqual(before);
    expect(whole.crash.writes).toBeGreaterThanOrEqual(operation.writes);

    for (let atWrite = 1; atWrite <= whole.crash.writes; atWrite += 1) {
      for (const isDone of [false, true]) {
        const at = await newWorld({ ...operation, run: operation.run, writes: 0 });
        const crashed = at.process({ crashes: { atWrite, done: isDone } });
        obstruct(crashed, at.process(), turn);
        await expect(operation.run(crashed)).rejects.toThrow(/died|dead/);
        if (
          (await at.process().ledgers.state(operation.ledger)).counts.bound < 2 &&
          operation.refused === 'MODEL_CHANGE_VIOLATED'
        )
          await operation.late(at.process());
        if ((await at.process().ledgers.state(operation.ledger)).counts.bound < 1) await operation.late(at.process());
        expect(await at.process().plane.resumeFanOuts()).toMatchObject({ unfinished: [] });
        await expectSettled(at);
      }
    }
  });
});
