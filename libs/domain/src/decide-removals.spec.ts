import { describe, expect, it } from 'vitest';
import { DecidingLedger, minutesAfterStart } from '../../../test/support/deciding-ledger.js';
import type { Command, CommandOptions } from './commands.js';
import { MAX_BINDINGS_OF_RECORD } from './ledger.js';

function ledgerOf(pairs: [recordId: string, externalId?: string][], cardinality: 'one' | 'many' = 'one'): DecidingLedger {
  const ledger = new DecidingLedger({ cardinality });
  for (const [recordId, externalId] of pairs) ledger.do({ op: 'bind', recordId, externalId });
  ledger.at = minutesAfterStart(1);
  return ledger;
}

describe('unbind', () => {
  it('says which state the binding was in, why it ended, and leaves the rest as it was', () => {
    const ledger = ledgerOf([['r1', 'e1']]);
    const before = ledger.view.binding('b1');
    const { answer, events } = ledger.do({ op: 'unbind', recordId: 'r1', cause: 'missingInBackend', reason: '404' });
    const identity = { bindingId: 'b1', version: 2, recordId: 'r1', externalId: 'e1', state: 'unbound' };
    const data = { ...identity, previousState: 'bound', cause: 'missingInBackend' };
    expect(events.map(({ event }) => event)).toEqual([{ type: 'BindingRemoved', data }]);
    const at = minutesAfterStart(1);
    const removed = { state: 'unbound', version: 2, revision: 2, updatedAt: at, unboundAt: at };
    expect(answer.binding).toEqual({ ...before, ...removed, cause: 'missingInBackend', reason: '404' });
  });

  it('is requested unless it says otherwise, and of a pending binding too', () => {
    const { events } = ledgerOf([['r1']]).do({ op: 'unbind', recordId: 'r1' });
    expect(events[0]?.event.data).toMatchObject({ previousState: 'pending', externalId: null, cause: 'requested' });
  });

  it('sets the external id free', () => {
    const ledger = ledgerOf([['r1', 'e1']]);
    ledger.do({ op: 'unbind', externalId: 'e1' });
    expect(ledger.do({ op: 'bind', recordId: 'r2', externalId: 'e1' }).answer.outcome).toBe('created');
  });

  it('of all bindings of a record is one answer, in the order of their making', () => {
    const ledger = ledgerOf(
      [
        ['r1', 'e1'],
        ['r2', 'e2'],
        ['r1', 'e3'],
      ],
      'many',
    );
    const { answer, events } = ledger.do({ op: 'unbind', recordId: 'r1', all: true, cause: 'recordDeleted' });
    expect(events.map(({ event }) => [event.data.bindingId, event.data.cause])).toEqual([
      ['b1', 'recordDeleted'],
      ['b3', 'recordDeleted'],
    ]);
    expect(answer).toMatchObject({ outcome: 'unbound', binding: { id: 'b3' }, revision: 5 });
    expect(answer.bindings).toMatchObject([
      { id: 'b1', state: 'unbound', revision: 4 },
      { id: 'b3', state: 'unbound', revision: 5 },
    ]);
    const again = ledger.do({ op: 'unbind', recordId: 'r1', all: true, cause: 'recordDeleted' });
    expect(again.answer).toEqual({ outcome: 'unchanged', binding: null, bindings: [], revision: 5 });
  });

  it('removes as many as a record may have, at once', () => {
    const pairs = Array.from({ length: MAX_BINDINGS_OF_RECORD }, (_, n): [string, string] => ['r1', `e${n}`]);
    expect(ledgerOf(pairs, 'many').do({ op: 'unbind', recordId: 'r1', all: true }).events).toHaveLength(MAX_BINDINGS_OF_RECORD);
  });

  it('that comes late does not remove a newer binding', () => {
    const ledger = ledgerOf([['r1', 'e1']]);
    const unbind: Command = { op: 'unbind', recordId: 'r1', ifBinding: 'b1' };
    expect(ledger.do(unbind).answer.outcome).toBe('unbound');
    expect(ledger.do(unbind).answer.outcome).toBe('unchanged');
    ledger.do({ op: 'bind', recordId: 'r1', externalId: 'e1' });
    expect(ledger.run(unbind).refusal).toMatchObject({ refused: 'VERSION_MISMATCH', details: { bindingId: 'b2', version: 1 } });
    expect(ledger.run({ ...unbind, recordId: undefined, externalId: 'e1' }).refusal?.refused).toBe('VERSION_MISMATCH');
  });
});

describe('move', () => {
  it('says where the binding was, and changes nothing else', () => {
    const ledger = ledgerOf([['r1', 'e1']]);
    const before = ledger.view.binding('b1');
    const { answer, events } = ledger.do({ op: 'move', fromRecordId: 'r1', toRecordId: 'r2' });
    const identity = { bindingId: 'b1', version: 2, recordId: 'r2', externalId: 'e1', state: 'bound' };
    expect(events.map(({ event }) => event)).toEqual([{ type: 'BindingMoved', data: { ...identity, previousRecordId: 'r1' } }]);
    const after = { ...before, recordId: 'r2', version: 2, revision: 2, updatedAt: minutesAfterStart(1) };
    expect(answer).toEqual({ outcome: 'moved', binding: after, bindings: [after], revision: 2 });
    expect([ledger.view.liveOfRecord('r1'), ledger.view.liveOfRecord('r2')]).toEqual([[], [after]]);
  });

  it('takes all bindings of the record along, or the one that is named', () => {
    const ledger = ledgerOf(
      [
        ['r1', 'e1'],
        ['r1', 'e2'],
        ['r2', 'e3'],
      ],
      'many',
    );
    expect(ledger.do({ op: 'move', bindingId: 'b2', toRecordId: 'r2' }).answer.bindings).toMatchObject([{ id: 'b2' }]);
    expect(ledger.do({ op: 'move', fromRecordId: 'r2', toRecordId: 'r1' }).answer.bindings).toMatchObject([
      { id: 'b2' },
      { id: 'b3' },
    ]);
    expect(ledger.view.liveOfRecord('r1')).toMatchObject([{ id: 'b1' }, { id: 'b2' }, { id: 'b3' }]);
  });

  it('to where it is changes nothing', () => {
    const ledger = ledgerOf(
      [
        ['r1', 'e1'],
        ['r1', 'e2'],
      ],
      'many',
    );
    const same = ledger.do({ op: 'move', fromRecordId: 'r1', toRecordId: 'r1' });
    expect(same).toMatchObject({
      answer: { outcome: 'unchanged', bindings: [{ id: 'b1' }, { id: 'b2' }], revision: 2 },
      events: [],
    });
    expect(ledger.do({ op: 'move', bindingId: 'b1', toRecordId: 'r1' }).answer.outcome).toBe('unchanged');
  });

  it('is refused where the record would have more than its model allows', () => {
    const one = ledgerOf([['r1', 'e1'], ['r2']]);
    const move: Command = { op: 'move', fromRecordId: 'r1', toRecordId: 'r2' };
    expect(one.run(move).refusal).toMatchObject({ refused: 'RECORD_ALREADY_BOUND', holder: { id: 'b2' } });

    const pairs = Array.from({ length: MAX_BINDINGS_OF_RECORD - 1 }, (_, n): [string, string] => ['r2', `e${n}`]);
    const many = ledgerOf([['r1', 'x'], ['r1', 'y'], ...pairs], 'many');
    expect(many.run(move).refusal?.refused).toBe('TOO_MANY_BINDINGS');
    expect(many.revision).toBe(MAX_BINDINGS_OF_RECORD + 1);
    expect(many.do({ op: 'move', bindingId: 'b1', toRecordId: 'r2' }).answer.outcome).toBe('moved');
    expect(many.run({ op: 'move', bindingId: 'b2', toRecordId: 'r2' }).refusal?.refused).toBe('TOO_MANY_BINDINGS');
  });

  it('of several is all or nothing', () => {
    const ledger = ledgerOf(
      [
        ['r1', 'e1'],
        ['r1', 'e2'],
      ],
      'many',
    );
    ledger.do({ op: 'sync', bindingId: 'b1' });
    expect(ledger.run({ op: 'move', fromRecordId: 'r1', toRecordId: 'r2', expectedVersion: 2 }).refusal?.refused).toBe(
      'VERSION_MISMATCH',
    );
    expect(ledger.view.liveOfRecord('r1')).toHaveLength(2);
  });
});

describe('the version, and the binding, that the caller means', () => {
  /** Each of them would change binding b1, in version 2. */
  const commands: [string, Command][] = [
    ['bind of the same pair', { op: 'bind', recordId: 'r1', externalId: 'e1' }],
    ['bind of the same pair by the binding', { op: 'bind', bindingId: 'b1', externalId: 'e1' }],
    ['bind to another external id', { op: 'bind', recordId: 'r1', externalId: 'e9', ifBound: 'replace' }],
    ['bind to another external id by the binding', { op: 'bind', bindingId: 'b1', externalId: 'e9', ifBound: 'replace' }],
    ['take-over', { op: 'bind', recordId: 'r1', externalId: 'e2', ifBound: 'replace', ifTaken: 'takeOver' }],
    ['sync by the record', { op: 'sync', recordId: 'r1' }],
    ['sync by the external id', { op: 'sync', externalId: 'e1' }],
    ['sync by the binding', { op: 'sync', bindingId: 'b1' }],
    ['change of data', { op: 'changeData', recordId: 'r1', data: { a: 1 } }],
    ['unbind by the record', { op: 'unbind', recordId: 'r1' }],
    ['unbind by the external id', { op: 'unbind', externalId: 'e1' }],
    ['unbind by the binding', { op: 'unbind', bindingId: 'b1' }],
    ['unbind of all', { op: 'unbind', recordId: 'r1', all: true }],
    ['move by the record', { op: 'move', fromRecordId: 'r1', toRecordId: 'r3' }],
    ['move by the binding', { op: 'move', bindingId: 'b1', toRecordId: 'r3' }],
  ];
  /** These find b1 and change nothing; what is meant is asked all the same. */
  const idle: [string, Command][] = [
    ['bind without external id', { op: 'bind', recordId: 'r1' }],
    ['bind without external id by the binding', { op: 'bind', bindingId: 'b1' }],
    ['sync that comes late', { op: 'sync', recordId: 'r1', syncDate: minutesAfterStart(-9) }],
    ['change that changes nothing', { op: 'changeData', recordId: 'r1', data: {} }],
    ['move to the same record', { op: 'move', fromRecordId: 'r1', toRecordId: 'r1' }],
    ['bind by the binding of what another has', { op: 'bind', bindingId: 'b1', externalId: 'e2', ifTaken: 'return' }],
  ];
  const given = () => {
    const ledger = ledgerOf([
      ['r1', 'e0'],
      ['r2', 'e2'],
    ]);
    ledger.do({ op: 'bind', recordId: 'r1', externalId: 'e1', ifBound: 'replace' });
    ledger.at = minutesAfterStart(2);
    return ledger;
  };
  const wrong: [string, CommandOptions][] = [
    ['an older version', { expectedVersion: 1 }],
    ['a newer version', { expectedVersion: 3 }],
    ['another binding', { ifBinding: 'b2' }],
    ['a binding that never was', { ifBinding: 'b7' }],
    ['another binding in its version', { ifBinding: 'b2', expectedVersion: 2 }],
  ];
  const refused = [...commands, ...idle].flatMap(([name, command]) =>
    wrong.map(([what, meant]) => [name, what, { ...command, ...meant }] as const),
  );

  it.each(refused)('%s, meaning %s, is refused', (_, __, command) => {
    const ledger = given();
    const details = { bindingId: 'b1', version: 2 };
    expect(ledger.run(command).refusal).toMatchObject({ refused: 'VERSION_MISMATCH', details });
    expect(ledger.revision).toBe(3);
  });

  it.each(commands)('%s, meaning just it, is done', (_, command) => {
    const { events } = given().do({ ...command, ifBinding: 'b1', expectedVersion: 2 });
    expect(events.at(-1)?.event.data).toMatchObject({ bindingId: 'b1', version: 3 });
  });

  const absent: [string, Command][] = [
    ['bind', { op: 'bind', recordId: 'r7', externalId: 'e7' }],
    ['bind without external id', { op: 'bind', recordId: 'r7' }],
    ['take-over', { op: 'bind', recordId: 'r7', externalId: 'e2', ifTaken: 'takeOver' }],
  ];
  it.each(absent)('%s of a record that has no binding is refused', (_, command) => {
    expect(given().run({ ...command, expectedVersion: 1 }).refusal?.refused).toBe('VERSION_MISMATCH');
    expect(given().run({ ...command, ifBinding: 'b1' }).refusal?.refused).toBe('VERSION_MISMATCH');
  });

  it('does not hide who holds an external id from the loser of a race', () => {
    const bind: Command = { op: 'bind', recordId: 'r1', externalId: 'e2', expectedVersion: 1 };
    expect(given().run(bind).refusal).toMatchObject({ refused: 'EXTERNAL_ID_TAKEN', holder: { id: 'b2' } });
  });
});
