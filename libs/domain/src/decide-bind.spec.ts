import { describe, expect, it } from 'vitest';
import { DecidingLedger, minutesAfterStart } from '../../../test/support/deciding-ledger.js';
import type { Bind } from './commands.js';
import { MAX_BINDINGS_OF_RECORD } from './ledger.js';
import { MAX_DATA_BYTES, type JsonObject } from './values.js';

const NOW = minutesAfterStart(0);
const [EARLIER, LATER, LATE] = [minutesAfterStart(-1), minutesAfterStart(1), minutesAfterStart(10)];

function bind(fields: Omit<Bind, 'op'>): Bind {
  return { op: 'bind', recordId: 'r1', ...fields };
}

describe('a new binding', () => {
  const dates: [string, Omit<Bind, 'op'>, string | null][] = [
    ['with an external id and no date is synchronized now', { externalId: 'e1' }, NOW],
    ['with an external id and a date has this date', { externalId: 'e1', syncDate: EARLIER }, EARLIER],
    ['may have a date somewhat ahead of the clock', { externalId: 'e1', syncDate: minutesAfterStart(5) }, minutesAfterStart(5)],
    ['with null for a date has none', { externalId: 'e1', syncDate: null }, null],
    ['that is pending has no date', {}, null],
    ['that is pending has the date it is given', { syncDate: EARLIER }, EARLIER],
  ];
  it.each(dates)('%s', (_, fields, syncDate) => {
    const { answer } = new DecidingLedger().do(bind(fields));
    expect(answer).toMatchObject({ outcome: 'created', binding: { syncDate, state: fields.externalId ? 'bound' : 'pending' } });
  });

  it('stands whole in its event', () => {
    const { answer, events } = new DecidingLedger().do(bind({ externalId: 'e1', data: { a: { b: 1, c: null }, d: null } }));
    const data = { a: { b: 1 } };
    const identity = { version: 1, recordId: 'r1', externalId: 'e1', state: 'bound' };
    expect(events.map(({ event }) => event)).toEqual([
      { type: 'BindingCreated', data: { bindingId: 'b1', ...identity, syncDate: NOW, data } },
    ]);
    const times = { createdAt: NOW, updatedAt: NOW, syncDate: NOW };
    expect(answer).toEqual({ outcome: 'created', binding: { id: 'b1', ...identity, ...times, data, revision: 1 }, revision: 1 });
  });

  it('keeps an id whose letters are the same but whose bytes are not apart', () => {
    const ledger = new DecidingLedger();
    ledger.do(bind({ externalId: 'é' }));
    expect(ledger.do(bind({ recordId: 'r2', externalId: 'e\u0301' })).answer.outcome).toBe('created');
  });

  it('is another binding after an unbind', () => {
    const ledger = new DecidingLedger();
    ledger.do(bind({ externalId: 'e1' }));
    ledger.do({ op: 'unbind', recordId: 'r1' });
    expect(ledger.do(bind({ externalId: 'e1' })).answer.binding).toMatchObject({ id: 'b2', version: 1 });
    expect(ledger.view.binding('b1')).toMatchObject({ state: 'unbound', externalId: 'e1', version: 2 });
  });

  it('is not made by a command that names nothing', () => {
    expect(new DecidingLedger().run({ op: 'bind', externalId: 'e1' }).refusal?.refused).toBe('MALFORMED');
  });
});

describe('a binding that is given an external id', () => {
  const cases: [string, Bind, Omit<Bind, 'op'>, object][] = [
    ['pending, now', bind({}), {}, { syncDate: NOW }],
    ['pending, with a date', bind({}), { syncDate: EARLIER }, { syncDate: EARLIER }],
    ['pending, without date', bind({}), { syncDate: null }, {}],
    ['pending with a date, an older one', bind({ syncDate: NOW }), { syncDate: EARLIER }, {}],
    ['pending with a date, the same', bind({ syncDate: NOW }), { syncDate: NOW }, {}],
    ['pending with a date, none', bind({ syncDate: NOW }), { syncDate: null }, {}],
    ['pending, with data', bind({ data: { a: 1, b: 2 } }), { syncDate: null, data: { a: null, c: 3 } }, { data: { b: 2, c: 3 } }],
    ['pending, with data it has', bind({ data: { a: 1 } }), { syncDate: null, data: { a: 1, b: null } }, {}],
  ];
  it.each(cases)('%s', (_, first, fields, change) => {
    const ledger = new DecidingLedger();
    ledger.do(first);
    const { answer, events } = ledger.do(bind({ externalId: 'e1', ...fields }));
    const identity = { bindingId: 'b1', version: 2, recordId: 'r1', externalId: 'e1', state: 'bound' };
    const event = { ...identity, ...change, previousExternalId: null, previousState: 'pending' };
    expect(events.map((one) => one.event)).toEqual([{ type: 'ExternalIdAssigned', data: event }]);
    expect(answer).toMatchObject({ outcome: 'assigned', binding: { id: 'b1', ...change } });
  });

  const replacements: [string, Omit<Bind, 'op'>, object][] = [
    ['now', {}, { syncDate: LATER }],
    ['with a date', { syncDate: LATE }, { syncDate: LATE }],
    // A sync date never goes backwards, also when the external id is another one.
    ['with an older date and data', { syncDate: EARLIER, data: { a: 2 } }, { data: { a: 2 } }],
    ['without date', { syncDate: null }, {}],
    ['by the binding', { bindingId: 'b1', recordId: undefined, syncDate: null }, {}],
  ];
  it.each(replacements)('in place of another: %s', (_, fields, change) => {
    const ledger = new DecidingLedger();
    ledger.do(bind({ externalId: 'e2', data: { a: 1 } }));
    ledger.at = fields.syncDate === LATE ? LATE : LATER;
    const { answer, events } = ledger.do(bind({ externalId: 'e1', ifBound: 'replace', ...fields }));
    const identity = { bindingId: 'b1', version: 2, recordId: 'r1', externalId: 'e1', state: 'bound' };
    const data = { ...identity, ...change, previousExternalId: 'e2' };
    expect(events.map((one) => one.event)).toEqual([{ type: 'ExternalIdReplaced', data }]);
    expect(answer).toMatchObject({ outcome: 'replaced', binding: { id: 'b1', externalId: 'e1', ...change } });
    expect(ledger.view.liveOfExternalId('e2')).toBeUndefined();
  });
});

describe('a take-over', () => {
  it('removes the holder and binds, in this order, and names what it displaced', () => {
    const ledger = new DecidingLedger();
    const held = ledger.do(bind({ recordId: 'r2', externalId: 'e1', data: { a: 1 } })).answer.binding;
    const { answer, events } = ledger.do(bind({ externalId: 'e1', ifTaken: 'takeOver', reason: 'wrong record' }));
    const removed = { bindingId: 'b1', version: 2, recordId: 'r2', externalId: 'e1', state: 'unbound' };
    expect(events.map(({ event }) => event)).toMatchObject([
      { type: 'BindingRemoved', data: { ...removed, previousState: 'bound', cause: 'takenOver' } },
      { type: 'BindingCreated', data: { bindingId: 'b2', recordId: 'r1', externalId: 'e1', data: {} } },
    ]);
    const gone = { state: 'unbound', version: 2, revision: 2, unboundAt: NOW, cause: 'takenOver', reason: 'wrong record' };
    expect(answer.displaced).toEqual({ ...held, ...gone });
    expect(answer).toMatchObject({ outcome: 'created', binding: { id: 'b2' }, revision: 3 });
    expect(ledger.view.liveOfExternalId('e1')?.id).toBe('b2');
  });

  it('removes nothing when the bind is refused for another reason', () => {
    const ledger = new DecidingLedger({}, (data) => (data['bad'] === undefined ? [] : [{ path: '/bad', message: 'no' }]));
    ledger.do(bind({ recordId: 'r2', externalId: 'e1' }));
    ledger.do(bind({ externalId: 'e2' }));
    const refused = (fields: Omit<Bind, 'op'>) =>
      ledger.run(bind({ externalId: 'e1', ifTaken: 'takeOver', ...fields })).refusal?.refused;
    expect(refused({})).toBe('RECORD_ALREADY_BOUND');
    expect(refused({ ifBound: 'replace', data: { bad: 1 } })).toBe('INVALID_DATA');
    expect(refused({ ifBound: 'replace', syncDate: LATE })).toBe('INVALID_SYNC_DATE');
    expect(refused({ ifBound: 'replace', expectedVersion: 7 })).toBe('VERSION_MISMATCH');
    expect(ledger.revision).toBe(2);
  });
});

describe('a record with several bindings', () => {
  const many = () => new DecidingLedger({ cardinality: 'many' });
  const fill = (ledger: DecidingLedger, count: number) => {
    for (let n = 1; n <= count; n += 1) ledger.do(bind({ externalId: `e${n}` }));
  };

  it(`has at most ${MAX_BINDINGS_OF_RECORD}`, () => {
    const ledger = many();
    fill(ledger, MAX_BINDINGS_OF_RECORD);
    expect(ledger.run(bind({ externalId: 'more' })).refusal).toMatchObject({ refused: 'TOO_MANY_BINDINGS' });
    expect(ledger.do(bind({ externalId: 'e1' })).answer.outcome).toBe('unchanged');
    expect(ledger.do(bind({ recordId: undefined, bindingId: 'b7', externalId: 'more', ifBound: 'replace' })).answer.outcome).toBe(
      'replaced',
    );
    ledger.do({ op: 'unbind', externalId: 'e1' });
    expect(ledger.do(bind({ externalId: 'again' })).answer.outcome).toBe('created');
    expect(ledger.view.liveOfRecord('r1')).toHaveLength(MAX_BINDINGS_OF_RECORD);
  });

  it('gives an external id to the pending one, also when it has as many as it may', () => {
    const ledger = many();
    ledger.do(bind({}));
    expect(ledger.do(bind({ externalId: 'e1' })).answer).toMatchObject({ outcome: 'assigned', binding: { id: 'b1' } });
    ledger.do(bind({ recordId: 'r2' }));
    for (let n = 2; n <= MAX_BINDINGS_OF_RECORD - 1; n += 1) ledger.do(bind({ externalId: `e${n}` }));
    ledger.do({ op: 'move', fromRecordId: 'r2', toRecordId: 'r1' });
    expect(ledger.view.liveOfRecord('r1')).toHaveLength(MAX_BINDINGS_OF_RECORD);
    expect(ledger.do(bind({ externalId: 'last' })).answer).toMatchObject({ outcome: 'assigned', binding: { id: 'b2' } });
  });

  it('is asked which, when several are pending', () => {
    const ledger = many();
    ledger.do(bind({ externalId: 'e1' }));
    for (const recordId of ['r2', 'r3']) ledger.do(bind({ recordId }));
    for (const fromRecordId of ['r2', 'r3']) ledger.do({ op: 'move', fromRecordId, toRecordId: 'r1' });
    const { refusal } = ledger.run(bind({ externalId: 'e2' }));
    expect(refusal).toMatchObject({ refused: 'AMBIGUOUS_RECORD', candidates: [{ id: 'b2' }, { id: 'b3' }] });
    expect(ledger.do(bind({ recordId: undefined, bindingId: 'b3', externalId: 'e2' })).answer.outcome).toBe('assigned');
  });

  it('lets its only one be replaced by the record', () => {
    const ledger = many();
    fill(ledger, 1);
    expect(ledger.do(bind({ externalId: 'e2', ifBound: 'replace' })).answer).toMatchObject({
      outcome: 'replaced',
      binding: { id: 'b1' },
    });
  });
});

describe('data', () => {
  const noText = (data: JsonObject) => (typeof data['n'] === 'string' ? [{ path: '/n', message: 'must be number' }] : []);
  const half = 'x'.repeat(MAX_DATA_BYTES / 2);
  const cases: [string, Bind[], Bind][] = [
    ['new, by the schema', [], bind({ data: { n: '1' } })],
    ['given with an external id, by the schema', [bind({})], bind({ externalId: 'e1', data: { n: '1' } })],
    [
      'of a replacement, by the schema',
      [bind({ externalId: 'e2' })],
      bind({ externalId: 'e1', ifBound: 'replace', data: { n: '1' } }),
    ],
    [
      'of the same pair, by the schema',
      [bind({ externalId: 'e1', syncDate: null })],
      bind({ externalId: 'e1', data: { n: '1' } }),
    ],
    [
      'too large together',
      [bind({ externalId: 'e1', syncDate: null, data: { a: half } })],
      bind({ externalId: 'e1', data: { b: half } }),
    ],
    ['too large from the start', [], bind({ data: { a: half, b: half } })],
  ];
  it.each(cases)('is refused: %s', (_, before, command) => {
    const ledger = new DecidingLedger({}, noText);
    for (const earlier of before) ledger.do(earlier);
    expect(ledger.run(command).refusal?.refused).toBe('INVALID_DATA');
    expect(ledger.revision).toBe(before.length);
  });

  it('is checked as a whole, by the rules of the ledger, and the refusal says what is wrong where', () => {
    const dataSchema = { required: ['n'] };
    const ledger = new DecidingLedger({ dataSchema }, (data, rules) => {
      expect(rules.dataSchema).toEqual(dataSchema);
      return Object.hasOwn(data, 'n') ? [] : [{ path: '', message: 'n is missing' }];
    });
    expect(ledger.run(bind({})).refusal).toMatchObject({
      refused: 'INVALID_DATA',
      errors: [{ path: '', message: 'n is missing' }],
    });
    ledger.do(bind({ data: { n: 1 } }));
    expect(ledger.do(bind({ externalId: 'e1', data: { a: 1 } })).answer.binding?.data).toEqual({ n: 1, a: 1 });
  });
});
