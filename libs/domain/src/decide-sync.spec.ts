import { describe, expect, it } from 'vitest';
import { DecidingLedger, minutesAfterStart } from '../../../test/support/deciding-ledger.js';
import type { Bind, Command, Sync } from './commands.js';

const NOW = minutesAfterStart(60);
const [OLDER, KNOWN, NEWER] = [minutesAfterStart(50), minutesAfterStart(55), minutesAfterStart(56)];
/** Within the five minutes that a date may be ahead of the clock. */
const [AHEAD, LIMIT] = [minutesAfterStart(63), minutesAfterStart(65)];
const BEYOND = new Date(Date.parse(LIMIT) + 1).toISOString();

function synchronizedAt(syncDate: string | null, externalId: string | undefined = 'e1'): DecidingLedger {
  const ledger = new DecidingLedger({}, (data) => (data['bad'] === undefined ? [] : [{ path: '/bad', message: 'no' }]));
  ledger.at = NOW;
  ledger.do({ op: 'bind', recordId: 'r1', externalId, syncDate, data: { a: 1 } });
  return ledger;
}

/** The known date, the date given, `force`, and what comes of it without and with data: outcome, the event's date, forced. */
const DATES: [known: string | null, given: string | undefined, force: boolean, bare: string, withData: string][] = [
  [null, undefined, false, 'synced now', 'synced now +data'],
  [null, OLDER, false, 'synced older', 'synced older +data'],
  [null, OLDER, true, 'synced older', 'synced older +data'],
  [null, LIMIT, false, 'synced limit', 'synced limit +data'],
  [null, BEYOND, false, 'INVALID_SYNC_DATE', 'INVALID_SYNC_DATE'],
  [KNOWN, undefined, false, 'synced now', 'synced now +data'],
  [KNOWN, undefined, true, 'synced now', 'synced now +data'],
  [KNOWN, OLDER, false, 'unchanged', 'unchanged'],
  [KNOWN, OLDER, true, 'synced older forced', 'synced older +data forced'],
  [KNOWN, KNOWN, false, 'unchanged', 'unchanged'],
  [KNOWN, KNOWN, true, 'unchanged', 'changed +data forced'],
  [KNOWN, NEWER, false, 'synced newer', 'synced newer +data'],
  [KNOWN, NEWER, true, 'synced newer', 'synced newer +data'],
  [KNOWN, LIMIT, true, 'synced limit', 'synced limit +data'],
  [KNOWN, BEYOND, false, 'INVALID_SYNC_DATE', 'INVALID_SYNC_DATE'],
  [KNOWN, BEYOND, true, 'INVALID_SYNC_DATE', 'INVALID_SYNC_DATE'],
  // Without a date of its own a command is never late: its data counts, though the clock has not moved, or is behind.
  [NOW, undefined, false, 'unchanged', 'changed +data'],
  [NOW, undefined, true, 'unchanged', 'changed +data'],
  [AHEAD, undefined, false, 'unchanged', 'changed +data'],
  [AHEAD, undefined, true, 'synced now forced', 'synced now +data forced'],
];
const NAMES = new Map([
  [NOW, 'now'],
  [OLDER, 'older'],
  [NEWER, 'newer'],
  [LIMIT, 'limit'],
]);

function brief({ answer, refusal, events }: ReturnType<DecidingLedger['run']>): string {
  if (refusal !== undefined) return refusal.refused;
  const [change] = events.map(({ event }) => event.data);
  const date = change?.syncDate === undefined ? '' : ` ${NAMES.get(change.syncDate ?? '') ?? 'another date'}`;
  return `${answer.outcome}${date}${change?.data === undefined ? '' : ' +data'}${change?.forced === true ? ' forced' : ''}`;
}

describe('a sync date', () => {
  const cases = DATES.flatMap(([known, given, force, bare, withData]) => [
    { known, given, force, data: undefined, expected: bare },
    { known, given, force, data: { b: 2 }, expected: withData },
  ]);
  it.each(cases)(
    'sync over $known with $given, force $force, data $data: $expected',
    ({ known, given, force, data, expected }) => {
      const ledger = synchronizedAt(known);
      const before = ledger.view.binding('b1');
      const result = ledger.run({ op: 'sync', recordId: 'r1', syncDate: given, force, data });
      expect(brief(result)).toBe(expected);
      const date = expected.startsWith('synced') ? (given ?? NOW) : known;
      const merged = expected.includes('+data') ? { a: 1, b: 2 } : { a: 1 };
      expect(ledger.view.binding('b1')).toMatchObject({ syncDate: date, data: merged });
      if (result.events.length === 0) expect(ledger.view.binding('b1')).toEqual(before);
    },
  );

  const rebinds = cases.filter(({ force }) => !force);
  it.each(rebinds)('bind of the same pair over $known with $given, data $data: $expected', ({ known, given, data, expected }) => {
    const command: Bind = { op: 'bind', recordId: 'r1', externalId: 'e1', syncDate: given, data };
    expect(brief(synchronizedAt(known).run(command))).toBe(expected);
    expect(brief(synchronizedAt(known).run({ ...command, recordId: undefined, bindingId: 'b1' }))).toBe(expected);
  });

  it('of null for the same pair moves nothing, but merges data', () => {
    const command: Bind = { op: 'bind', recordId: 'r1', externalId: 'e1', syncDate: null };
    expect(brief(synchronizedAt(KNOWN).run(command))).toBe('unchanged');
    expect(brief(synchronizedAt(KNOWN).run({ ...command, data: { b: 2 } }))).toBe('changed +data');
    expect(brief(synchronizedAt(KNOWN).run({ ...command, data: { a: 1 } }))).toBe('unchanged');
  });

  const binds: [string, Bind][] = [
    ['a new binding', { op: 'bind', recordId: 'r2', externalId: 'e2' }],
    ['a new pending binding', { op: 'bind', recordId: 'r2' }],
    ['another external id', { op: 'bind', recordId: 'r1', externalId: 'e2', ifBound: 'replace' }],
    ['the same pair', { op: 'bind', recordId: 'r1', externalId: 'e1' }],
    ['what another record has', { op: 'bind', recordId: 'r2', externalId: 'e1', ifTaken: 'takeOver' }],
  ];
  it.each(binds)('is refused far ahead of the clock for %s, not a little ahead', (_, command) => {
    expect(brief(synchronizedAt(KNOWN).run({ ...command, syncDate: BEYOND }))).toBe('INVALID_SYNC_DATE');
    expect(synchronizedAt(KNOWN).do({ ...command, syncDate: LIMIT }).answer.binding?.syncDate).toBe(LIMIT);
  });

  it('of a pending binding can be set', () => {
    expect(brief(synchronizedAt(null, undefined).run({ op: 'sync', recordId: 'r1', syncDate: NEWER }))).toBe('synced newer');
  });
});

describe('the event of a sync', () => {
  const of = (command: Omit<Sync, 'op'>) =>
    synchronizedAt(KNOWN)
      .do({ op: 'sync', recordId: 'r1', ...command })
      .events.map(({ event }) => event);
  const identity = { bindingId: 'b1', version: 2, recordId: 'r1', externalId: 'e1', state: 'bound' };

  it('has the identity, and of the rest what changed', () => {
    expect(of({ syncDate: NEWER })).toEqual([{ type: 'SyncDateUpdated', data: { ...identity, syncDate: NEWER } }]);
    const data = { a: 1, b: { c: 1 } };
    expect(of({ syncDate: NEWER, data: { b: { c: 1, d: null } } })).toEqual([
      { type: 'SyncDateUpdated', data: { ...identity, syncDate: NEWER, data } },
    ]);
    expect(of({ syncDate: NEWER, data: { a: 1 } })).toEqual([
      { type: 'SyncDateUpdated', data: { ...identity, syncDate: NEWER } },
    ]);
  });

  it('says when it was forced', () => {
    const data = { ...identity, syncDate: OLDER, forced: true };
    expect(of({ syncDate: OLDER, force: true })).toEqual([{ type: 'SyncDateUpdated', data }]);
    const changed = { ...identity, data: { a: 2 }, forced: true };
    expect(of({ syncDate: KNOWN, force: true, data: { a: 2 } })).toEqual([{ type: 'BindingDataChanged', data: changed }]);
  });
});

describe('data', () => {
  const change: Command = { op: 'changeData', recordId: 'r1', data: { a: null, b: [1] } };

  it('is changed by a merge patch, and the event has the whole of it', () => {
    const { answer, events } = synchronizedAt(KNOWN).do(change);
    const identity = { bindingId: 'b1', version: 2, recordId: 'r1', externalId: 'e1', state: 'bound' };
    expect(events.map(({ event }) => event)).toEqual([{ type: 'BindingDataChanged', data: { ...identity, data: { b: [1] } } }]);
    expect(answer).toMatchObject({ outcome: 'changed', binding: { data: { b: [1] }, syncDate: KNOWN } });
  });

  it('is unchanged by what it says already', () => {
    const ledger = synchronizedAt(KNOWN);
    ledger.do(change);
    expect(brief(ledger.run(change))).toBe('unchanged');
    expect(brief(ledger.run({ ...change, data: {} }))).toBe('unchanged');
  });

  it('of a pending binding can be changed', () =>
    expect(brief(synchronizedAt(null, undefined).run(change))).toBe('changed +data'));

  const refused: [string, Command][] = [
    ['a change', { op: 'changeData', recordId: 'r1', data: { bad: 1 } }],
    ['a newer sync', { op: 'sync', recordId: 'r1', data: { bad: 1 } }],
    ['a forced sync', { op: 'sync', recordId: 'r1', syncDate: OLDER, force: true, data: { bad: 1 } }],
    ['a bind of the same pair', { op: 'bind', recordId: 'r1', externalId: 'e1', syncDate: null, data: { bad: 1 } }],
  ];
  it.each(refused)('that the schema does not admit is refused in %s', (_, command) => {
    const { refusal } = synchronizedAt(KNOWN).run(command);
    expect(refusal).toMatchObject({ refused: 'INVALID_DATA', errors: [{ path: '/bad', message: 'no' }] });
  });

  it('of a late sync is not even looked at', () => {
    expect(brief(synchronizedAt(KNOWN).run({ op: 'sync', recordId: 'r1', syncDate: OLDER, data: { bad: 1 } }))).toBe('unchanged');
  });
});
