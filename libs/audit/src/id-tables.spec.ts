import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { IdPlaces, IdSet } from './id-tables.js';

function uuid(number: number): string {
  const hex = createHash('sha256').update(String(number)).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-');
}

const NIL = '00000000-0000-0000-0000-000000000000';
const ODD = [
  NIL,
  uuid(1).toUpperCase(),
  `${uuid(1)} `,
  uuid(1).replaceAll('-', '0'),
  `${uuid(1).slice(0, 35)}ſ`,
  `${uuid(1).slice(0, 35)}\u0000`,
  `-${uuid(1).slice(1)}`,
  `ā${uuid(1).slice(1)}`,
  'binding-1',
  '',
];
const IDS = [...Array.from({ length: 50_000 }, (_, number) => uuid(number)), ...ODD];

it('a set knows each id once, whatever it looks like', () => {
  const set = new IdSet();
  expect(IDS.filter((id) => !set.add(id))).toEqual([]);
  expect(IDS.filter((id) => set.add(id))).toEqual([]);
});

it('places are given in order and kept, also when the table has grown, and all are listed', () => {
  const places = new IdPlaces();
  expect(IDS.filter((id) => places.get(id) !== undefined || !places.add(id))).toEqual([]);
  expect(IDS.filter((id, place) => places.add(id) || places.get(id) !== place)).toEqual([]);
  expect(places.size).toBe(IDS.length);
  const entries = [...places.entries()];
  expect(entries.filter(([id, place]) => id !== IDS[place])).toEqual([]);
  expect(new Set(entries.map(([id]) => id))).toEqual(new Set(IDS));
});

it('places of a table that grows while it is listed are all listed, if they were there', () => {
  const places = new IdPlaces();
  const before = IDS.slice(0, 5_000);
  for (const id of before) places.add(id);
  const listed = new Set<string>();
  let next = before.length;
  for (const [id] of places.entries()) {
    listed.add(id);
    if (next < 40_000) for (const end = next + 100; next < end; next += 1) places.add(IDS[next] as string);
  }
  expect(before.filter((id) => !listed.has(id))).toEqual([]);
});
