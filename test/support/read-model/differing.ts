import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Binding, Command } from '#domain';
import type { BindingFilter } from '#read-model';
import { AppliedLedger, byId, newName, secondsAfterStart, type Stores } from './applied-ledger.js';
import { expectedList, listAll } from './listing-truth.js';

const RUNS = 60;
const FIELDS = ['colour', 'size', 'flag'];
export const [RECORDS, EXTERNALS] = [
  ['r0', 'r1', 'r2', 'r3', 'R0'],
  ['e0', 'e1', 'e2', 'e3', 'E0', 'r0'],
];

const recordId = fc.constantFrom(...RECORDS);
const externalId = fc.constantFrom(...EXTERNALS);
const instant = fc.integer({ min: -2, max: 12 }).map(secondsAfterStart);
const syncDate = fc.option(instant, { nil: undefined, freq: 3 });
const data = fc.option(
  fc.record(
    {
      colour: fc.constantFrom('red', 'blue', '1', null, ['red']),
      size: fc.constantFrom(1, 2, '1', 1.5, null),
      flag: fc.constantFrom(true, false, 'true', { of: 1 }),
    },
    { requiredKeys: [] },
  ),
  { nil: undefined },
);
const target = fc.oneof(fc.record({ recordId }), fc.record({ externalId }));

const command = fc.oneof<fc.Arbitrary<Command>[]>(
  fc.record({
    op: fc.constant('bind' as const),
    recordId,
    externalId: fc.option(externalId, { nil: undefined, freq: 4 }),
    syncDate: fc.oneof(syncDate, fc.constant(null)),
    data,
    ifBound: fc.constantFrom('refuse' as const, 'replace' as const),
    ifTaken: fc.constantFrom('refuse' as const, 'takeOver' as const),
  }),
  fc
    .tuple(target, syncDate, data, fc.boolean())
    .map(([of, date, patch, force]) => ({ op: 'sync', ...of, syncDate: date, data: patch, force })),
  fc.tuple(target, data).map(([of, patch]) => ({ op: 'changeData', ...of, data: patch ?? {} })),
  target.map((of) => ({ op: 'unbind', ...of, all: 'recordId' in of })),
  fc.tuple(recordId, recordId).map(([fromRecordId, toRecordId]) => ({ op: 'move', fromRecordId, toRecordId })),
);

type Step = { command: Command } | { indexes: string[] } | { apply: true };
export const step = fc.oneof<fc.MaybeWeightedArbitrary<Step>[]>(
  { weight: 12, arbitrary: fc.record({ command }) },
  { weight: 1, arbitrary: fc.record({ indexes: fc.subarray(FIELDS) }) },
  { weight: 3, arbitrary: fc.constant({ apply: true as const }) },
);

const filter: fc.Arbitrary<BindingFilter> = fc.record(
  {
    recordId,
    externalId,
    state: fc.constantFrom('pending' as const, 'bound' as const, 'unbound' as const),
    syncedBefore: instant,
    syncedAfter: instant,
    createdBefore: instant,
    data: fc.dictionary(fc.constantFrom(...FIELDS), fc.constantFrom('red', '1', 'true', '1.5', 'null'), { minKeys: 1 }),
  },
  { requiredKeys: [] },
);
/** Most filters are of one or two members, so that something is left to be found. */
const sparse = fc
  .tuple(
    filter,
    fc.subarray(['recordId', 'externalId', 'state', 'syncedBefore', 'syncedAfter', 'createdBefore', 'data'], { maxLength: 3 }),
  )
  .map(([members, kept]) => Object.fromEntries(Object.entries(members).filter(([name]) => kept.includes(name))) as BindingFilter);

export function differing(stores: () => Stores): void {
  it('answers every query as the fold of the events does, whatever happened', async () => {
    const history = fc.array(step, { minLength: 5, maxLength: 60 });
    const filters = fc.array(sparse, { minLength: 12, maxLength: 12 });
    let listed = 0;
    await fc.assert(
      fc.asyncProperty(history, filters, fc.integer({ min: 1, max: 4 }), fc.boolean(), async (steps, asked, size, many) => {
        const ledger = await play(stores(), steps, many);
        await expectLookups(stores(), ledger);
        for (const of of asked) {
          const expected = expectedList(ledger.bindings.values(), of);
          listed += expected.length;
          expect(await listAll(stores().read, ledger.name, of, size), JSON.stringify(of)).toEqual(expected);
        }
      }),
      { numRuns: RUNS },
    );
    // A comparison of nothing with nothing would be none.
    expect(listed).toBeGreaterThan(RUNS);
  });
}

export async function play(stores: Stores, steps: readonly Step[], many: boolean): Promise<AppliedLedger> {
  const cardinality = many ? 'many' : 'one';
  const ledger = await AppliedLedger.open(stores, { cardinality, localModel: newName('local'), indexes: ['colour'] });
  for (const [index, what] of steps.entries()) {
    ledger.at = secondsAfterStart(Math.floor(index / 4));
    if ('apply' in what) await ledger.apply();
    else if ('indexes' in what) ledger.changeRules({ indexes: what.indexes });
    else ledger.run(what.command);
  }
  await ledger.apply();
  return ledger;
}

async function expectLookups({ read }: Stores, ledger: AppliedLedger): Promise<void> {
  const { name, revision, view } = ledger;
  const all = [...ledger.bindings.values()];
  const live = ledger.live();
  for (const id of EXTERNALS)
    expect(await read.findByExternalId(name, id)).toEqual(live.find((binding) => binding.externalId === id));
  for (const binding of all) expect(await read.findById(name, binding.id)).toEqual(binding);
  const bound = live.filter(({ externalId: id }) => id !== null);
  const found = { external: await read.findByExternalIds(name, EXTERNALS), record: await read.findByRecordIds(name, RECORDS) };
  expect([found.external.revision, found.record.revision]).toEqual([revision, revision]);
  expect(byId(found.external.bindings)).toEqual(byId(bound));
  expect(byId(found.record.bindings)).toEqual(byId(live));

  const half = <T>(items: readonly T[]) => items.filter((_, index) => index % 2 === 0);
  const keys = { recordIds: half(RECORDS), externalIds: half(EXTERNALS), bindingIds: half(all).map(({ id }) => id) };
  const wanted = ({ id, recordId: record, externalId: external, state }: Binding) =>
    keys.bindingIds.includes(id) ||
    (state !== 'unbound' && (keys.recordIds.includes(record) || (external !== null && keys.externalIds.includes(external))));
  const decision = await read.readForDecision(name, { ...keys, scopedKeys: [] });
  expect(byId(decision.bindings)).toEqual(byId(all.filter(wanted)));
  expect(decision.document?.state).toEqual(view.state);

  const localModel = view.state.rules.localModel ?? '';
  const located = (bindings: Binding[]) =>
    byId(bindings.filter((binding) => binding.recordId === 'r0')).map((binding) => ({ ...binding, ...name, localModel }));
  expect(await read.findOfLocalRecord(localModel, 'r0', false)).toEqual(located(live));
  expect(await read.findOfLocalRecord(localModel, 'r0', true)).toEqual(located(all));
  const dates = live.map((binding) => binding.syncDate ?? '').sort();
  expect(await read.newestSyncDate(name)).toBe(dates.at(-1) || null);
}
