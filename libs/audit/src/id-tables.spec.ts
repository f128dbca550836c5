import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { IdMap, IdSet } from './id-tables.js';

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
  'binding-1',
  '',
];
const IDS = [...Array.from({ length: 50_000 }, (_, number) => uuid(number)), ...ODD];

it('a set knows each id once, whatever it looks like', () => {
  const set = new IdSet();
  expect(IDS.filter((id) => !set.add(id))).toEqual([]);
  expect(IDS.filter((id) => set.add(id))).toEqual([]);
});

it('a map keeps the first value of each id, also when it has grown, and lists them all', () => {
  const map = new IdMap<{ id: string }>();
  expect(IDS.filter((id) => map.get(id) !== undefined || !map.add(id, { id }))).toEqual([]);
  expect(IDS.filter((id) => map.add(id, { id: 'second' }) || map.get(id)?.id !== id)).toEqual([]);
  expect(map.size).toBe(IDS.length);
  const entries = [...map.entries()];
  expect(entries.filter(([id, value]) => id !== value.id)).toEqual([]);
  expect(new Set(entries.map(([id]) => id))).toEqual(new Set(IDS));
});

it('a map that grows while it is listed leaves out nothing that was there', () => {
  const map = new IdMap<object>();
  const before = IDS.slice(0, 5_000);
  for (const id of before) map.add(id, {});
  const listed = new Set<string>();
  let next = before.length;
  for (const [id] of map.entries()) {
    listed.add(id);
    if (next < 40_000) for (const end = next + 100; next < end; next += 1) map.add(IDS[next] as string, {});
  }
  expect(before.filter((id) => !listed.has(id))).toEqual([]);
});
