import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DefineBindingModel, JsonObject, LedgerName } from '#domain';
import {
  CONTEXT,
  ORDERS,
  PARTNERS,
  World,
  bind,
  done,
  refusedAs,
  setUp,
  type Process,
} from '../../../test/support/control/world.js';

const ORDER_MODEL: DefineBindingModel = {
  model: 'shop.order',
  backendType: 'shop',
  localModel: 'sale.order',
  cardinality: 'many',
};
const PARIS: LedgerName = { backend: 'paris', model: 'shop.order' };
const NUMBERED: JsonObject = { type: 'object', properties: { no: { type: 'integer' } }, required: ['no'] };
const NAMED: JsonObject = { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] };

let world: World;
let here: Process;
beforeEach(async () => {
  world = await World.open();
  here = world.process();
  await setUp(here);
  await done(here.plane.backends.register({ id: 'paris', type: 'shop', location: 'https://paris.example.com' }, CONTEXT));
});
afterEach(() => world.close());

const define = (change: Partial<DefineBindingModel>, by = here) =>
  by.plane.catalog.defineModel({ ...ORDER_MODEL, ...change }, CONTEXT);
const rulesOf = async (ledger: LedgerName) => (await here.ledgers.state(ledger)).rules;
const modelEvents = async () => (await world.eventTypes('catalog-models')).slice(2);
let externalIds = 0;
const bound = (ledger: LedgerName, recordId: string, data: JsonObject = {}) =>
  bind(here, ledger, { recordId, externalId: `x-${(externalIds += 1)}`, data });

describe('a changed model', () => {
  it('reaches every ledger of it, and each says what it follows from', async () => {
    for (const ledger of [ORDERS, PARIS, PARTNERS]) await bound(ledger, '1', { no: 1 });
    expect(await done(define({ dataSchema: NUMBERED, indexes: ['no'] }))).toMatchObject({
      outcome: 'changed',
      model: { dataSchema: NUMBERED, indexes: ['no'] },
    });
    for (const ledger of [ORDERS, PARIS]) {
      expect(await rulesOf(ledger)).toEqual({
        localModel: 'sale.order',
        cardinality: 'many',
        dataSchema: NUMBERED,
        indexes: ['no'],
      });
      expect(await refusedAs(bound(ledger, '2', { no: 'two' }))).toBe('INVALID_DATA');
      expect(await refusedAs(bound(ledger, '2', { no: 2 }))).toBe('done');
    }
    expect((await rulesOf(PARTNERS)).dataSchema).toBeNull();
    expect(await modelEvents()).toEqual(['ModelChanging', 'ModelChanged']);
    const changes = (await here.ledgers.events(PARIS)).filter(({ type }) => type === 'LedgerRulesChanged');
    expect(changes.map(({ data }) => data)).toMatchObject([{ modelRevision: 2 }, { modelRevision: 3 }]);
  });

  it('that is the same changes nothing', async () => {
    await bound(ORDERS, '1');
    expect(await done(define({ dataSchema: null, indexes: [] }))).toMatchObject({ outcome: 'unchanged' });
    expect(await modelEvents()).toEqual([]);
    expect((await here.ledgers.events(ORDERS)).map(({ type }) => type)).toEqual(['LedgerOpened', 'BindingCreated']);
  });

  it.each<[string, Partial<DefineBindingModel>, Partial<DefineBindingModel>, string[]]>([
    ['narrower only', {}, { dataSchema: NUMBERED }, ['LedgerRulesChanged']],
    ['wider only', { dataSchema: NUMBERED }, { dataSchema: null }, ['LedgerRulesChanged']],
    [
      'narrower in one thing and wider in another',
      { dataSchema: NUMBERED },
      { cardinality: 'one', dataSchema: null },
      ['LedgerRulesChanged', 'LedgerRulesChanged'],
    ],
    ['another index only', {}, { indexes: ['no'] }, ['LedgerRulesChanged']],
  ])('that is %s takes as few steps as it can', async (_what, before, after, expected) => {
    await done(define(before));
    await bound(ORDERS, '1', { no: 1 });
    const length = (await here.ledgers.events(ORDERS)).length;
    await done(define({ ...before, ...after }));
    expect((await here.ledgers.events(ORDERS)).slice(length).map(({ type }) => type)).toEqual(expected);
    expect(await rulesOf(ORDERS)).toMatchObject({ ...before, ...after });
    await here.plane.resumeFanOuts();
    expect(await here.ledgers.events(ORDERS)).toHaveLength(length + expected.length);
  });

  it('opens a ledger that is registered and not open yet', async () => {
    await done(here.plane.backends.registerLedger(ORDERS, CONTEXT));
    await done(define({ dataSchema: NUMBERED }));
    expect(await here.ledgers.status(ORDERS)).toBe('open');
    expect((await rulesOf(ORDERS)).dataSchema).toEqual(NUMBERED);
    expect(await refusedAs(bound(ORDERS, '1', {}))).toBe('INVALID_DATA');
  });

  it('reaches a paused ledger, which stays paused', async () => {
    await bound(ORDERS, '1', { no: 1 });
    await done(here.plane.backends.pause('berlin', CONTEXT));
    await done(define({ dataSchema: NUMBERED }));
    expect(await here.ledgers.state(ORDERS)).toMatchObject({ paused: true, rules: { dataSchema: NUMBERED } });
  });

  it('does not reach the ledgers of retired backends', async () => {
    await done(here.plane.backends.registerLedger(ORDERS, CONTEXT));
    await done(here.plane.backends.retire('berlin', CONTEXT));
    await done(define({ dataSchema: NUMBERED }));
    expect((await rulesOf(ORDERS)).dataSchema).toBeNull();
  });
});

describe('a change that bindings violate', () => {
  it('is refused with examples and leaves no trace', async () => {
    await bound(ORDERS, '1', { no: 1 });
    await bound(PARIS, '7', { no: 'seven' });
    await world.project();
    await bound(PARIS, '8', { no: 'eight' });
    const refusal = await define({ dataSchema: NUMBERED });
    const errors = [{ path: '/no', message: 'must be integer' }];
    expect(refusal).toMatchObject({
      refused: 'MODEL_CHANGE_VIOLATED',
      details: {
        examples: [
          { ledger: 'paris/shop.order', recordId: '7', problem: 'the data does not match the schema', errors },
          { ledger: 'paris/shop.order', recordId: '8', errors },
        ],
      },
    });
    expect(JSON.stringify(refusal)).not.toContain('seven');
    expect(await modelEvents()).toEqual([]);
    expect(await done(here.plane.catalog.model('shop.order'))).toMatchObject({ dataSchema: null });
  });

  it('is refused for a record with two live bindings, and not for former ones', async () => {
    for (const recordId of ['1', '2', '2', '3', '3']) await bound(ORDERS, recordId);
    await world.project();
    await bound(ORDERS, '4');
    await bound(ORDERS, '4');
    await here.ledgers.run(ORDERS, { op: 'unbind', recordId: '3', all: true }, here.plane, CONTEXT);
    const refusal = await define({ cardinality: 'one' });
    expect(refusal).toMatchObject({
      refused: 'MODEL_CHANGE_VIOLATED',
      details: { examples: [{ recordId: '2' }, { recordId: '4' }] },
    });
    for (const recordId of ['2', '4']) await here.ledgers.run(ORDERS, { op: 'unbind', recordId, all: true }, here.plane, CONTEXT);
    expect(await refusedAs(define({ cardinality: 'one' }))).toBe('done');
  });

  it('is rolled back when the binding came at the last moment, also where it was done already', async () => {
    for (const ledger of [ORDERS, PARIS]) await bound(ledger, '1', { no: 1 });
    const slow = world.process();
    slow.ledgers.beforeAmendment = async (ledger) => {
      if (ledger.backend !== 'paris') return;
      slow.ledgers.beforeAmendment = async () => undefined;
      await bound(PARIS, '2', { no: 'late' });
    };
    const refusal = await define({ dataSchema: NUMBERED, cardinality: 'one' }, slow);
    expect(refusal).toMatchObject({
      refused: 'MODEL_CHANGE_VIOLATED',
      details: { examples: [{ ledger: 'paris/shop.order', recordId: '2' }] },
    });
    expect(await modelEvents()).toEqual(['ModelChanging', 'ModelChangeRolledBack']);
    for (const ledger of [ORDERS, PARIS]) {
      expect(await rulesOf(ledger)).toMatchObject({ dataSchema: null, cardinality: 'many' });
      expect(await here.ledgers.state(ledger)).toMatchObject({ modelRevision: 3 });
    }
    expect((await here.ledgers.events(ORDERS)).filter(({ type }) => type === 'LedgerRulesChanged')).toHaveLength(2);
    expect(await done(here.plane.catalog.model('shop.order'))).toMatchObject({ dataSchema: null, cardinality: 'many' });
  });

  it('never lets in what the rules that it may end with do not admit', async () => {
    await done(define({ dataSchema: NUMBERED }));
    for (const ledger of [ORDERS, PARIS]) await bound(ledger, '1', { no: 1, name: 'one' });
    const slow = world.process();
    const during: string[] = [];
    slow.ledgers.beforeAmendment = async (ledger) => {
      if (ledger.backend !== 'paris') return;
      slow.ledgers.beforeAmendment = async () => undefined;
      // Berlin is held to the old and the new schema by now.
      for (const data of [{ no: 2 }, { name: 'two' }, { no: 2, name: 'two' }])
        during.push(await refusedAs(bound(ORDERS, '2', data as JsonObject)));
      await bound(PARIS, '3', { no: 3 });
    };
    expect(await refusedAs(define({ dataSchema: NAMED }, slow))).toBe('MODEL_CHANGE_VIOLATED');
    expect(during).toEqual(['INVALID_DATA', 'INVALID_DATA', 'done']);
    expect((await rulesOf(ORDERS)).dataSchema).toEqual(NUMBERED);
  });

  it('cannot change what its ledgers were made with', async () => {
    expect(await refusedAs(define({ localModel: 'stock.picking' }))).toBe('done');
    await done(here.plane.backends.registerLedger(ORDERS, CONTEXT));
    expect(await define({})).toMatchObject({
      refused: 'MODEL_CHANGE_VIOLATED',
      details: { examples: [{ ledger: 'berlin/shop.order' }] },
    });
    await done(here.plane.catalog.defineType({ type: 'erp' }, CONTEXT));
    expect(await refusedAs(define({ localModel: 'stock.picking', backendType: 'erp' }))).toBe('MODEL_CHANGE_VIOLATED');
    expect(await done(here.plane.catalog.model('shop.order'))).toMatchObject({
      localModel: 'stock.picking',
      backendType: 'shop',
    });
  });
});

describe('changes of a model at the same time', () => {
  it('come one after the other, and all ledgers end with the same rules', async () => {
    for (const ledger of [ORDERS, PARIS]) await bound(ledger, '1', { no: 1, name: 'one' });
    const wanted: Partial<DefineBindingModel>[] = [
      { dataSchema: NUMBERED },
      { dataSchema: NAMED },
      { cardinality: 'one' },
      { indexes: ['no'] },
    ];
    const answers = await Promise.all(wanted.map((change) => refusedAs(define(change, world.process()))));
    for (const answer of answers) expect(['done', 'BUSY']).toContain(answer);
    await here.plane.resumeFanOuts();
    const model = await done(here.plane.catalog.model('shop.order'));
    for (const ledger of [ORDERS, PARIS]) {
      const { localModel, cardinality, dataSchema, indexes } = model;
      expect(await rulesOf(ledger)).toEqual({ localModel, cardinality, dataSchema, indexes });
    }
    const events = await modelEvents();
    expect(events.filter((_type, index) => index % 2 === 0)).toEqual(
      events.filter((_type, index) => index % 2 === 0).map(() => 'ModelChanging'),
    );
  });

  it('are not undone by an older one that is slow', async () => {
    await bound(ORDERS, '1', { no: 1 });
    const slow = world.process();
    let held = false;
    slow.ledgers.beforeAmendment = async () => {
      if (held) return;
      held = true;
      await done(define({ dataSchema: null }));
    };
    await define({ dataSchema: NUMBERED }, slow);
    expect(await done(here.plane.catalog.model('shop.order'))).toMatchObject({ dataSchema: null });
    expect((await rulesOf(ORDERS)).dataSchema).toBeNull();
  });
});

describe('the first definition', () => {
  it('needs its backend type, and is there for all processes at once', async () => {
    const model: DefineBindingModel = { model: 'erp.partner', backendType: 'erp', localModel: null };
    expect(await refusedAs(here.plane.catalog.defineModel(model, CONTEXT))).toBe('BACKEND_TYPE_NOT_FOUND');
    await done(here.plane.catalog.defineType({ type: 'erp' }, CONTEXT));
    const answers = await Promise.all([1, 2, 3].map(() => done(world.process().plane.catalog.defineModel(model, CONTEXT))));
    expect(answers.map(({ outcome }) => outcome).sort()).toEqual(['created', 'unchanged', 'unchanged']);
    expect(await done(world.process().plane.catalog.model('erp.partner'))).toMatchObject({
      ...model,
      cardinality: 'one',
      dataSchema: null,
      indexes: [],
    });
    expect((await world.process().plane.catalog.models()).map((each) => each.model)).toEqual([
      'erp.partner',
      'shop.order',
      'shop.partner',
    ]);
  });
});
