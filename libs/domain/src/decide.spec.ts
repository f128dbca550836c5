import { describe, expect, it } from 'vitest';
import { DecidingLedger, minutesAfterStart } from '../../../test/support/deciding-ledger.js';
import type { Command } from './commands.js';
import type { Binding, ControlEvent } from './ledger.js';

/** One command of each kind, in each way to name what it is about. */
const COMMANDS: Record<string, Command> = {
  'bind r1': { op: 'bind', recordId: 'r1' },
  'bind b1': { op: 'bind', bindingId: 'b1' },
  'bind r1 e1': { op: 'bind', recordId: 'r1', externalId: 'e1' },
  'bind r1 e1 replacing': { op: 'bind', recordId: 'r1', externalId: 'e1', ifBound: 'replace' },
  'bind r1 e1 or return': { op: 'bind', recordId: 'r1', externalId: 'e1', ifTaken: 'return' },
  'bind r1 e1 taking over': { op: 'bind', recordId: 'r1', externalId: 'e1', ifTaken: 'takeOver' },
  'bind r1 e1 by all means': { op: 'bind', recordId: 'r1', externalId: 'e1', ifBound: 'replace', ifTaken: 'takeOver' },
  'bind b1 e1': { op: 'bind', bindingId: 'b1', externalId: 'e1' },
  'bind b1 e2': { op: 'bind', bindingId: 'b1', externalId: 'e2' },
  'bind b1 e2 by all means': { op: 'bind', bindingId: 'b1', externalId: 'e2', ifBound: 'replace', ifTaken: 'takeOver' },
  'bind b1 e3': { op: 'bind', bindingId: 'b1', externalId: 'e3' },
  'bind r1 e3': { op: 'bind', recordId: 'r1', externalId: 'e3' },
  'bind r1 e3 replacing': { op: 'bind', recordId: 'r1', externalId: 'e3', ifBound: 'replace' },
  'sync r1': { op: 'sync', recordId: 'r1' },
  'sync e1': { op: 'sync', externalId: 'e1' },
  'sync b1': { op: 'sync', bindingId: 'b1' },
  'change r1': { op: 'changeData', recordId: 'r1', data: { a: 1 } },
  'change e1': { op: 'changeData', externalId: 'e1', data: { a: 1 } },
  'change b1': { op: 'changeData', bindingId: 'b1', data: { a: 1 } },
  'unbind r1': { op: 'unbind', recordId: 'r1' },
  'unbind e1': { op: 'unbind', externalId: 'e1' },
  'unbind b1': { op: 'unbind', bindingId: 'b1' },
  'unbind all of r1': { op: 'unbind', recordId: 'r1', all: true },
  'move r1 to r2': { op: 'move', fromRecordId: 'r1', toRecordId: 'r2' },
  'move b1 to r2': { op: 'move', bindingId: 'b1', toRecordId: 'r2' },
};
const MATRIX_COMMANDS = Object.keys(COMMANDS).filter((command) => !/e3|b1 e2/.test(command));

const SITUATIONS: Record<string, Command[]> = {
  absent: [],
  pending: [{ op: 'bind', recordId: 'r1' }],
  'same pair': [{ op: 'bind', recordId: 'r1', externalId: 'e1' }],
  'other id': [{ op: 'bind', recordId: 'r1', externalId: 'e2' }],
  taken: [{ op: 'bind', recordId: 'r2', externalId: 'e1' }],
  'taken, pending': [
    { op: 'bind', recordId: 'r1' },
    { op: 'bind', recordId: 'r2', externalId: 'e1' },
  ],
  'taken, other id': [
    { op: 'bind', recordId: 'r1', externalId: 'e2' },
    { op: 'bind', recordId: 'r2', externalId: 'e1' },
  ],
  unbound: [
    { op: 'bind', recordId: 'r1', externalId: 'e1' },
    { op: 'unbind', recordId: 'r1' },
  ],
};

/** What each command comes to: the outcome, or the code of the refusal, with the binding that is named; (-b1) is displaced. */
const MATRIX = table(`
  command                 | absent            | pending      | same pair    | other id
  bind r1                 | created b1        | unchanged b1 | unchanged b1 | unchanged b1
  bind b1                 | BINDING_NOT_FOUND | unchanged b1 | unchanged b1 | unchanged b1
  bind r1 e1              | created b1        | assigned b1  | synced b1    | RECORD_ALREADY_BOUND b1
  bind r1 e1 replacing    | created b1        | assigned b1  | synced b1    | replaced b1
  bind r1 e1 or return    | created b1        | assigned b1  | synced b1    | RECORD_ALREADY_BOUND b1
  bind r1 e1 taking over  | created b1        | assigned b1  | synced b1    | RECORD_ALREADY_BOUND b1
  bind r1 e1 by all means | created b1        | assigned b1  | synced b1    | replaced b1
  bind b1 e1              | BINDING_NOT_FOUND | assigned b1  | synced b1    | RECORD_ALREADY_BOUND b1
  sync r1                 | NOT_BOUND         | synced b1    | synced b1    | synced b1
  sync e1                 | NOT_BOUND         | NOT_BOUND    | synced b1    | NOT_BOUND
  sync b1                 | BINDING_NOT_FOUND | synced b1    | synced b1    | synced b1
  change r1               | NOT_BOUND         | changed b1   | changed b1   | changed b1
  change e1               | NOT_BOUND         | NOT_BOUND    | changed b1   | NOT_BOUND
  change b1               | BINDING_NOT_FOUND | changed b1   | changed b1   | changed b1
  unbind r1               | unchanged         | unbound b1   | unbound b1   | unbound b1
  unbind e1               | unchanged         | unchanged    | unbound b1   | unchanged
  unbind b1               | unchanged         | unbound b1   | unbound b1   | unbound b1
  unbind all of r1        | unchanged         | unbound b1   | unbound b1   | unbound b1
  move r1 to r2           | unchanged         | moved b1     | moved b1     | moved b1
  move b1 to r2           | BINDING_NOT_FOUND | moved b1     | moved b1     | moved b1

  command                 | taken                | taken, pending          | taken, other id         | unbound
  bind r1                 | created b2           | unchanged b1            | unchanged b1            | created b2
  bind b1                 | unchanged b1         | unchanged b1            | unchanged b1            | NOT_BOUND
  bind r1 e1              | EXTERNAL_ID_TAKEN b1 | EXTERNAL_ID_TAKEN b2    | EXTERNAL_ID_TAKEN b2    | created b2
  bind r1 e1 replacing    | EXTERNAL_ID_TAKEN b1 | EXTERNAL_ID_TAKEN b2    | EXTERNAL_ID_TAKEN b2    | created b2
  bind r1 e1 or return    | taken b1             | taken b2                | taken b2                | created b2
  bind r1 e1 taking over  | created b2 (-b1)     | assigned b1 (-b2)       | RECORD_ALREADY_BOUND b1 | created b2
  bind r1 e1 by all means | created b2 (-b1)     | assigned b1 (-b2)       | replaced b1 (-b2)       | created b2
  bind b1 e1              | synced b1            | EXTERNAL_ID_TAKEN b2    | EXTERNAL_ID_TAKEN b2    | NOT_BOUND
  sync r1                 | NOT_BOUND            | synced b1               | synced b1               | NOT_BOUND
  sync e1                 | synced b1            | synced b2               | synced b2               | NOT_BOUND
  sync b1                 | synced b1            | synced b1               | synced b1               | NOT_BOUND
  change r1               | NOT_BOUND            | changed b1              | changed b1              | NOT_BOUND
  change e1               | changed b1           | changed b2              | changed b2              | NOT_BOUND
  change b1               | changed b1           | changed b1              | changed b1              | NOT_BOUND
  unbind r1               | unchanged            | unbound b1              | unbound b1              | unchanged
  unbind e1               | unbound b1           | unbound b2              | unbound b2              | unchanged
  unbind b1               | unbound b1           | unbound b1              | unbound b1              | unchanged
  unbind all of r1        | unchanged            | unbound b1              | unbound b1              | unchanged
  move r1 to r2           | unchanged            | RECORD_ALREADY_BOUND b2 | RECORD_ALREADY_BOUND b2 | unchanged
  move b1 to r2           | unchanged b1         | RECORD_ALREADY_BOUND b2 | RECORD_ALREADY_BOUND b2 | NOT_BOUND
`);

/** Of a record with several bindings, where the model's cardinality is many: r1–e1 (b1) and r1–e2 (b2). */
const AMBIGUOUS = new Map([
  ['bind r1', 'AMBIGUOUS_RECORD b1 b2'],
  ['bind b1', 'unchanged b1'],
  ['bind r1 e1', 'synced b1'],
  ['bind r1 e1 replacing', 'synced b1'],
  ['bind r1 e3', 'created b3'],
  ['bind r1 e3 replacing', 'AMBIGUOUS_RECORD b1 b2'],
  ['bind b1 e2', 'EXTERNAL_ID_TAKEN b2'],
  ['bind b1 e2 by all means', 'replaced b1 (-b2)'],
  ['bind b1 e3', 'RECORD_ALREADY_BOUND b1'],
  ['sync r1', 'AMBIGUOUS_RECORD b1 b2'],
  ['sync e1', 'synced b1'],
  ['change r1', 'AMBIGUOUS_RECORD b1 b2'],
  ['unbind r1', 'AMBIGUOUS_RECORD b1 b2'],
  ['unbind e1', 'unbound b1'],
  ['unbind all of r1', 'unbound b2 of b1 b2'],
  ['move r1 to r2', 'moved b2 of b1 b2'],
  ['move b1 to r2', 'moved b1'],
]);

/** The event that an outcome ends with. */
const EVENT_OF: Record<string, string[]> = {
  created: ['BindingCreated'],
  assigned: ['ExternalIdAssigned'],
  replaced: ['ExternalIdReplaced'],
  synced: ['SyncDateUpdated'],
  changed: ['BindingDataChanged'],
  unbound: ['BindingRemoved'],
  moved: ['BindingMoved'],
  unchanged: [],
  taken: [],
};

function table(text: string): [situation: string, command: string, result: string][] {
  let situations: string[] = [];
  return text.split('\n').flatMap((line) => {
    const [command = '', ...cells] = line.split('|').map((cell) => cell.trim());
    if (command === 'command') situations = cells;
    return command === 'command'
      ? []
      : cells.map((cell, index): [string, string, string] => [situations[index] ?? '', command, cell]);
  });
}

function brief({ answer, refusal }: ReturnType<DecidingLedger['run']>): string {
  const ids = (bindings: (Binding | null | undefined)[]) => bindings.map((binding) => ` ${binding?.id ?? ''}`.trimEnd()).join('');
  if (refusal !== undefined) return `${refusal.refused}${ids([refusal.holder, ...(refusal.candidates ?? [])])}`;
  const several = answer.bindings !== undefined && answer.bindings.length > 1 ? ` of${ids(answer.bindings)}` : '';
  return `${answer.outcome}${ids([answer.binding])}${several}${answer.displaced === undefined ? '' : ` (-${answer.displaced.id})`}`;
}

function expectEventsToFit(ledger: DecidingLedger, { answer, events }: ReturnType<DecidingLedger['run']>) {
  const last = events.at(-1);
  expect(last === undefined ? [] : [last.event.type]).toEqual(answer === undefined ? [] : EVENT_OF[answer.outcome]);
  for (const { event, stamp } of events) {
    const { bindingId: id, version, recordId, externalId, state } = event.data;
    expect(ledger.view.binding(id)).toMatchObject({ id, version, recordId, externalId, state, revision: stamp.revision });
  }
  if (last !== undefined) expect(answer?.binding).toMatchObject({ id: last.event.data.bindingId, revision: answer?.revision });
}

describe('a command in a situation', () => {
  it('is tried with each in each', () => {
    const cells = Object.keys(SITUATIONS).flatMap((situation) => MATRIX_COMMANDS.map((command) => `${situation}: ${command}`));
    expect(MATRIX.map(([situation, command]) => `${situation}: ${command}`).toSorted()).toEqual(cells.toSorted());
  });

  it.each(MATRIX)('%s: %s: %s', (situation, command, expected) => {
    const ledger = new DecidingLedger();
    for (const earlier of SITUATIONS[situation] as Command[]) ledger.do(earlier);
    ledger.at = minutesAfterStart(1);
    const result = ledger.run(COMMANDS[command] as Command);
    expect(brief(result)).toBe(expected);
    expectEventsToFit(ledger, result);
  });

  it.each([...AMBIGUOUS])('a record with several bindings: %s: %s', (command, expected) => {
    const ledger = new DecidingLedger({ cardinality: 'many' });
    for (const externalId of ['e1', 'e2']) ledger.do({ op: 'bind', recordId: 'r1', externalId });
    ledger.at = minutesAfterStart(1);
    const result = ledger.run(COMMANDS[command] as Command);
    expect(brief(result)).toBe(expected);
    expectEventsToFit(ledger, result);
  });
});

describe('a ledger that takes no changes', () => {
  const states: [string, string, ControlEvent[]][] = [
    ['paused', 'BACKEND_PAUSED', [{ type: 'LedgerPaused', data: {} }]],
    ['closed', 'LEDGER_CLOSED', [{ type: 'LedgerClosed', data: {} }]],
    [
      'paused and closed',
      'LEDGER_CLOSED',
      [
        { type: 'LedgerPaused', data: {} },
        { type: 'LedgerClosed', data: {} },
      ],
    ],
  ];
  const all = states.flatMap(([state, code, events]) =>
    MATRIX_COMMANDS.map((command) => [state, command, code, events] as const),
  );
  it.each(all)('%s: %s: %s', (_, command, code, events) => {
    const ledger = new DecidingLedger();
    ledger.do({ op: 'bind', recordId: 'r1', externalId: 'e1' });
    for (const event of events) ledger.control(event);
    const { refusal } = ledger.run(COMMANDS[command] as Command);
    expect(refusal?.refused).toBe(code);
  });

  it('takes them again when it is resumed, or opened again', () => {
    const ledger = new DecidingLedger();
    for (const type of ['LedgerPaused', 'LedgerResumed'] as const) ledger.control({ type, data: {} });
    expect(ledger.do({ op: 'bind', recordId: 'r1', externalId: 'e1' }).answer.outcome).toBe('created');
    ledger.control({ type: 'LedgerClosed', data: {} });
    ledger.control({ type: 'LedgerOpened', data: { rules: ledger.view.state.rules } });
    expect(ledger.do({ op: 'unbind', recordId: 'r1' }).answer.outcome).toBe('unbound');
  });

  it('answers what needs no binding although it was never opened', () => {
    const outcomes = ['unbind r1', 'unbind b1', 'move r1 to r2', 'sync r1', 'bind b1 e1'].map((command) =>
      brief(new DecidingLedger(null).run(COMMANDS[command] as Command)),
    );
    expect(outcomes).toEqual(['unchanged', 'unchanged', 'unchanged', 'NOT_BOUND', 'BINDING_NOT_FOUND']);
  });
});
