import { describe, expect, it } from 'vitest';
import { DecidingLedger, minutesAfterStart, type Done } from '../../../test/support/deciding-ledger.js';
import type { Command } from './commands.js';
import type { BindingEvent } from './ledger.js';
import { scopedKey } from './ledger-view.js';
import { idempotencyRecordOf, stampOf, storeIdempotency, type EventMetadata, type StoredIdempotency } from './recorded.js';

/** What is stored with the last event, and what is remembered when both are read back from JSON. */
function stored({ answer, events }: Done) {
  const { event, stamp } = events.at(-1) as { event: BindingEvent; stamp: Done['events'][number]['stamp'] };
  const kept = storeIdempotency('k', 'hash', answer, event, stamp);
  const [readEvent, readKept] = JSON.parse(JSON.stringify([event, kept])) as [BindingEvent, StoredIdempotency];
  return { kept, record: idempotencyRecordOf(readEvent, stamp, 'job', readKept) };
}

describe('an idempotency key', () => {
  const before: Command[] = [
    { op: 'bind', recordId: 'r1', externalId: 'e1', data: { a: 1 } },
    { op: 'bind', recordId: 'r1', externalId: 'e2' },
    { op: 'bind', recordId: 'r2', syncDate: minutesAfterStart(0) },
    { op: 'bind', recordId: 'r3', externalId: 'e3', data: { b: 2 } },
  ];
  const commands: [string, Command][] = [
    ['created', { op: 'bind', recordId: 'r9', externalId: 'e9', data: { a: [null] } }],
    ['pending', { op: 'bind', recordId: 'r9' }],
    ['assigned', { op: 'bind', recordId: 'r2', externalId: 'e9' }],
    ['replaced', { op: 'bind', recordId: 'r3', externalId: 'e9', ifBound: 'replace' }],
    ['taken over', { op: 'bind', recordId: 'r9', externalId: 'e3', ifTaken: 'takeOver' }],
    ['taken over by a pending one', { op: 'bind', recordId: 'r2', externalId: 'e3', ifTaken: 'takeOver' }],
    ['synced', { op: 'sync', externalId: 'e1' }],
    ['synced with data', { op: 'sync', externalId: 'e1', data: { a: null } }],
    ['changed', { op: 'changeData', externalId: 'e1', data: { c: 1 } }],
    ['unbound', { op: 'unbind', externalId: 'e1', reason: 'gone' }],
    ['unbound without reason', { op: 'unbind', externalId: 'e1' }],
    ['all unbound', { op: 'unbind', recordId: 'r1', all: true, reason: 'deleted' }],
    ['moved', { op: 'move', fromRecordId: 'r3', toRecordId: 'r9' }],
    ['several moved', { op: 'move', fromRecordId: 'r1', toRecordId: 'r2' }],
  ];
  it.each(commands)('gives again what was answered: %s', (_, command) => {
    const ledger = new DecidingLedger({ cardinality: 'many' });
    for (const earlier of before) ledger.do(earlier);
    ledger.at = minutesAfterStart(1);
    const done = ledger.do(command);
    const { record } = stored(done);
    expect(record).toEqual({ scopedKey: scopedKey('job', 'k'), request: 'hash', answer: done.answer, at: ledger.at });
  });

  it('leaves to the event what the event says', () => {
    const ledger = new DecidingLedger();
    const created = stored(ledger.do({ op: 'bind', recordId: 'r1', externalId: 'e1', data: { a: 1 } }));
    expect(created.kept).toEqual({ key: 'k', request: 'hash', outcome: 'created', rest: {} });
    const { kept } = stored(ledger.do({ op: 'unbind', recordId: 'r1' }));
    const at = minutesAfterStart(0);
    expect(kept).toEqual({
      key: 'k',
      request: 'hash',
      outcome: 'unbound',
      rest: { syncDate: at, createdAt: at, data: { a: 1 } },
    });
  });

  it.each([
    ['letters', 'x'.repeat(2_000), 100_000],
    ['letters of several bytes', '日'.repeat(700), 100_000],
  ])('leaves out the data of others where, with %s, an append would not hold it', (_, text, most) => {
    const ledger = new DecidingLedger({ cardinality: 'many' });
    for (let n = 0; n < 60; n += 1) ledger.do({ op: 'bind', recordId: 'r1', externalId: `e${n}`, data: { text } });
    const done = ledger.do({ op: 'unbind', recordId: 'r1', all: true });
    const { kept, record } = stored(done);
    expect(Buffer.byteLength(JSON.stringify(kept.others))).toBeLessThan(most);
    const withoutData = done.answer.bindings?.map((binding, index) => (index === 59 ? binding : { ...binding, data: {} }));
    expect(record.answer).toEqual({ ...done.answer, bindings: withoutData });
  });
});

describe('a stamp', () => {
  const metadata: EventMetadata = { schema: 1, actor: 'job', correlationId: 'c', at: minutesAfterStart(0), hash: '' };

  it('has the reason, if there is one', () => {
    expect(stampOf({ revision: 3, metadata })).toEqual({ revision: 3, at: minutesAfterStart(0) });
    const reasoned = { revision: 3, metadata: { ...metadata, reason: 'why' } };
    expect(stampOf(reasoned)).toEqual({ revision: 3, at: minutesAfterStart(0), reason: 'why' });
  });
});
