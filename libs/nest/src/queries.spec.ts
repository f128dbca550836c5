import { afterAll, beforeAll, expect, test } from 'vitest';
import { done, PRODUCTS, startLedgerApplication, type LedgerApplication } from '../../../test/support/ledger-application.js';
import {
  BindCommand,
  BindingsOfRecordQuery,
  FindBindingQuery,
  LedgerStatusQuery,
  ListBindingsQuery,
  LookupQuery,
  ToExternalQuery,
  ToInternalQuery,
  UnbindCommand,
  type FilterInput,
  type Freshness,
  type LocatedBinding,
  type LookupInput,
  type PageInput,
} from './index.js';

let application: LedgerApplication;
let bindings: LocatedBinding[];
const HEAD: Freshness = { atLeast: 'head' };

beforeAll(async () => {
  application = await startLedgerApplication({ model: { cardinality: 'many', indexes: ['size'] } });
  bindings = [];
  for (const [recordId, externalId, size] of [
    [1, 'A', 1],
    [2, 'B', 2],
    [3, 'C', 2],
    [3, 'D', 3],
    [4, 'E', 3],
  ] as const) {
    const input = { recordId, externalId, syncDate: `2025-01-0${size}T00:00:00Z`, data: { size } };
    bindings.push(done(await application.commands.execute(new BindCommand(PRODUCTS, input))).binding);
  }
  const unbound = done(await application.commands.execute(new UnbindCommand(PRODUCTS, { externalId: 'E' })));
  bindings[4] = unbound.binding as LocatedBinding;
});
afterAll(() => application.app.close());

const list = (filter: FilterInput = {}, page: PageInput = {}) =>
  application.queries.execute(new ListBindingsQuery(PRODUCTS, filter, page, HEAD));
const externalIds = async (filter: FilterInput) => done(await list(filter)).items.map(({ externalId }) => externalId);

test('to internal, to external, and a binding by its id', async () => {
  const [a, , c, d, e] = bindings as [LocatedBinding, LocatedBinding, LocatedBinding, LocatedBinding, LocatedBinding];
  expect(await application.queries.execute(new ToInternalQuery(PRODUCTS, 'A', HEAD))).toEqual(a);
  expect(await application.queries.execute(new ToExternalQuery(PRODUCTS, 1, HEAD))).toEqual(a);
  expect(await application.queries.execute(new FindBindingQuery(PRODUCTS, e.id, HEAD))).toEqual(e);
  expect(await application.queries.execute(new ToInternalQuery(PRODUCTS, 'E', HEAD))).toMatchObject({ refused: 'NOT_BOUND' });
  expect(await application.queries.execute(new ToExternalQuery(PRODUCTS, 4, HEAD))).toMatchObject({ refused: 'NOT_BOUND' });
  expect(await application.queries.execute(new FindBindingQuery(PRODUCTS, 'nobody', HEAD))).toMatchObject({
    refused: 'BINDING_NOT_FOUND',
  });
  const several = await application.queries.execute(new ToExternalQuery(PRODUCTS, 3, HEAD));
  expect(several).toMatchObject({ refused: 'AMBIGUOUS_RECORD', candidates: expect.arrayContaining([c, d]) });
});

test('many at once, by external ids or by records', async () => {
  const [a, b, c, d] = bindings;
  const byExternalId = await application.queries.execute(new LookupQuery(PRODUCTS, { externalIds: ['B', 'A', 'E', 7] }, HEAD));
  expect(byExternalId).toEqual({ found: { A: [a], B: [b] }, missing: ['E', '7'] });
  const byRecord = done(await application.queries.execute(new LookupQuery(PRODUCTS, { recordIds: [3, 4] }, HEAD)));
  expect(byRecord).toEqual({ found: { 3: expect.arrayContaining([c, d]) }, missing: ['4'] });
  expect(byRecord.found['3']).toHaveLength(2);
});

test('listings by state, record, dates and indexed data, page by page', async () => {
  expect(await externalIds({})).toEqual(['A', 'B', 'C', 'D']);
  expect(await externalIds({ state: 'unbound' })).toEqual(['E']);
  expect(await externalIds({ recordId: 3 })).toEqual(['C', 'D']);
  expect(await externalIds({ externalId: 'B' })).toEqual(['B']);
  expect(await externalIds({ data: { size: 2 } })).toEqual(['B', 'C']);
  expect(await externalIds({ syncedBefore: new Date('2025-01-02T00:00:00Z') })).toEqual(['A']);
  expect(await externalIds({ syncedAfter: '2025-01-02T00:00:00Z' })).toEqual(['D']);
  expect(await externalIds({ createdBefore: new Date(0) })).toEqual([]);
  const first = done(await list({}, { limit: 3 }));
  expect(first.items).toHaveLength(3);
  const second = done(await list({}, { limit: 3, cursor: first.nextCursor as string }));
  expect(second.items.map(({ externalId }) => externalId)).toEqual(['D']);
  expect(second.nextCursor).toBeNull();
});

test.each<[string, unknown, unknown, string]>([
  ['a field that is not indexed', { data: { colour: 'red' } }, {}, 'FIELD_NOT_INDEXED'],
  ['an unknown filter', { record: '3' }, {}, 'MALFORMED'],
  ['an unknown state', { state: 'live' }, {}, 'MALFORMED'],
  ['an id that is none', { recordId: '' }, {}, 'INVALID_ID'],
  ['an invalid date', { syncedBefore: new Date('') }, {}, 'MALFORMED'],
  ['a page of none', {}, { limit: 0 }, 'MALFORMED'],
  ['a page of too many', {}, { limit: 1_001 }, 'MALFORMED'],
  ['a cursor of somebody else', {}, { cursor: 'x' }, 'MALFORMED'],
])('a listing with %s is refused', async (_what, filter, page, code) => {
  expect(await list(filter as FilterInput, page as PageInput)).toMatchObject({ refused: code });
});

test.each<[string, unknown, string]>([
  ['an empty id', { externalIds: ['A', ''] }, 'INVALID_ID'],
  ['`null` as an id', { recordIds: [null] }, 'INVALID_ID'],
  ['too many ids', { recordIds: Array.from({ length: 1_001 }, (_, id) => id) }, 'TOO_LARGE'],
  ['both kinds', { recordIds: [], externalIds: [] }, 'MALFORMED'],
  ['neither kind', {}, 'MALFORMED'],
])('a lookup with %s is refused', async (_what, ids, code) => {
  expect(await application.queries.execute(new LookupQuery(PRODUCTS, ids as LookupInput, HEAD))).toMatchObject({ refused: code });
});

test('what is not projected in time is refused', async () => {
  const late = new ToInternalQuery(PRODUCTS, 'A', { atLeast: 1_000_000, timeoutMs: 1 });
  expect(await application.queries.execute(late)).toMatchObject({ refused: 'NOT_YET_PROJECTED' });
  const never = new ToInternalQuery(PRODUCTS, 'A', { atLeast: 'tail' as 'head' });
  expect(await application.queries.execute(never)).toMatchObject({ refused: 'MALFORMED' });
});

test('the status of a ledger', async () => {
  const status = await application.queries.execute(new LedgerStatusQuery(PRODUCTS, HEAD));
  expect(status).toMatchObject({ state: 'open', live: 4, pending: 0, unbound: 1, newestSyncDate: '2025-01-03T00:00:00.000Z' });
});

test('the bindings of a local record, with former ones when asked for', async () => {
  const of = (recordId: number, includeUnbound?: boolean) =>
    application.queries.execute(new BindingsOfRecordQuery({ localModel: 'product', recordId }, includeUnbound));
  expect(done(await of(3)).map(({ externalId }) => externalId)).toEqual(['C', 'D']);
  expect(await of(4)).toEqual([]);
  expect(await of(4, true)).toEqual([bindings[4]]);
  expect(await of(NaN)).toMatchObject({ refused: 'INVALID_ID' });
});
