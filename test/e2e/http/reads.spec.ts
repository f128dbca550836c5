/** Listings, events and freshness. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LEDGER_PATH as L, linesIn, TestServer, type Json } from '../../support/http-server.js';

interface Page {
  items: Json[];
  nextCursor: string | null;
}

let server: TestServer;
const LINES = { accept: 'application/x-ndjson' };
const COUNT = 1_203;

beforeAll(async () => {
  server = await TestServer.start();
  await server.prepare();
  await server.commands([
    { op: 'bind', recordId: 'never', externalId: 'never', syncDate: null },
    { op: 'bind', recordId: 'old', externalId: 'old', syncDate: '2020-01-01T00:00:00Z', data: { group: 'a' } },
    { op: 'bind', recordId: 'new', externalId: 'new', syncDate: '2026-01-01T00:00:00Z', data: { group: 'b' } },
    { op: 'bind', recordId: 'pending' },
    { op: 'bind', recordId: 'gone', externalId: 'gone' },
    { op: 'unbind', recordId: 'gone', reason: 'sold out' },
  ]);
  await server.commands(
    Array.from({ length: COUNT }, (_, index) => ({
      op: 'bind',
      recordId: `r${index}`,
      externalId: `e${index}`,
      syncDate: '2026-02-01T00:00:00Z',
    })),
  );
});
afterAll(() => server.close());

const list = async (query: Record<string, string>) =>
  (await server.get<Page>(`${L}/bindings`, { query: { atLeast: 'head', ...query } })).body;
const records = ({ items }: Page) => items.map(({ recordId }) => recordId);

describe('Accept', () => {
  it.each([
    ['application/x-ndjson', 'x-ndjson'],
    ['APPLICATION/X-NDJSON', 'x-ndjson'],
    ['application/x-ndjson, */*;q=0.1', 'x-ndjson'],
    ['application/x-ndjson;q=0', 'json'],
    ['application/x-ndjson;q=0.1, application/json', 'json'],
    ['*/*', 'json'],
  ])('%j is answered as %s', async (accept, type) => {
    for (const path of [`${L}/bindings`, `${L}/events`, `${L}/records/old/history`]) {
      const { headers } = await server.get(path, { headers: { accept } });
      expect(headers['content-type'], path).toMatch(new RegExp(`^application/${type}(;|$)`));
    }
  });
});

describe('GET bindings', () => {
  it('filters', async () => {
    expect(records(await list({ recordId: 'old' }))).toEqual(['old']);
    expect(records(await list({ externalId: 'new' }))).toEqual(['new']);
    expect(records(await list({ state: 'pending' }))).toEqual(['pending']);
    expect(records(await list({ state: 'unbound' }))).toEqual(['gone']);
    expect(records(await list({ 'data.group': 'a' }))).toEqual(['old']);
    expect(records(await list({ syncedBefore: '2026-01-02T00:00:00Z' })).slice(-2)).toEqual(['old', 'new']);
    expect(records(await list({ syncedBefore: '2026-01-02T00:00:00Z' })).sort()).toEqual(['never', 'new', 'old', 'pending']);
    expect(records(await list({ syncedAfter: '2026-01-01T00:00:00Z', recordId: 'r7' }))).toEqual(['r7']);
    expect(records(await list({ createdBefore: '2020-01-01T00:00:00Z' }))).toEqual([]);
  });

  it('pages through every live binding once', async () => {
    const seen: unknown[] = [];
    let cursor: string | null = null;
    do {
      const page: Page = await list({ limit: '500', ...(cursor === null ? {} : { cursor }) });
      seen.push(...records(page));
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(seen).toHaveLength(COUNT + 4);
    expect(new Set(seen).size).toBe(COUNT + 4);
  });

  it('has a hundred items a page when not asked for more', async () => {
    expect((await list({})).items).toHaveLength(100);
  });

  it('is one stream of all when asked for lines', async () => {
    const { status, headers, text } = await server.get<string>(`${L}/bindings`, { query: { atLeast: 'head' }, headers: LINES });
    expect([status, headers['content-type'], headers['x-correlation-id']]).toEqual([
      200,
      'application/x-ndjson',
      expect.any(String),
    ]);
    const seen = linesIn(text).map(({ recordId }) => recordId);
    expect(new Set(seen).size).toBe(COUNT + 4);
    expect(seen).toHaveLength(COUNT + 4);
    const filtered = await server.get<string>(`${L}/bindings`, { query: { 'data.group': 'b' }, headers: LINES });
    expect(linesIn(filtered.text).map(({ recordId }) => recordId)).toEqual(['new']);
  });
});

describe('GET events', () => {
  it('pages by revisions', async () => {
    const first = await server.get<{ items: Json[]; nextAfter: number }>(`${L}/events`, { query: { limit: '3' } });
    expect(first.body.items.map(({ revision, type }) => [revision, type])).toEqual([
      [0, 'LedgerOpened'],
      [1, 'BindingCreated'],
      [2, 'BindingCreated'],
    ]);
    expect(first.body.nextAfter).toBe(2);
    const next = await server.get<{ items: Json[] }>(`${L}/events`, {
      query: { limit: '5', after: String(first.body.nextAfter) },
    });
    expect(next.body.items.map(({ revision }) => revision)).toEqual([3, 4, 5, 6, 7]);
    expect(next.body.items[3]).toMatchObject({
      type: 'BindingRemoved',
      recordId: 'gone',
      previousState: 'bound',
      state: 'unbound',
      cause: 'requested',
      reason: 'sold out',
      backend: 'shop',
      model: 'shop.product',
      localModel: 'product',
      version: 2,
    });
    expect(next.body.items[3]?.['hash']).toMatch(/^[0-9a-f]{64}$/);
  });

  it('is one stream up to the head when asked for lines, or of so many', async () => {
    const all = linesIn((await server.get<string>(`${L}/events`, { headers: LINES })).text);
    expect(all.map(({ revision }) => revision)).toEqual(Array.from({ length: COUNT + 7 }, (_, index) => index));
    const some = linesIn((await server.get<string>(`${L}/events`, { headers: LINES, query: { limit: '4', after: '9' } })).text);
    expect(some.map(({ revision }) => revision)).toEqual([10, 11, 12, 13]);
  });

  it('waits for the next event', async () => {
    const after = await server.headRevision();
    const waiting = server.get<{ items: Json[] }>(`${L}/events`, { query: { after: String(after), wait: '10000' } });
    await server.post(`${L}/bindings`, { recordId: 'awaited', externalId: 'awaited' });
    expect((await waiting).body.items).toMatchObject([{ recordId: 'awaited', revision: after + 1 }]);
  });

  it('is empty after the head', async () => {
    const after = await server.headRevision();
    const { body } = await server.get(`${L}/events`, { query: { after: String(after), wait: '1' } });
    expect(body).toEqual({ items: [], nextAfter: after });
  });
});

describe('a ledger as a whole', () => {
  it('tells its state, and its digest', async () => {
    const { body } = await server.get<{ headRevision: number }>(L, { query: { atLeast: 'head' } });
    expect(body).toMatchObject({
      state: 'open',
      pending: 1,
      unbound: 1,
      projectedRevision: body.headRevision,
      newestSyncDate: expect.any(String),
      headPosition: expect.any(String),
    });
    const events = await server.get<{ items: Json[] }>(`${L}/events`, { query: { after: String(body.headRevision - 1) } });
    const digest = await server.get(`${L}/digest`);
    expect(digest.body).toEqual({
      ledger: 'shop/shop.product',
      revision: body.headRevision,
      hash: events.body.items[0]?.['hash'],
      at: events.body.items[0]?.['at'],
    });
  });

  it('is unopened before the first bind', async () => {
    await server.put('/v1/models/shop.other', { backendType: 'shop', localModel: null });
    const path = '/v1/backends/shop/models/shop.other';
    expect((await server.get(path)).body).toEqual({
      state: 'unopened',
      live: 0,
      pending: 0,
      unbound: 0,
      newestSyncDate: null,
      headRevision: -1,
      projectedRevision: -1,
      headPosition: null,
    });
    expect((await server.get(`${path}/external/x`)).body).toMatchObject({ code: 'NOT_BOUND' });
    expect((await server.get(`${path}/bindings`)).body).toEqual({ items: [], nextCursor: null });
    expect((await server.get(`${path}/events`)).body).toEqual({ items: [], nextAfter: -1 });
    expect((await server.delete(`${path}/external/x`)).body).toMatchObject({ outcome: 'unchanged', binding: null });
  });

  it('shows what was just written to who asks for that revision', async () => {
    for (let round = 0; round < 20; round += 1) {
      const { body } = await server.post<{ revision: number }>(`${L}/bindings`, {
        recordId: `own${round}`,
        externalId: `own${round}`,
      });
      const { status } = await server.get(`${L}/external/own${round}`, { query: { atLeast: String(body.revision) } });
      expect(status).toBe(200);
    }
  });
});
