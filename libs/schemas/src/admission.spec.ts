import fc from 'fast-check';
import { expect, it } from 'vitest';
import { isRefusal } from '#domain';
import { parseBySchema, parseCommand } from './index.js';

/** Mostly what is admitted: a command with several fields is good only if all of them are. */
const mostly = (good: fc.Arbitrary<unknown>, ...bad: unknown[]) =>
  fc.oneof({ weight: 9, arbitrary: good }, { weight: 1, arbitrary: fc.constantFrom(...bad) });

const id = mostly(
  fc.oneof(fc.string({ minLength: 1, maxLength: 5 }), fc.integer()),
  '',
  '.',
  1.5,
  null,
  false,
  '\u0000',
  '\ud800',
  {},
  [],
);
const date = mostly(fc.constantFrom('2026-03-03T09:30:00+01:00', '2026-03-03T08:30:00.000Z'), '2026-03-03', null, 7, 'yesterday');
const data = mostly(
  fc.constantFrom({}, { a: 1 }, { a: { b: null } }),
  { $a: 1 },
  { 'a.b': 1 },
  [],
  null,
  'text',
  JSON.parse('{"__proto__":1}'),
);
const text = mostly(fc.string({ minLength: 1, maxLength: 5 }), '', 'x'.repeat(501), 1, null, '\ud800');
const choice = (...values: string[]) => mostly(fc.constantFrom(...values), '', 'x', 1, null, true);
const OPTIONS = {
  key: text,
  expectedVersion: mostly(fc.nat(9), -1, 1.5, '1', null),
  ifBinding: text,
  reason: text,
  direction: choice('import', 'export'),
};
const TARGETS = { recordId: id, externalId: id, bindingId: id };
const FIELDS: Record<string, Record<string, fc.Arbitrary<unknown>>> = {
  bind: {
    ...TARGETS,
    syncDate: date,
    data,
    ifBound: choice('refuse', 'replace'),
    ifTaken: choice('refuse', 'return', 'takeOver'),
    ...OPTIONS,
  },
  sync: { ...TARGETS, syncDate: date, data, force: mostly(fc.boolean(), 'true', null), ...OPTIONS },
  changeData: { ...TARGETS, data, ...OPTIONS },
  unbind: { ...TARGETS, cause: choice('requested', 'missingInBackend'), ...OPTIONS },
  move: { fromRecordId: id, bindingId: id, toRecordId: id, ...OPTIONS },
};
const STRANGE = {
  all: fc.constant(true),
  colour: fc.constant('red'),
  ['__proto__']: fc.constant({}),
  op: fc.constantFrom<unknown>('none', 'constructor', 'toString', 1, null),
};

/** Some fields of a command, in any order, and now and then one that it does not have. */
const input = fc.constantFrom(...Object.keys(FIELDS)).chain((op) => {
  const fields: Record<string, fc.Arbitrary<unknown>> = FIELDS[op]!;
  const strange = fc.oneof(
    { weight: 9, arbitrary: fc.constant<string[]>([]) },
    { weight: 1, arbitrary: fc.subarray(Object.keys(STRANGE)) },
  );
  return fc
    .tuple(fc.shuffledSubarray(Object.keys(fields), { minLength: 1, maxLength: 5 }), strange)
    .chain(([names, others]) =>
      fc
        .tuple(
          ...names.map((name) => fields[name]!),
          ...others.map((name) => STRANGE[name as keyof typeof STRANGE] as fc.Arbitrary<unknown>),
        )
        .map((values) =>
          Object.fromEntries([
            ['op', op] as const,
            ...[...names, ...others].map((name, index) => [name, values[index]] as const),
          ]),
        ),
    );
});

it('admits what the schema admits, nothing else, and answers the same', () => {
  let admitted = 0;
  fc.assert(
    fc.property(input, (given) => {
      const bySchema = parseBySchema(given);
      expect(parseCommand(given)).toEqual(bySchema);
      if (!isRefusal(bySchema)) admitted += 1;
    }),
    { numRuns: 5_000 },
  );
  expect(admitted).toBeGreaterThan(500);
});

it.each([{ recordId: 'r', externalId: 'e' }, { recordId: 7 }, { bindingId: 'b', externalId: 'e' }])(
  'takes the short way and the long one for a bind of %j',
  (target) => {
    const command = {
      op: 'bind',
      syncDate: '2026-03-03T09:30:00+01:00',
      data: { a: 1 },
      ifBound: 'replace',
      key: 'k',
      expectedVersion: 1,
      ...target,
    };
    expect(parseCommand(command)).toEqual(parseBySchema(command));
    expect(isRefusal(parseCommand(command))).toBe(false);
  },
);
