import { describe, expect, it } from 'vitest';
import { Faults } from './faults.js';

const STREAM = 'ledger-shop/partner';

describe('faults', () => {
  it('fire once, n times, or for ever, after so many that go through', () => {
    const faults = new Faults();
    const fired = (count: number) =>
      Array.from({ length: count }, () => faults.take('before', 'batchAppend', STREAM)?.spec.kind ?? '-').join(' ');
    faults.add({ kind: 'refuse' });
    expect(fired(3)).toBe('refuse - -');
    faults.add({ kind: 'busy', times: 2, skip: 1 });
    expect(fired(4)).toBe('- busy busy -');
    const forEver = faults.add({ kind: 'delay', times: Infinity });
    expect(fired(3)).toBe('delay delay delay');
    forEver.remove();
    expect(fired(1)).toBe('-');
  });

  it('are for methods and streams; what a client asks the node about itself only when it is named', () => {
    const faults = new Faults();
    faults.add({ kind: 'refuse', method: 'append', stream: /^ledger-/, times: Infinity });
    faults.add({ kind: 'busy', method: ['delete', 'features'], times: Infinity });
    const kinds = (['batchAppend', 'unaryAppend', 'readStream', 'delete', 'features', 'gossip'] as const).map(
      (method) => faults.take('before', method, STREAM)?.spec.kind,
    );
    expect(kinds).toEqual(['refuse', 'refuse', undefined, 'busy', 'busy', undefined]);
    expect(faults.take('before', 'batchAppend', 'backend-shop')).toBeUndefined();
    expect(faults.take('after', 'batchAppend', STREAM)).toBeUndefined();
    faults.clear();
    faults.add({ kind: 'refuse', times: Infinity });
    expect(faults.take('before', 'features', '')).toBeUndefined();
    expect(faults.take('before', 'readAll', '$all')).toBeDefined();
  });

  it('happen by a chance that a seed repeats', () => {
    const run = (seed: number) => {
      const faults = new Faults(seed);
      faults.add({ kind: 'dropAfter', probability: 0.25, times: Infinity });
      return Array.from({ length: 2_000 }, () => (faults.take('after', 'batchAppend', STREAM) === undefined ? 0 : 1));
    };
    const [first, again, other] = [run(7), run(7), run(8)];
    expect(first).toEqual(again);
    expect(first).not.toEqual(other);
    const hits = first.filter((hit) => hit === 1).length;
    expect(hits).toBeGreaterThan(400);
    expect(hits).toBeLessThan(600);
  });

  it('in a stream of events come after so many of them', () => {
    const faults = new Faults();
    faults.add({ kind: 'drop', afterEvents: 5 });
    expect(faults.eventsBefore('subscribeAll', '$all', 2)).toBe(3);
    expect(faults.take('streaming', 'subscribeAll', '$all', 4)).toBeUndefined();
    expect(faults.take('streaming', 'subscribeAll', '$all', 5)?.spec.kind).toBe('drop');
    expect(faults.eventsBefore('subscribeAll', '$all', 2)).toBe(Infinity);
  });

  it('of a kind or a method that there is not are refused', () => {
    const faults = new Faults();
    expect(() => faults.add({ kind: 'nonsense' as 'drop' })).toThrow(RangeError);
    expect(() => faults.add({ kind: 'drop', method: 'nonsense' })).toThrow(RangeError);
    expect(faults.list()).toEqual([]);
  });
});
