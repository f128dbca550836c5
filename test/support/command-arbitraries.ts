/** Random commands over a world so small that they meet: five records, four external ids, the first dozen bindings. */
import fc from 'fast-check';
import type { Command, JsonObject } from '#domain';
import { minutesAfterStart } from './deciding-ledger.js';
import { bindingIdOf } from './naive-ledger.js';

/** Something that happens to a ledger, `later` minutes after what happened before. */
export type Step = { later: number } & (
  | { command: (minute: number) => Command; shown: string }
  | { control: 'pause' | 'resume' | 'close' | 'reopen' }
);

const record = fc.constantFrom('r1', 'r2', 'r3', 'r4', 'r5');
const external = fc.constantFrom('e1', 'e2', 'e3', 'e4');
const binding = fc.constantFrom(1, 1, 2, 2, 3, 3, 4, 5, 6, 8, 12).map((n) => bindingIdOf(n));
const data = fc.constantFrom<JsonObject>(
  {},
  { a: 1 },
  { a: 2 },
  { a: null },
  { b: { c: 1 } },
  { b: { c: null, d: [1] } },
  { b: 3 },
  { bad: true },
);
/** Minutes from the clock; 5 is just allowed, 6 is too far. */
const minute = fc.constantFrom(-4, -3, -2, -1, -1, 0, 0, 0, 1, 2, 5, 6);
/** Left out in `without` of `without + 1` cases. */
const unless = <T>(without: number, arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ arbitrary: fc.constant(undefined), weight: without }, { arbitrary, weight: 1 });
const rarely = <T>(arbitrary: fc.Arbitrary<T>) => unless(12, arbitrary);
const perhaps = <T>(arbitrary: fc.Arbitrary<T>) => unless(1, arbitrary);
const mostly = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ arbitrary: fc.constant(undefined), weight: 1 }, { arbitrary, weight: 4 });

const named = fc.oneof(
  record.map((recordId) => ({ recordId })),
  external.map((externalId) => ({ externalId })),
  binding.map((bindingId) => ({ bindingId })),
);
const recordOrBinding = fc.oneof(
  { arbitrary: record.map((recordId) => ({ recordId, bindingId: undefined })), weight: 4 },
  { arbitrary: binding.map((bindingId) => ({ recordId: undefined, bindingId })), weight: 1 },
);
const meant = fc.record({ expectedVersion: rarely(fc.integer({ min: 1, max: 3 })), ifBinding: rarely(binding) });

const bind = fc.record({
  op: fc.constant('bind' as const),
  who: recordOrBinding,
  externalId: mostly(external),
  date: perhaps(fc.oneof({ arbitrary: minute, weight: 4 }, { arbitrary: fc.constant(null), weight: 1 })),
  data: perhaps(data),
  ifBound: perhaps(fc.constantFrom('refuse' as const, 'replace' as const)),
  ifTaken: perhaps(fc.constantFrom('refuse' as const, 'return' as const, 'takeOver' as const)),
  meant,
});
const sync = fc.record({
  op: fc.constant('sync' as const),
  who: named,
  date: perhaps(minute),
  data: perhaps(data),
  force: perhaps(fc.boolean()),
  meant,
});
const changeData = fc.record({ op: fc.constant('changeData' as const), who: named, data, meant });
const unbind = fc.record({ op: fc.constant('unbind' as const), who: named, all: perhaps(fc.boolean()), meant });
const move = fc.record({ op: fc.constant('move' as const), who: recordOrBinding, toRecordId: record, meant });

const command = fc
  .oneof({ arbitrary: bind, weight: 6 }, { arbitrary: sync, weight: 3 }, changeData, { arbitrary: unbind, weight: 2 }, move)
  .map((drawn) => ({ command: commandAt.bind(undefined, drawn), shown: JSON.stringify(drawn) }));

type Drawn = typeof bind | typeof sync | typeof changeData | typeof unbind | typeof move;

/** Dates are drawn from the clock, which is known only when the command's turn comes. */
function commandAt({ meant: options, ...drawn }: Drawn extends fc.Arbitrary<infer T> ? T : never, now: number): Command {
  const at = (offset: number) => minutesAfterStart(now + offset);
  switch (drawn.op) {
    case 'bind': {
      const { who, date, ...fields } = drawn;
      return { ...fields, ...who, ...options, syncDate: date === undefined || date === null ? date : at(date) };
    }
    case 'sync': {
      const { who, date, ...fields } = drawn;
      return { ...fields, ...who, ...options, syncDate: date === undefined ? undefined : at(date) };
    }
    case 'move': {
      const { who, ...fields } = drawn;
      return { ...fields, fromRecordId: who.recordId, bindingId: who.bindingId, ...options };
    }
    default: {
      const { who, ...fields } = drawn;
      return { ...fields, ...who, ...options };
    }
  }
}

const control = fc.constantFrom(
  'pause' as const,
  'resume' as const,
  'resume' as const,
  'close' as const,
  'reopen' as const,
  'reopen' as const,
);
const later = fc.constantFrom(0, 0, 1, 2);

export const step: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: fc.record({ later, command }).map((drawn) => ({ later: drawn.later, ...drawn.command })), weight: 40 },
  { arbitrary: fc.record({ later, control }), weight: 1 },
);
