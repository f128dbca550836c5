/** Streams with a right hash chain that no ledger can have written: each is found at the first event that is wrong. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BindingEvent, ControlEvent, EventMetadata, JsonObject, LedgerRules } from '#domain';
import { writtenToday } from '../../../test/golden/written-today.js';
import { step, type Step } from '../../../test/support/command-arbitraries.js';
import { DecidingLedger, minutesAfterStart } from '../../../test/support/deciding-ledger.js';
import { canonicalJson, chainHash } from '../../ledger/src/chain.js';
import { LedgerChecker } from './ledger-checker.js';
import type { StoredEvent } from './stored-event.js';

const AT = '2026-03-03T09:00:00.000Z';
const SOON = '2026-03-03T09:04:00.000Z';
const LATER = '2026-03-03T09:10:00.000Z';
const RULES: LedgerRules = { localModel: 'res.partner', cardinality: 'one', dataSchema: null, indexes: [] };
const OPENED: ControlEvent = { type: 'LedgerOpened', data: { rules: RULES, backendRevision: 1, modelRevision: 2 } };
const opened = (rules: Partial<LedgerRules>): ControlEvent => ({
  type: 'LedgerOpened',
  data: { rules: { ...RULES, ...rules }, backendRevision: 1, modelRevision: 2 },
});
const created = (data: Partial<BindingEvent['data']> = {}): BindingEvent => ({
  type: 'BindingCreated',
  data: { bindingId: 'b1', version: 1, recordId: 'r1', externalId: 'e1', state: 'bound', syncDate: AT, data: {}, ...data },
});
const next = (type: BindingEvent['type'], data: Partial<BindingEvent['data']>): BindingEvent => ({
  type,
  data: { bindingId: 'b1', version: 2, recordId: 'r1', externalId: 'e1', state: 'bound', ...data },
});
const removed = next('BindingRemoved', { state: 'unbound', previousState: 'bound', cause: 'requested' });

type Written = { type: string; data: object; metadata?: Partial<Record<keyof EventMetadata, unknown>>; id?: string };

/** Gives each event its place, an id, ordinary metadata, and a hash that is right. */
function chained(events: readonly Written[]): StoredEvent[] {
  let hash = '';
  return events.map(({ type, data, metadata = {}, id }, revision) => {
    const event = {
      revision,
      type,
      data: data as JsonObject,
      id: id ?? `019570b8-5e00-7000-8000-${String(revision).padStart(12, '0')}`,
    };
    const rest = { schema: 1, actor: 'job', correlationId: 'c', at: AT, ...metadata } as JsonObject;
    hash = chainHash(hash, revision, event, canonicalJson(data), canonicalJson(rest));
    return { ...event, metadata: { ...rest, hash } };
  });
}

function faultIn(
  events: readonly StoredEvent[],
  problemsOf = () => [] as { path: string; message: string }[],
): string | undefined {
  const checker = new LedgerChecker(problemsOf);
  for (const event of events) {
    const why = checker.check(event);
    if (why !== undefined) return `${event.revision}: ${why}`;
  }
  return undefined;
}

/** Closing and opening again is not for a ledger by itself to decide, so these steps are left out. */
function live(steps: readonly Step[], cardinality: LedgerRules['cardinality']): DecidingLedger {
  const ledger = new DecidingLedger({ cardinality });
  let minute = 0;
  for (const each of steps) {
    minute += each.later;
    ledger.at = minutesAfterStart(minute);
    if ('command' in each) ledger.run(each.command(minute));
    else if (each.control === 'pause') ledger.control({ type: 'LedgerPaused', data: {} });
    else if (each.control === 'resume') ledger.control({ type: 'LedgerResumed', data: {} });
  }
  return ledger;
}

const KEY = { key: 'k', request: 'a'.repeat(64), outcome: 'created', rest: { createdAt: AT } };

const WRONG: [what: string, events: Written[], why: RegExp][] = [
  ['an event before the ledger is opened', [created()], /^0: it changes a binding while the ledger is unopened/],
  ['a pause before the ledger is opened', [{ type: 'LedgerPaused', data: {} }], /^0: the ledger was not opened before it/],
  ['an opening without rules', [{ type: 'LedgerOpened', data: {} }], /^0: it has no rules/],
  ['a second opening', [OPENED, OPENED], /^1: the ledger is open already/],
  ['a binding while paused', [OPENED, { type: 'LedgerPaused', data: {} }, created()], /^2: .* while the ledger is paused/],
  ['a binding while closed', [OPENED, { type: 'LedgerClosed', data: {} }, created()], /^2: .* while the ledger is closed/],
  ['a closing over live bindings', [OPENED, created(), { type: 'LedgerClosed', data: {} }], /^2: it closes the ledger over live/],
  [
    'a changed local model',
    [OPENED, { type: 'LedgerRulesChanged', data: { rules: { ...RULES, localModel: 'x' } } }],
    /^1: it changes the local/,
  ],
  ['rules that are none', [opened({ cardinality: 'few' as 'one' })], /^0: its rules have no cardinality/],
  [
    'a cause that is old',
    [OPENED, { type: 'LedgerPaused', data: { backendRevision: 0 } }],
    /^1: it follows from revision 0 of the backend/,
  ],
  [
    'a cause that is none',
    [OPENED, { type: 'LedgerPaused', data: { backendRevision: -1 } }],
    /^1: its backendRevision is no revision/,
  ],
  ['an unknown type', [OPENED, { type: 'BindingPainted', data: {} }], /^1: its type BindingPainted is not known/],
  ['a newer schema', [OPENED, { ...created(), metadata: { schema: 99 } }], /^1: its schema version 99 is not known/],
  ['time that goes backwards', [{ ...OPENED, metadata: { at: LATER } }, created()], /^1: its recorded time .* is before/],
  ['time that is none', [{ ...OPENED, metadata: { at: '2026-02-30T00:00:00.000Z' } }], /^0: its recorded time is no time/],
  ['an actor that is none', [{ ...OPENED, metadata: { actor: 7 } }], /^0: it lacks its actor/],
  ['a direction that is none', [OPENED, { ...created(), metadata: { direction: 'up' } }], /^1: its direction is none/],
  [
    'an id twice',
    [{ ...OPENED, id: '019570b8-5e00-7000-8000-000000000001' }, created()],
    /^1: its id is that of an earlier event/,
  ],
  [
    'an id twice that is no UUID',
    [
      { ...OPENED, id: 'x' },
      { ...created(), id: 'x' },
    ],
    /^1: its id is that of an earlier event/,
  ],
  [
    'a binding made twice',
    [OPENED, created(), created({ recordId: 'r2', externalId: 'e2' })],
    /^2: it creates a binding that there is/,
  ],
  ['a creation in version 2', [OPENED, created({ version: 2 })], /^1: it creates a binding with version 2/],
  ['a creation without data', [OPENED, created({ data: undefined })], /^1: it creates a binding without sync date or data/],
  [
    'an external id twice',
    [OPENED, created(), created({ bindingId: 'b2', recordId: 'r2' })],
    /^2: external id "e1" is held by another/,
  ],
  ['a record twice', [OPENED, created(), created({ bindingId: 'b2', externalId: 'e2' })], /^2: record "r1" has 2 live bindings/],
  ['a record id that cannot be', [OPENED, created({ recordId: '..' })], /^1: "\.\." cannot be a record id/],
  ['a bound binding without external id', [OPENED, created({ externalId: null })], /^1: it is bound without an external id/],
  ['a pending binding with external id', [OPENED, created({ state: 'pending' })], /^1: it is pending with an external id/],
  ['a binding from nowhere', [OPENED, next('SyncDateUpdated', { syncDate: SOON })], /^1: there is no such binding before it/],
  [
    'a version that is left out',
    [OPENED, created(), next('SyncDateUpdated', { version: 3 })],
    /^2: its version 3 follows on version 1/,
  ],
  [
    'a change after the end',
    [OPENED, created(), removed, next('SyncDateUpdated', { version: 3 })],
    /^3: the binding was unbound before it/,
  ],
  [
    'an identity that is not carried',
    [OPENED, created(), next('SyncDateUpdated', { recordId: 'r2', syncDate: SOON })],
    /^2: it says that the record was "r2" before/,
  ],
  [
    'another previous external id',
    [OPENED, created(), next('ExternalIdReplaced', { externalId: 'e2', previousExternalId: 'e9' })],
    /^2: it says that the external id was "e9"/,
  ],
  [
    'another previous state',
    [OPENED, created(), { ...removed, data: { ...removed.data, previousState: 'pending' } }],
    /^2: it says that the state was pending/,
  ],
  [
    'a type that changes something else',
    [OPENED, created(), next('BindingMoved', { externalId: 'e2', previousExternalId: 'e1' })],
    /^2: it changes the external id of the binding, where its type changes the record/,
  ],
  [
    'a removal without cause',
    [OPENED, created(), { ...removed, data: { ...removed.data, cause: undefined } }],
    /^2: it has no cause of removal/,
  ],
  [
    'a sync date backwards',
    [OPENED, created(), next('SyncDateUpdated', { syncDate: '2026-01-01T00:00:00.000Z' })],
    /^2: its sync date .* is not newer/,
  ],
  ['a sync date far ahead', [OPENED, created({ syncDate: LATER })], /^1: its sync date .* is more than 5 minutes ahead/],
  ['a key on an event of the ledger', [{ ...OPENED, metadata: { idempotency: KEY } }], /^0: it is no command/],
  [
    'a key without request',
    [OPENED, { ...created(), metadata: { idempotency: { ...KEY, request: 'x' } } }],
    /^1: .* has no hash of the request/,
  ],
  [
    'a key without outcome',
    [OPENED, { ...created(), metadata: { idempotency: { ...KEY, outcome: 'x' } } }],
    /^1: .* has no outcome/,
  ],
  [
    'a key that answers otherwise',
    [OPENED, { ...created(), metadata: { idempotency: { ...KEY, rest: { createdAt: LATER } } } }],
    /^1: .* answers with another binding/,
  ],
  [
    'fewer bindings allowed than there are',
    [
      opened({ cardinality: 'many' }),
      created(),
      created({ bindingId: 'b2', externalId: 'e2' }),
      { type: 'LedgerRulesChanged', data: { rules: RULES } },
    ],
    /^3: it allows one binding a record, and 1 records have several/,
  ],
];

describe('a stream whose hashes are right', () => {
  it.each(WRONG)('is found wrong for %s', (_, events, why) => {
    expect(faultIn(chained(events))).toMatch(why);
  });

  it('is found wrong for data that its rules do not admit', () => {
    const strict = opened({ dataSchema: { type: 'object' } });
    const problemsOf = () => [{ path: '/a', message: 'is no number' }];
    expect(faultIn(chained([strict, created()]), problemsOf)).toBe(
      "1: its data is not admitted by the ledger's schema: /a is no number",
    );
  });

  it('is found right when a ledger wrote it: the life of the golden files', async () => {
    expect(faultIn((await writtenToday()) as unknown as StoredEvent[])).toBeUndefined();
  });

  it('is found right, whatever commands made it', () => {
    const lives = fc.property(fc.array(step, { maxLength: 60 }), fc.constantFrom('one', 'many'), (steps, cardinality) => {
      const { history } = live(steps, cardinality as LedgerRules['cardinality']);
      expect(faultIn(chained(history.map(({ event, stamp }) => ({ ...event, metadata: { at: stamp.at } }))))).toBeUndefined();
    });
    fc.assert(lives, { numRuns: 200 });
  });
});
