import { describe, expect, it } from 'vitest';
import type { WrittenEvent } from './chain.js';
import { KnownKeys } from './known-keys.js';

const NONE = { recordIds: [], externalIds: [], bindingIds: [], scopedKeys: [] };

function created(recordId: string, externalId: string | null, key?: string): WrittenEvent {
  const idempotency = key === undefined ? undefined : { key, request: '', outcome: 'created' as const, rest: {} };
  return {
    type: 'BindingCreated',
    data: { bindingId: 'b', version: 1, recordId, externalId, state: 'bound' },
    revision: 0,
    fields: { actor: 'job', at: '', correlationId: '', schema: 1, idempotency },
    json: { data: '', metadata: '' },
  } as WrittenEvent;
}

const manyOf = (name: string, count: number) => Array.from({ length: count }, (_, index) => `${name}-${index}`);

describe('the keys that a ledger is known to have had', () => {
  it('has all that it learnt, whatever their number, and few others', () => {
    const known = new KnownKeys();
    const count = 100_000;
    for (let index = 0; index < count; index += 1) known.learn(created(`r-${index}`, `e-${index}`, `k-${index}`));
    const learnt = {
      recordIds: manyOf('r', count),
      externalIds: manyOf('e', count),
      bindingIds: ['b'],
      scopedKeys: manyOf('3 job k', count),
    };
    expect(known.among(learnt)).toEqual(learnt);
    const others = known.among({ ...NONE, recordIds: manyOf('other', count), externalIds: manyOf('r', count) });
    expect(others.recordIds.length).toBeLessThan(count / 20);
    expect(others.externalIds.length).toBeLessThan(count / 20);
  });

  it('tells a record from an external id of the same name, and takes long and odd ones', () => {
    const known = new KnownKeys();
    const [long, odd] = ['x'.repeat(500), '\u{1F4E6}\u0000ä'];
    known.learn(created(long, null));
    known.learn(created('r', odd));
    expect(known.among({ ...NONE, recordIds: [long, 'r', odd], externalIds: [long, 'r', odd] })).toEqual({
      ...NONE,
      recordIds: [long, 'r'],
      externalIds: [odd],
    });
  });

  it('says of every key that it may be there, once there are too many', () => {
    const known = new KnownKeys();
    for (let index = 0; index < 2_300_000; index += 1) known.learn(created(`r-${index}`, `e-${index}`));
    const keys = { ...NONE, recordIds: manyOf('other', 100), externalIds: manyOf('other', 100) };
    expect(known.among(keys)).toEqual(keys);
  });
});
