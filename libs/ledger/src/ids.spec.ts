import { stringify, v7, validate, version } from 'uuid';
import { describe, expect, it } from 'vitest';
import { idMaker, randomIdMaker } from './ids.js';

const COUNT = 2_000;
const many = (next: () => string) => Array.from({ length: COUNT }, next);

describe('ids', () => {
  it('of bindings are UUIDs of version 7 that ascend, also while the clock stands still or goes back', () => {
    let now = Date.parse('2026-03-03T09:00:00Z');
    const next = idMaker(() => now);
    const ids = [...many(next), ...((now -= 5_000), many(next)), ...((now += 10_000), many(next))];
    expect(ids.filter((id) => validate(id) && version(id) === 7)).toHaveLength(3 * COUNT);
    expect(new Set(ids).size).toBe(3 * COUNT);
    expect(ids.toSorted()).toEqual(ids);
    expect(ids[0]?.slice(0, 13)).toBe(v7({ msecs: Date.parse('2026-03-03T09:00:00Z') }).slice(0, 13));
  });

  it('of events are UUIDs of version 4, each another one', () => {
    const ids = many(randomIdMaker());
    expect(ids.filter((id) => validate(id) && version(id) === 4)).toHaveLength(COUNT);
    expect(new Set(ids).size).toBe(COUNT);
  });

  it('are written as the library writes them', () => {
    const bytes = new Uint8Array(16);
    const [first = ''] = many(idMaker());
    for (const [index, hex] of (first.replaceAll('-', '').match(/../g) ?? []).entries()) bytes[index] = parseInt(hex, 16);
    expect(stringify(bytes)).toBe(first);
  });
});
