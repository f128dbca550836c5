import fc from 'fast-check';
import { expect, it } from 'vitest';
import { isRefusal } from '#domain';
import { parseBySchema, parseCommand } from './index.js';

const id = fc.oneof(
  fc.string({ maxLength: 5 }),
  fc.integer(),
  fc.constantFrom<unknown>('a', '', '.', 0, 1.5, null, false, '\u0000', '\ud800', {}, []),
);
const date = fc.constantFrom<unknown>(
  '2026-03-03T09:30:00+01:00',
  '2026-03-03T08:30:00.000Z',
  '2026-03-03',
  null,
  7,
  'yesterday',
);
const data = fc.constantFrom<unknown>(
  {},
  { a: 1 },
  { a: { b: null } },
  { $a: 1 },
  { 'a.b': 1 },
  [],
  null,
  'text',
  JSON.parse('{"__proto__":1}'),
);
const other = fc.constantFrom<unknown>(
  'refuse',
  'replace',
  'return',
  'takeOver',
  'requested',
  'import',
  '',
  'x',
  1,
  0,
  -1,
  true,
  null,
  undefined,
);
const FIELDS: Record<string, fc.Arbitrary<unknown>> = {
  recordId: id,
  externalId: id,
  bindingId: id,
  fromRecordId: id,
  toRecordId: id,
  syncDate: date,
  data,
  ...Object.fromEntries(
    [
      'ifBound',
      'ifTaken',
      'force',
      'cause',
      'key',
      'expectedVersion',
      'ifBinding',
      'reason',
      'direction',
      'all',
      'colour',
      '__proto__',
    ].map((name) => [name, other]),
  ),
};
const OPS = ['bind', 'sync', 'changeData', 'unbind', 'move', 'none', 'constructor', 'toString', 1, undefined];

/** Few fields at a time, in any order, so that many of the commands are good ones. */
const input = fc.tuple(fc.constantFrom(...OPS), fc.shuffledSubarray(Object.keys(FIELDS), { maxLength: 5 })).chain(([op, names]) =>
  fc.tuple(...names.map((name) => FIELDS[name]!)).map((values) => {
    const members = [['op', op] as const, ...names.map((name, index) => [name, values[index]] as const)];
    return Object.fromEntries(members.filter(([, value]) => value !== undefined));
  }),
);

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
  expect(admitted).toBeGreaterThan(50);
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
