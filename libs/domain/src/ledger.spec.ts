import { describe, expect, it } from 'vitest';
import { RULES, minutesAfterStart } from '../../../test/support/deciding-ledger.js';
import { addKeysOf, type Command } from './commands.js';
import {
  BINDING_EVENT_TYPES,
  UNOPENED,
  countInto,
  evolve,
  evolveLedger,
  isBindingEvent,
  isLedgerEvent,
  isLive,
  ledgerKey,
  statusOf,
  updateOf,
  type Binding,
  type BindingChange,
  type BindingEvent,
  type BindingEventType,
  type BindingIdentity,
  type LedgerEvent,
} from './ledger.js';

const [T0, T1] = [minutesAfterStart(0), minutesAfterStart(1)];
const BOUND: Binding = {
  id: 'b1',
  recordId: 'r1',
  externalId: 'e1',
  syncDate: T0,
  data: { a: 1 },
  state: 'bound',
  version: 2,
  revision: 7,
  createdAt: T0,
  updatedAt: T0,
};

function eventOf(type: BindingEventType, fields: Partial<BindingIdentity & BindingChange> = {}): BindingEvent {
  return { type, data: { bindingId: 'b1', version: 3, recordId: 'r1', externalId: 'e1', state: 'bound', ...fields } };
}

describe('evolve', () => {
  const unbound = { state: 'unbound', unboundAt: T1 } as const;
  const removed: BindingEvent = eventOf('BindingRemoved', { state: 'unbound', previousState: 'bound', cause: 'requested' });
  const cases: [string, BindingEvent, Partial<Binding>][] = [
    ['an external id', eventOf('ExternalIdReplaced', { externalId: 'e2', previousExternalId: 'e1' }), { externalId: 'e2' }],
    ['a sync date', eventOf('SyncDateUpdated', { syncDate: T1 }), { syncDate: T1 }],
    ['an older sync date, by force', eventOf('SyncDateUpdated', { syncDate: T0, forced: true }), { syncDate: T0 }],
    ['no sync date any more', eventOf('SyncDateUpdated', { syncDate: null }), { syncDate: null }],
    ['a sync date and data', eventOf('SyncDateUpdated', { syncDate: T1, data: {} }), { syncDate: T1, data: {} }],
    ['data, as a whole', eventOf('BindingDataChanged', { data: { b: 2 } }), { data: { b: 2 } }],
    ['the record', eventOf('BindingMoved', { recordId: 'r2', previousRecordId: 'r1' }), { recordId: 'r2' }],
    ['the end, with its reason', removed, { ...unbound, cause: 'requested', reason: 'why' }],
  ];
  it.each(cases)('sets %s, and nothing else', (_, event, changed) => {
    const before = structuredClone(BOUND);
    const after = evolve(BOUND, event, { revision: 9, at: T1, reason: 'why' });
    expect(after).toEqual({ ...BOUND, version: 3, revision: 9, updatedAt: T1, ...changed });
    expect(BOUND).toEqual(before);
  });

  it('leaves out a reason that was not given', () => {
    expect(evolve(BOUND, removed, { revision: 9, at: T1 })).not.toHaveProperty('reason');
  });

  it('makes the whole binding of a creation', () => {
    const created = eventOf('BindingCreated', { version: 1, externalId: null, state: 'pending', syncDate: null, data: { a: 1 } });
    const binding = { ...BOUND, externalId: null, state: 'pending', syncDate: null, version: 1, revision: 0 };
    expect(evolve(undefined, created, { revision: 0, at: T0, reason: 'new' })).toEqual(binding);
  });

  const broken: [string, Binding | undefined, BindingEvent][] = [
    ['a creation of what is there', BOUND, eventOf('BindingCreated', { version: 1 })],
    ['a creation as a later version', undefined, eventOf('BindingCreated', { version: 2 })],
    ['a change of what is not there', undefined, eventOf('BindingMoved', { version: 1 })],
    ['a version left out', BOUND, eventOf('SyncDateUpdated', { version: 4 })],
    ['a version twice', BOUND, eventOf('SyncDateUpdated', { version: 2 })],
  ];
  it.each(broken)('throws at %s', (_, binding, event) => {
    expect(() => evolve(binding, event, { revision: 9, at: T1 })).toThrow(/broken invariant.*b1/);
  });

  it('says what an event sets without reading what it applies to', () => {
    const identity = { id: 'b1', recordId: 'r1', externalId: 'e1', state: 'bound', version: 3, revision: 9, updatedAt: T1 };
    expect(updateOf(eventOf('SyncDateUpdated', { syncDate: T1 }), { revision: 9, at: T1 })).toEqual({
      ...identity,
      syncDate: T1,
    });
    expect(updateOf(eventOf('BindingMoved'), { revision: 9, at: T1 })).toEqual(identity);
  });

  it('knows live bindings', () => {
    expect((['pending', 'bound', 'unbound'] as const).map((state) => isLive({ ...BOUND, state }))).toEqual([true, true, false]);
  });
});

describe('counts', () => {
  const counts = { pending: 5, bound: 5, unbound: 5 };
  const cases: [string, BindingEvent, [pending: number, bound: number, unbound: number]][] = [
    ['created pending', eventOf('BindingCreated', { state: 'pending' }), [6, 5, 5]],
    ['created bound', eventOf('BindingCreated'), [5, 6, 5]],
    ['assigned', eventOf('ExternalIdAssigned', { previousState: 'pending' }), [4, 6, 5]],
    ['replaced', eventOf('ExternalIdReplaced', { previousExternalId: 'e0' }), [5, 5, 5]],
    ['synced', eventOf('SyncDateUpdated', { syncDate: T1 }), [5, 5, 5]],
    ['changed', eventOf('BindingDataChanged', { data: {} }), [5, 5, 5]],
    ['moved', eventOf('BindingMoved', { state: 'pending', previousRecordId: 'r0' }), [5, 5, 5]],
    ['removed when bound', eventOf('BindingRemoved', { state: 'unbound', previousState: 'bound' }), [5, 4, 6]],
    ['removed when pending', eventOf('BindingRemoved', { state: 'unbound', previousState: 'pending' }), [4, 5, 6]],
  ];
  it.each(cases)('%s', (_, event, [pending, bound, unbound]) => {
    expect(evolveLedger({ ...UNOPENED, counts }, event)).toEqual({ ...UNOPENED, counts: { pending, bound, unbound } });
    expect(counts).toEqual({ pending: 5, bound: 5, unbound: 5 });
    const counted = { ...counts };
    countInto(counted, event);
    expect(counted).toEqual({ pending, bound, unbound });
  });
});

describe('the ledger itself', () => {
  const rules = { ...RULES, cardinality: 'many' as const };
  const opened: LedgerEvent = { type: 'LedgerOpened', data: { rules: RULES, backendRevision: 3, modelRevision: 4 } };
  const lives: [string, LedgerEvent[], string, object][] = [
    ['never written', [], 'unopened', { opened: false, backendRevision: -1, modelRevision: -1 }],
    ['opened', [opened], 'open', { rules: RULES, backendRevision: 3, modelRevision: 4 }],
    ['paused', [opened, { type: 'LedgerPaused', data: { backendRevision: 5 } }], 'paused', { rules: RULES, backendRevision: 5 }],
    [
      'resumed',
      [opened, { type: 'LedgerPaused', data: {} }, { type: 'LedgerResumed', data: { backendRevision: 6 } }],
      'open',
      { backendRevision: 6 },
    ],
    ['closed', [opened, { type: 'LedgerClosed', data: { backendRevision: 7 } }], 'closed', { rules: RULES }],
    ['closed before it was opened', [{ type: 'LedgerClosed', data: { rules } }], 'closed', { opened: true, rules }],
    ['closed and opened again', [{ type: 'LedgerClosed', data: { rules } }, opened], 'open', { rules: RULES }],
    [
      'closed while paused',
      [opened, { type: 'LedgerPaused', data: {} }, { type: 'LedgerClosed', data: {} }],
      'closed',
      { paused: true },
    ],
    [
      'opened again while paused',
      [opened, { type: 'LedgerPaused', data: {} }, { type: 'LedgerClosed', data: {} }, opened],
      'paused',
      { closed: false },
    ],
    [
      'given other rules',
      [opened, { type: 'LedgerRulesChanged', data: { rules, modelRevision: 8 } }],
      'open',
      { rules, modelRevision: 8 },
    ],
    [
      'told of an older cause',
      [opened, { type: 'LedgerResumed', data: { backendRevision: 1 } }],
      'open',
      { backendRevision: 3, modelRevision: 4 },
    ],
  ];
  it.each(lives)('%s', (_, events, status, state) => {
    const after = events.reduce(evolveLedger, UNOPENED);
    expect(statusOf(after)).toBe(status);
    expect(after).toMatchObject(state);
  });

  it('has a key that names one ledger only', () => {
    expect(ledgerKey({ backend: 'shop-1', model: 'magento.res.partner' })).toBe('shop-1/magento.res.partner');
  });

  it('knows its events', () => {
    const types = [...BINDING_EVENT_TYPES, 'LedgerOpened', 'LedgerRulesChanged', 'LedgerPaused', 'LedgerResumed', 'LedgerClosed'];
    expect(types.map((type) => isLedgerEvent({ type }))).toEqual(types.map(() => true));
    expect(types.filter((type) => isBindingEvent({ type }))).toEqual(BINDING_EVENT_TYPES);
    expect(['BackendRegistered', 'bindingCreated', 'toString', ''].some((type) => isLedgerEvent({ type }))).toBe(false);
  });
});

describe('the keys of a command', () => {
  const cases: [Command, [records: string[], externalIds: string[], bindings: string[]]][] = [
    [{ op: 'bind', recordId: 'r1' }, [['r1'], [], []]],
    [{ op: 'bind', recordId: 'r1', externalId: 'e1', ifBinding: 'b9' }, [['r1'], ['e1'], []]],
    [{ op: 'bind', bindingId: 'b1', externalId: 'e1' }, [[], ['e1'], ['b1']]],
    [{ op: 'sync', recordId: 'r1' }, [['r1'], [], []]],
    [{ op: 'sync', externalId: 'e1' }, [[], ['e1'], []]],
    [{ op: 'changeData', bindingId: 'b1', data: {} }, [[], [], ['b1']]],
    [{ op: 'unbind', externalId: '' }, [[], [''], []]],
    [{ op: 'move', fromRecordId: 'r1', toRecordId: 'r2' }, [['r1', 'r2'], [], []]],
    [{ op: 'move', bindingId: 'b1', toRecordId: 'r2' }, [['r2'], [], ['b1']]],
  ];
  it.each(cases)('%j', (command, [recordIds, externalIds, bindingIds]) => {
    const keys = { recordIds: [], externalIds: [], bindingIds: [] };
    addKeysOf(command, keys);
    expect(keys).toEqual({ recordIds, externalIds, bindingIds });
  });
});
