import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  concludeModelChange,
  decideBindingModel,
  evolveBindingModel,
  narrowedRules,
  rulesInForce,
  rulesOf,
  type BindingModel,
  type BindingModelEvent,
  type BindingModelState,
  type DefineBindingModel,
} from './binding-model.js';
import { isRefusal } from './refusals.js';
import type { JsonObject } from './values.js';

const LENIENT = { problemsOfSchema: () => [], problemsOf: () => [] };
const COMMAND: DefineBindingModel = { model: 'shop.order', backendType: 'shop', localModel: 'sale.order' };
const MODEL: BindingModel = {
  model: 'shop.order',
  backendType: 'shop',
  localModel: 'sale.order',
  dataSchema: null,
  cardinality: 'one',
  indexes: [],
};
const decide = (
  change: Partial<DefineBindingModel>,
  state?: BindingModelState,
  ledgers: string[] = [],
  backendTypeExists = true,
) => decideBindingModel(state, { ...COMMAND, ...change }, { validator: LENIENT, backendTypeExists, ledgers });
const codeOf = (answer: ReturnType<typeof decide>) => (isRefusal(answer) ? answer.refused : 'done');

/** Applies events from a revision on. */
const after = (state: BindingModelState | undefined, events: BindingModelEvent[], first: number) =>
  events.reduce<BindingModelState | undefined>(
    (now, event, index) => evolveBindingModel(now, event, { revision: first + index, at: `t${first + index}` }),
    state,
  );
const DEFINED = after(undefined, [{ type: 'ModelDefined', data: MODEL }], 5) as BindingModelState;

function changing(from: BindingModelState, change: Partial<DefineBindingModel>, revision: number): BindingModelState {
  const events = decide(change, from);
  if (isRefusal(events)) throw new Error(JSON.stringify(events));
  return after(from, events, revision) as BindingModelState;
}

describe('the definition of a model', () => {
  it('has defaults, and changes nothing when it is put as it is', () => {
    expect(decide({})).toEqual([{ type: 'ModelDefined', data: MODEL }]);
    expect(decide({}, DEFINED, ['berlin/shop.order'])).toEqual([]);
    expect(decide({ cardinality: 'one', indexes: [], dataSchema: null }, DEFINED)).toEqual([]);
  });

  it.each<[string, Partial<DefineBindingModel>, string]>([
    ['a bad name', { model: 'Shop' }, 'INVALID_ID'],
    ['a bad backend type', { backendType: 'a/b' }, 'INVALID_ID'],
    ['an empty local model', { localModel: '' }, 'INVALID_ID'],
    ['too many indexes', { indexes: ['a', 'b', 'c', 'd', 'e', 'f'] }, 'MALFORMED'],
    ['an index twice', { indexes: ['a', 'a'] }, 'MALFORMED'],
    ['an empty index', { indexes: [''] }, 'MALFORMED'],
    ['an index within a member', { indexes: ['a.b'] }, 'MALFORMED'],
    ['an index on an operator', { indexes: ['$where'] }, 'MALFORMED'],
    ['a schema that leads elsewhere', { dataSchema: { $ref: 'x' } }, 'INVALID_SCHEMA'],
  ])('is refused with %s', (_what, change, code) => {
    expect(codeOf(decide(change))).toBe(code);
    expect(codeOf(decide(change, DEFINED))).toBe(code);
  });

  it('needs its backend type, and no change under way', () => {
    expect(codeOf(decide({}, undefined, [], false))).toBe('BACKEND_TYPE_NOT_FOUND');
    const state = changing(DEFINED, { cardinality: 'many' }, 6);
    expect(codeOf(decide({ cardinality: 'many' }, state))).toBe('BUSY');
  });

  it('cannot change what ledgers were made with', () => {
    expect(codeOf(decide({ localModel: 'stock.picking' }, DEFINED, []))).toBe('done');
    expect(decide({ localModel: null }, DEFINED, ['a/shop.order', 'b/shop.order'])).toMatchObject({
      refused: 'MODEL_CHANGE_VIOLATED',
      details: { examples: [{ ledger: 'a/shop.order' }, { ledger: 'b/shop.order' }] },
    });
  });
});

describe('a change of a model', () => {
  const state = changing(DEFINED, { cardinality: 'many', dataSchema: { type: 'object' }, indexes: ['no'] }, 6);

  it('holds only when it is concluded', () => {
    expect(state.definition).toEqual(MODEL);
    expect(rulesInForce(state)).toEqual({
      rules: { localModel: 'sale.order', cardinality: 'one', dataSchema: { type: 'object' }, indexes: [] },
      revision: 6,
    });
    const concluded = after(state, concludeModelChange(state, 6, []), 9) as BindingModelState;
    expect(concluded.definition).toMatchObject({ cardinality: 'many', indexes: ['no'] });
    expect(rulesInForce(concluded)).toEqual({ rules: rulesOf(concluded.definition), revision: 9 });
    expect(concluded).toMatchObject({
      revision: 9,
      changing: null,
      concluded: { revision: 6, violations: [] },
      createdAt: 't5',
      updatedAt: 't9',
    });
  });

  it('is rolled back by a violation', () => {
    const violations = [{ ledger: 'a/shop.order', problem: 'p', bindingId: 'b', recordId: 'r' }];
    const concluded = after(state, concludeModelChange(state, 6, violations), 9) as BindingModelState;
    expect(concluded).toMatchObject({
      definition: MODEL,
      rulesRevision: 9,
      changing: null,
      concluded: { revision: 6, violations },
    });
    expect(concluded.definition).toEqual(MODEL);
  });

  it('is concluded once', () => {
    expect(concludeModelChange(state, 5, [])).toEqual([]);
    expect(concludeModelChange(DEFINED, 6, [])).toEqual([]);
  });

  it('that only narrows needs no second step', () => {
    const narrowing = changing(DEFINED, { dataSchema: { type: 'object' } }, 6);
    const concluded = after(narrowing, concludeModelChange(narrowing, 6, []), 7) as BindingModelState;
    expect(rulesInForce(concluded)).toEqual({ rules: rulesOf(concluded.definition), revision: 6 });
  });

  it('does not follow on what it cannot follow on', () => {
    expect(() => after(undefined, [{ type: 'ModelChanging', data: MODEL }], 0)).toThrow('broken invariant');
    expect(() => after(DEFINED, [{ type: 'ModelChanged', data: MODEL }], 6)).toThrow('broken invariant');
  });
});

describe('narrowed rules', () => {
  const model = fc.record({
    cardinality: fc.constantFrom('one' as const, 'many' as const),
    dataSchema: fc.constantFrom<JsonObject | null>(null, { type: 'object' }, { maxProperties: 1 }),
  });

  it('admit no more than either, and are the same when nothing differs', () => {
    fc.assert(
      fc.property(model, model, (one, two) => {
        const [before, after]: BindingModel[] = [
          { ...MODEL, ...one },
          { ...MODEL, ...two },
        ];
        const rules = narrowedRules(before as BindingModel, after as BindingModel);
        expect(rules.cardinality).toBe(one.cardinality === 'many' && two.cardinality === 'many' ? 'many' : 'one');
        const schemas = [one.dataSchema, two.dataSchema].filter((schema) => schema !== null);
        for (const schema of schemas) expect(JSON.stringify(rules.dataSchema)).toContain(JSON.stringify(schema).slice(1, -1));
        if (schemas.length === 0) expect(rules.dataSchema).toBeNull();
        expect(narrowedRules(before as BindingModel, before as BindingModel)).toEqual(rulesOf(before as BindingModel));
      }),
    );
  });
});
