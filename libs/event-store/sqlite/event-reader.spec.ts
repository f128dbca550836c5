import fc from 'fast-check';
import { expect, it } from 'vitest';
import { MEMORY, migrate, openDatabase } from '#sqlite';
import { EventReader, formatPosition, parsePosition } from './event-reader.js';
import { EVENTS_SCHEMA } from './schema.js';

const STREAMS = ['ledger-a/x', 'ledger-b/y', 'catalog-models'];
const MAX_BYTES = 1_000_000;

/** A reader of a store with an event of each of these streams, in that order. */
function readerOf(streams: readonly number[], dataOf: (index: number) => string = () => '{}') {
  const db = openDatabase(MEMORY);
  migrate(db, EVENTS_SCHEMA);
  for (const [index, name] of STREAMS.entries()) db.prepare('INSERT INTO streams VALUES (?, ?)').run(index + 1, name);
  const insert = db.prepare('INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
  db.exec('BEGIN');
  for (const [index, stream] of streams.entries())
    insert.run(index + 1, stream + 1, index, `id-${index}`, 'T', dataOf(index), '{}', 0);
  db.exec('COMMIT');
  return new EventReader(db);
}

it('finds by prefixes what there is, whatever lies between, page by page', () => {
  const streams = fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 60 });
  const prefixes = fc.subarray(['ledger-a', 'ledger-', 'catalog-', 'other-'], { minLength: 1 });
  fc.assert(
    fc.property(
      streams,
      prefixes,
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 40 }),
      (all, wanted, limit, bytes) => {
        const reader = readerOf(all);
        const found: string[] = [];
        for (let after = ''; ;) {
          const page = reader.everything(after, wanted, limit, bytes);
          expect(page.events.length).toBeLessThanOrEqual(limit);
          found.push(...page.events.map(({ id }) => id));
          expect(page.end || page.position > after).toBe(true);
          after = page.position;
          if (page.end) break;
        }
        const isWanted = (stream: number) => wanted.some((prefix) => (STREAMS[stream] as string).startsWith(prefix));
        expect(found).toEqual(all.flatMap((stream, index) => (isWanted(stream) ? [`id-${index}`] : [])));
      },
    ),
    { numRuns: 300 },
  );
});

it('looks at a part of the store at a time, and says how far it has looked', () => {
  const reader = readerOf([...Array.from({ length: 9_000 }, () => 0), 2]);
  const first = reader.everything('', ['catalog-'], 10, MAX_BYTES);
  expect(first).toEqual({ events: [], end: false, position: formatPosition(8_192) });
  const second = reader.everything(first.position, ['catalog-'], 10, MAX_BYTES);
  expect(second).toMatchObject({ events: [{ id: 'id-9000' }], end: true });
  expect(parsePosition(second.position)).toBe(9_001);
});

it('takes damage for damage, and no part of it for an event', () => {
  const reader = readerOf([0, 0], (index) => (index === 1 ? '{"forged":true},{"actor":"x"}' : '{}'));
  const page = { limit: 1, maxBytes: MAX_BYTES };
  expect(reader.ofStream('ledger-a/x', false, -1, page).events).toHaveLength(1);
  expect(() => reader.ofStream('ledger-a/x', false, 0, page)).toThrow('event id-1 is damaged');
});
