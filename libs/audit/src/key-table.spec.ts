import fc from 'fast-check';
import { expect, it } from 'vitest';
import { KeyTable, NOWHERE } from './key-table.js';
import { Names } from './names.js';

it('finds, replaces and deletes like a map, whatever comes in what order', () => {
  const keys = Array.from({ length: 300 }, (_, number) => `key-${number % 7}-${number}`);
  const step = fc.record({ key: fc.nat(299), remove: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { minLength: 50, maxLength: 2_000 }), (steps) => {
      const listed: string[] = [];
      const table = new KeyTable((place, key) => listed[place] === key);
      const truth = new Map<string, number>();
      for (const { key: number, remove } of steps) {
        const key = keys[number] as string;
        expect(table.get(key)).toBe(truth.get(key) ?? NOWHERE);
        if (remove) {
          table.delete(key);
          truth.delete(key);
        } else {
          expect(table.set(key, listed.length)).toBe(truth.get(key) ?? NOWHERE);
          truth.set(key, listed.length);
          listed.push(key);
        }
      }
      for (const key of keys) expect(table.get(key)).toBe(truth.get(key) ?? NOWHERE);
    }),
    { numRuns: 50 },
  );
});

it('keeps 50,000 keys apart, also when most are deleted again', () => {
  const keys = Array.from({ length: 50_000 }, (_, number) => `${number % 100}-${number}`);
  const table = new KeyTable((place, key) => keys[place] === key);
  keys.forEach((key, place) => table.set(key, place));
  expect(keys.filter((key, place) => table.get(key) !== place)).toEqual([]);
  keys.forEach((key, place) => place % 10 !== 0 && table.delete(key));
  expect(keys.filter((key, place) => table.get(key) !== (place % 10 === 0 ? place : NOWHERE))).toEqual([]);
});

it('names are read back as they were, of any length and script, and overwritten in place', () => {
  const texts = ['', 'a', 'Großhandel', '\u{1F4D6}\ud83d', 'x'.repeat(70_000), 'y'.repeat(65_536), 'z'.repeat(65_535), 'end'];
  const names = new Names();
  const kept = Array.from({ length: 30_000 }, (_, number) => {
    const text = number % 1_000 < texts.length ? (texts[number % 1_000] as string) : `name-${number}`;
    return { text, at: names.add(text) };
  });
  expect(kept.filter(({ text, at }) => names.read(at, text.length) !== text || !names.isAt(at, text.length, text))).toEqual([]);
  const at = names.add('first');
  names.put(at, 'other');
  expect([names.isAt(at, 5, 'first'), names.isAt(at, 5, 'other'), names.isAt(at, 5, 'othe')]).toEqual([false, true, false]);
  const json = '["first","other"]';
  expect([names.isIn(json, 10, at, 5), names.isIn(json, 2, at, 5), names.isIn('["other', 2, at, 5)]).toEqual([true, false, true]);
  const quoted = names.add('a"b');
  expect(names.isIn('a"b', 0, quoted, 3)).toBe(false);
});
