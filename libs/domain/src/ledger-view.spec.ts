import { describe, expect, it } from 'vitest';
import { DecidingLedger, minutesAfterStart } from '../../../test/support/deciding-ledger.js';
import { LedgerView, scopedKey, type IdempotencyRecord } from './ledger-view.js';
import { UNOPENED, type Binding } from './ledger.js';

function bindingOf(fields: Partial<Binding>): Binding {
  const times = { createdAt: minutesAfterStart(0), updatedAt: minutesAfterStart(0), syncDate: null };
  return { id: 'b1', recordId: 'r1', externalId: null, data: {}, state: 'pending', version: 1, revision: 1, ...times, ...fields };
}

describe('a view', () => {
  it('finds bindings by each of their names', () => {
    const bound = bindingOf({ externalId: 'e1', state: 'bound' });
    const view = new LedgerView(UNOPENED, [bound, bindingOf({ id: 'b2', recordId: 'r2' })]);
    expect(view.binding('b1')).toBe(bound);
    expect(view.liveOfRecord('r1')).toEqual([bound]);
    expect(view.liveOfExternalId('e1')).toBe(bound);
    expect(view.liveOfRecord('r2')).toMatchObject([{ id: 'b2' }]);
    expect([view.binding('b9'), view.liveOfRecord('r9'), view.liveOfExternalId('e9')]).toEqual([undefined, [], undefined]);
  });

  it('finds what is unbound by its own id only', () => {
    const view = new LedgerView(UNOPENED, [bindingOf({ externalId: 'e1', state: 'unbound' })]);
    expect(view.binding('b1')).toBeDefined();
    expect([view.liveOfRecord('r1'), view.liveOfExternalId('e1')]).toEqual([[], undefined]);
  });

  it('lists bindings of a record oldest first, whatever the order they came in', () => {
    const old = bindingOf({ id: 'b9', createdAt: minutesAfterStart(-1) });
    const [one, two] = [bindingOf({ id: 'b1' }), bindingOf({ id: 'b2' })];
    for (const given of [
      [two, old, one],
      [one, two, old],
      [old, one, two],
    ]) {
      expect(new LedgerView(UNOPENED, given).liveOfRecord('r1')).toEqual([old, one, two]);
    }
  });

  it('throws when two live bindings hold an external id', () => {
    const [one, two] = [
      bindingOf({ externalId: 'e1', state: 'bound' }),
      bindingOf({ id: 'b2', externalId: 'e1', state: 'bound' }),
    ];
    expect(() => new LedgerView(UNOPENED, [one, two]).liveOfExternalId('e1')).toThrow(/broken invariant.*e1/);
    expect(new LedgerView(UNOPENED, [one, { ...two, state: 'unbound' }]).liveOfExternalId('e1')).toBe(one);
  });

  it('forgets by which names a binding was found before', () => {
    const ledger = new DecidingLedger();
    ledger.do({ op: 'bind', recordId: 'r1', externalId: 'e1' });
    ledger.do({ op: 'bind', recordId: 'r1', externalId: 'e2', ifBound: 'replace' });
    ledger.do({ op: 'move', fromRecordId: 'r1', toRecordId: 'r2' });
    const { view } = ledger;
    expect([view.liveOfRecord('r1'), view.liveOfExternalId('e1')]).toEqual([[], undefined]);
    expect([view.liveOfRecord('r2')[0]?.id, view.liveOfExternalId('e2')?.id]).toEqual(['b1', 'b1']);
  });

  it('is not changed by what is done to its fork, nor the fork by what is done to it', () => {
    const ledger = new DecidingLedger();
    ledger.do({ op: 'bind', recordId: 'r1', externalId: 'e1' });
    const fork = ledger.view.fork();
    ledger.do({ op: 'unbind', recordId: 'r1' });
    expect(fork.liveOfExternalId('e1')).toMatchObject({ id: 'b1', state: 'bound' });
    expect(fork.state.counts).toEqual({ pending: 0, bound: 1, unbound: 0 });
    fork.apply({ type: 'LedgerPaused', data: {} }, { revision: 2, at: minutesAfterStart(0) });
    fork.remember({
      scopedKey: 'x',
      request: 'y',
      answer: { outcome: 'unchanged', binding: null, revision: 0 },
      at: minutesAfterStart(0),
    });
    expect([ledger.view.state.paused, ledger.view.remembered('x')]).toEqual([false, undefined]);
    expect(fork.fork().remembered('x')).toBeDefined();
  });
});

describe('idempotency keys', () => {
  it('are one actor’s own: no other actor and key are the same', () => {
    const scopes = [
      ['a', 'b c'],
      ['a b', 'c'],
      ['a b c', ''],
      ['', 'a b c'],
      ['1 a', 'b'],
      ['1', 'a b'],
      ['a', '1 b'],
    ] as const;
    expect(new Set(scopes.map(([actor, key]) => scopedKey(actor, key))).size).toBe(scopes.length);
  });

  it('are remembered as the newest has it', () => {
    const record = (request: string): IdempotencyRecord => ({
      scopedKey: 'k',
      request,
      answer: { outcome: 'unchanged', binding: null, revision: 0 },
      at: minutesAfterStart(0),
    });
    const view = new LedgerView(UNOPENED, [], [record('one'), record('two')]);
    expect(view.remembered('k')?.request).toBe('two');
    view.remember(record('three'));
    expect([view.remembered('k')?.request, view.remembered('other')]).toEqual(['three', undefined]);
  });
});
