import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MAX_VIOLATIONS, type JsonObject, type LedgerRules, type Violation } from '#domain';
import { CONTEXT, ORDERS, World, done, setUp, type Process } from '../../../test/support/control/world.js';
import { DuplicateRecords } from './duplicate-records.js';
import { JsonSchemas } from './json-schema.js';
import { violationsOf } from './violations.js';

const MANY: LedgerRules = { localModel: 'sale.order', cardinality: 'many', dataSchema: null, indexes: [] };
const ONE: LedgerRules = { ...MANY, cardinality: 'one' };
const NUMBERED: LedgerRules = { ...MANY, dataSchema: { properties: { no: { type: 'integer' } } } };

let world: World;
let here: Process;
beforeEach(async () => {
  world = await World.open();
  here = world.process();
  await setUp(here);
});
afterEach(() => world.close());

const head = () => world.store.headRevision(world.streams.ledger(ORDERS));
async function find(after: LedgerRules, at?: number) {
  const { store, readModel, streams } = world;
  return violationsOf(
    { store, readModel, streams, validator: new JsonSchemas() },
    ORDERS,
    { before: MANY, after },
    at ?? (await head()),
  );
}
async function found(after: LedgerRules): Promise<Violation[]> {
  const violations = await find(after);
  if (!Array.isArray(violations)) throw new Error(JSON.stringify(violations));
  return violations;
}
const run = (command: Parameters<Process['ledgers']['run']>[1]) => done(here.ledgers.run(ORDERS, command, here.plane, CONTEXT));
const bind = (recordId: string, externalId: string, data: JsonObject = {}) => run({ op: 'bind', recordId, externalId, data });

describe('violations of changed rules', () => {
  it('are none in a ledger without events, nor where nothing is narrower', async () => {
    expect(await find(ONE, -1)).toEqual([]);
    expect(await find(MANY)).toEqual([]);
    await bind('1', 'a', { no: 'one' });
    await bind('1', 'b');
    expect(await find({ ...MANY, indexes: ['no'] })).toEqual([]);
  });

  it.each([
    ['nothing is projected', 0],
    ['the first half is projected', 1],
    ['all is projected', 2],
  ])('are found by what holds in the end, when %s', async (_what, projected) => {
    await bind('1', 'a', { no: 'wrong, made right' });
    await bind('2', 'b', { no: 2 });
    await bind('3', 'c', { no: 'wrong, unbound' });
    await bind('3', 'd');
    await bind('4', 'e');
    if (projected === 1) await world.project();
    await run({ op: 'changeData', externalId: 'a', data: { no: 1 } });
    await run({ op: 'changeData', externalId: 'b', data: { no: 'made wrong' } });
    await run({ op: 'sync', externalId: 'b' });
    await run({ op: 'unbind', externalId: 'c' });
    await run({ op: 'move', fromRecordId: '4', toRecordId: '1' });
    await bind('5', 'f', { no: 'new and wrong' });
    if (projected === 2) await world.project();
    expect(
      (await found(NUMBERED))
        .map(({ externalId, errors }) => ({ externalId, errors }))
        .sort((a, b) => (String(a.externalId) < String(b.externalId) ? -1 : 1)),
    ).toEqual([
      { externalId: 'b', errors: [{ path: '/no', message: 'must be integer' }] },
      { externalId: 'f', errors: [{ path: '/no', message: 'must be integer' }] },
    ]);
    expect((await found(ONE)).map(({ recordId }) => recordId)).toEqual(['1']);
  });

  it('are looked for on every page, and named up to a limit', async () => {
    for (let start = 0; start < 2_400; start += 200) {
      const events = Array.from({ length: 200 }, (_, index) => {
        const n = start + index;
        const data = { no: n % 160 === 7 ? 'wrong' : n };
        return {
          bindingId: `b-${String(n).padStart(5, '0')}`,
          version: 1,
          recordId: `r-${n === 2_399 ? 3 : n}`,
          externalId: `x-${n}`,
          state: 'bound' as const,
          syncDate: null,
          data,
        };
      });
      if (start === 0) await done(here.plane.backends.registerLedger(ORDERS, CONTEXT));
      await appendCreations(events);
    }
    await world.project();
    expect(await found(NUMBERED)).toHaveLength(MAX_VIOLATIONS);
    expect(await found(ONE)).toMatchObject([{ recordId: 'r-3', problem: 'the record has another live binding' }]);
  });

  it('are not seen double when the read model goes on while it is looked through', async () => {
    await bind('1', 'a');
    await world.project();
    await bind('2', 'b');
    const { store, streams, readModel } = world;
    const validator = new JsonSchemas();
    const going = Object.create(readModel) as typeof readModel;
    going.ledgerDocument = async (ledger) => {
      const document = await readModel.ledgerDocument(ledger);
      await world.project();
      return document;
    };
    const rules = { before: MANY, after: ONE };
    expect(await violationsOf({ store, readModel: going, streams, validator }, ORDERS, rules, await head())).toEqual([]);
  });

  it('are not told of a ledger that has moved on meanwhile', async () => {
    await bind('1', 'a');
    await bind('1', 'b');
    const before = await head();
    await bind('2', 'c');
    expect(await find(ONE, before)).toBe('moved');
  });

  it('cannot be told when the read model is too far behind', async () => {
    await bind('1', 'a');
    expect(await find(ONE, 60_000)).toMatchObject({ refused: 'BUSY' });
  });

  async function appendCreations(events: object[]): Promise<void> {
    const stream = world.streams.ledger(ORDERS);
    const revision = await head();
    const opened = { type: 'LedgerOpened', data: { rules: MANY } as unknown as JsonObject };
    const created = events.map((data) => ({ type: 'BindingCreated', data: data as JsonObject }));
    const metadata = { schema: 1, at: '2026-03-03T09:00:00.000Z', actor: 'tester', correlationId: 'c', hash: '' };
    const all = [...(revision < 0 ? [opened] : []), ...created].map((event) => ({ ...event, id: crypto.randomUUID(), metadata }));
    const result = await world.store.append(stream, revision, all);
    if (!result.ok) throw new Error('The events were not appended');
  }
});

describe('duplicate records', () => {
  it('are all among the candidates, for any ids', () => {
    const ids = fc.array(fc.oneof(fc.string({ maxLength: 3 }), fc.integer({ min: 0, max: 50 }).map(String)), { maxLength: 200 });
    fc.assert(
      fc.property(ids, (recordIds) => {
        const records = new DuplicateRecords();
        for (const recordId of recordIds) records.add(recordId);
        const isCandidate = records.candidates(Infinity) ?? (() => false);
        const repeated = recordIds.filter((recordId, index) => recordIds.indexOf(recordId) < index);
        return repeated.every(isCandidate);
      }),
    );
  });

  it('are few where there are none, among very many', () => {
    const records = new DuplicateRecords();
    for (let n = 0; n < 200_000; n += 1) records.add(`record-${n}`);
    expect(records.candidates(10)).toBeUndefined();
    records.add('record-77');
    const isCandidate = records.candidates(10);
    expect([isCandidate?.('record-77'), isCandidate?.('record-78')]).toEqual([true, false]);
  });
});
