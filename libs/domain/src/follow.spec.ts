import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { followBackend, followModel, followRetirement, liveBindings, type OpeningRules } from './follow.js';
import { UNOPENED, evolveLedger, statusOf, type ControlEvent, type LedgerRules, type LedgerState } from './ledger.js';

const RULES: LedgerRules = { localModel: 'res.partner', cardinality: 'one', dataSchema: null, indexes: [] };
const OPENING: OpeningRules = { rules: RULES, modelRevision: 3, backendRevision: 1 };
const after = (state: LedgerState, events: ControlEvent[]) => events.reduce<LedgerState>(evolveLedger, state);
const OPEN = after(UNOPENED, [{ type: 'LedgerOpened', data: OPENING }]);
const PAUSED = after(OPEN, [{ type: 'LedgerPaused', data: { backendRevision: 2 } }]);
const CLOSED = after(OPEN, [{ type: 'LedgerClosed', data: { backendRevision: 2 } }]);
const PAUSED_AND_CLOSED = after(PAUSED, [{ type: 'LedgerClosed', data: { backendRevision: 3 } }]);
const types = (events: ControlEvent[]) => events.map(({ type }) => type);

describe('a ledger that follows its backend', () => {
  it.each<[string, LedgerState, boolean, string[], string]>([
    ['unopened, to active', UNOPENED, false, ['LedgerOpened'], 'open'],
    ['unopened, to paused', UNOPENED, true, ['LedgerOpened', 'LedgerPaused'], 'paused'],
    ['open, to active', OPEN, false, ['LedgerResumed'], 'open'],
    ['open, to paused', OPEN, true, ['LedgerPaused'], 'paused'],
    ['paused, to active', PAUSED, false, ['LedgerResumed'], 'open'],
    ['paused, to paused', PAUSED, true, ['LedgerPaused'], 'paused'],
    ['closed, to active', CLOSED, false, ['LedgerOpened'], 'open'],
    ['closed, to paused', CLOSED, true, ['LedgerOpened', 'LedgerPaused'], 'paused'],
    ['paused and closed, to active', PAUSED_AND_CLOSED, false, ['LedgerOpened', 'LedgerResumed'], 'open'],
    ['paused and closed, to paused', PAUSED_AND_CLOSED, true, ['LedgerOpened'], 'paused'],
  ])('%s', (_what, state, paused, expected, status) => {
    const events = followBackend(state, 9, paused, OPENING);
    expect(types(events)).toEqual(expected);
    expect(statusOf(after(state, events))).toBe(status);
    expect(after(state, events)).toMatchObject({ backendRevision: 9, rules: RULES });
    for (const event of events) expect(event.data.backendRevision).toBe(9);
  });

  it('leaves a cause alone that it has seen, and older ones', () => {
    for (const cause of [0, 1, 2]) {
      expect(followBackend(PAUSED, cause, false, OPENING)).toEqual([]);
      expect(followRetirement(PAUSED, cause, OPENING)).toEqual([]);
    }
  });

  it('opens again with the rules that it had', () => {
    const own: LedgerRules = { ...RULES, cardinality: 'many' };
    const closed = after(CLOSED, [{ type: 'LedgerRulesChanged', data: { rules: own, modelRevision: 5 } }]);
    expect(after(closed, followBackend(closed, 9, false, OPENING))).toMatchObject({ rules: own, modelRevision: 5 });
  });
});

describe('a ledger that is closed', () => {
  it('takes rules along when it was never open, and only then', () => {
    expect(followRetirement(UNOPENED, 4, OPENING)).toEqual([
      { type: 'LedgerClosed', data: { backendRevision: 4, rules: RULES, modelRevision: 3 } },
    ]);
    expect(followRetirement(OPEN, 4, OPENING)).toEqual([{ type: 'LedgerClosed', data: { backendRevision: 4 } }]);
    expect(followRetirement(CLOSED, 4, OPENING)).toEqual([{ type: 'LedgerClosed', data: { backendRevision: 4 } }]);
  });

  it('has live bindings, pending ones too', () => {
    expect(liveBindings({ ...OPEN, counts: { pending: 2, bound: 3, unbound: 4 } })).toBe(5);
  });
});

describe('a ledger that follows its model', () => {
  const rules: LedgerRules = { ...RULES, cardinality: 'many' };
  it.each<[string, LedgerState, ControlEvent['type']]>([
    ['unopened', UNOPENED, 'LedgerOpened'],
    ['open', OPEN, 'LedgerRulesChanged'],
    ['paused', PAUSED, 'LedgerRulesChanged'],
    ['closed', CLOSED, 'LedgerRulesChanged'],
  ])('%s', (_what, state, type) => {
    const events = followModel(state, 7, rules, 1);
    expect(types(events)).toEqual([type]);
    expect(after(state, events)).toMatchObject({ rules, modelRevision: 7, paused: state.paused, closed: state.closed });
    expect(followModel(after(state, events), 7, RULES, 1)).toEqual([]);
    expect(followModel(after(state, events), 6, RULES, 1)).toEqual([]);
  });
});

/** Fan-outs of different ages reach a ledger in any order, some of them more than once, some never but the newest. */
describe('fan-outs in any order', () => {
  it('leave the ledger as the newest one has it', () => {
    const pauses = fc.array(fc.boolean(), { minLength: 1, maxLength: 8 });
    const order = fc.array(fc.nat(7), { maxLength: 20 });
    fc.assert(
      fc.property(pauses, order, fc.constantFrom(UNOPENED, OPEN, PAUSED, CLOSED), (paused, arrivals, start) => {
        const newest = paused.length - 1;
        const arriving = [...arrivals.map((arrival) => arrival % paused.length), newest];
        let state = start;
        const midway = Math.floor(arriving.length / 2);
        for (const index of [...arriving.slice(midway), ...arriving.slice(0, midway)]) {
          state = after(state, followBackend(state, 10 + index, paused[index] as boolean, OPENING));
        }
        expect(state).toMatchObject({ opened: true, closed: false, paused: paused[newest], backendRevision: 10 + newest });
      }),
    );
  });
});
