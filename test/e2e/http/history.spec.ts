/** What was: histories, and answers as of a revision or an instant. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BACKEND, LEDGER_PATH as L, linesIn, MODEL, TestServer, type Answer, type Json } from '../../support/http-server.js';

interface Page {
  items: Json[];
  nextCursor: string | null;
}

const LINES = { accept: 'application/x-ndjson' };
const NAME = `${BACKEND}/${MODEL}`;
const HEAD = { atLeast: 'head' };
let server: TestServer;
/** Of the revisions, by what happened there. */
let first: string;

beforeAll(async () => {
  server = await TestServer.start();
  await server.prepare();
  const [created] = await server.commands([
    { op: 'bind', recordId: '7', externalId: 'A', syncDate: null, data: { group: 'a' } },
    { op: 'sync', recordId: '7', syncDate: '2026-01-01T00:00:00Z' },
    { op: 'changeData', recordId: '7', data: { group: 'b' } },
    { op: 'bind', recordId: '7', externalId: 'B', ifBound: 'replace', syncDate: null },
    { op: 'bind', recordId: '8', externalId: 'B', ifTaken: 'takeOver', syncDate: null, reason: 'the other one was wrong' },
    { op: 'move', fromRecordId: '8', toRecordId: '9' },
    { op: 'bind', recordId: 'a/b?c', externalId: '100000200-1' },
  ]);
  first = (created as { binding: { id: string } }).binding.id;
});
afterAll(() => server.close());

const types = ({ items }: Page) => items.map(({ revision, type }) => `${String(revision)} ${String(type)}`);
const history = async (path: string, query: Record<string, string> = {}) =>
  (await server.get<Page>(`${path}/history`, { query: { ...HEAD, ...query } })).body;
const lookup = (path: string, asOf: string) => server.get(`${L}/${path}`, { query: { asOf } });

describe('the history', () => {
  it('of a binding: every event, who, when, why, and what it changed from what', async () => {
    const { items, nextCursor } = await history(`${L}/bindings/${first}`);
    expect(nextCursor).toBeNull();
    expect(types({ items, nextCursor })).toEqual([
      '1 BindingCreated',
      '2 SyncDateUpdated',
      '3 BindingDataChanged',
      '4 ExternalIdReplaced',
      '5 BindingRemoved',
    ]);
    const [, synced, changed, replaced, removed] = items;
    expect(synced).toMatchObject({ syncDate: '2026-01-01T00:00:00.000Z', previousSyncDate: null });
    expect(changed).toMatchObject({ data: { group: 'b' }, previousData: { group: 'a' } });
    expect(replaced).toMatchObject({ externalId: 'B', previousExternalId: 'A' });
    expect(removed).toMatchObject({ state: 'unbound', previousState: 'bound', cause: 'takenOver', actor: 'anonymous' });
    for (const event of items)
      expect(event).toMatchObject({
        backend: BACKEND,
        at: expect.any(String) as string,
        correlationId: expect.any(String) as string,
      });
  });

  it('of a record and of an external id: also of what was moved, replaced or taken over', async () => {
    expect(types(await history(`${L}/records/8`))).toEqual(['6 BindingCreated', '7 BindingMoved']);
    expect(types(await history(`${L}/external/B`))).toEqual([
      '4 ExternalIdReplaced',
      '5 BindingRemoved',
      '6 BindingCreated',
      '7 BindingMoved',
    ]);
    expect(types(await history(`${L}/external/A`))).toEqual([
      '1 BindingCreated',
      '2 SyncDateUpdated',
      '3 BindingDataChanged',
      '4 ExternalIdReplaced',
    ]);
    expect(types(await history(`${L}/records/${encodeURIComponent('a/b?c')}`))).toEqual(['8 BindingCreated']);
    expect(await history(`${L}/records/none`)).toEqual({ items: [], nextCursor: null });
  });

  it('comes in pages, and as one stream', async () => {
    const seen: string[] = [];
    for (let cursor: string | null = null; ;) {
      const page: Page = await history(`${L}/external/B`, { limit: '3', ...(cursor === null ? {} : { cursor }) });
      seen.push(...types(page));
      if (page.nextCursor === null) break;
      cursor = page.nextCursor;
    }
    const whole = await history(`${L}/external/B`);
    expect(seen).toEqual(types(whole));
    const { text, headers } = await server.get(`${L}/external/B/history`, { headers: LINES });
    expect(headers['content-type']).toContain('application/x-ndjson');
    expect(linesIn(text)).toEqual(whole.items);
  });

  it('of a record across ledgers', async () => {
    expect(types(await history('/v1/records/product/9', { atLeast: `${NAME}@8` }))).toEqual(['7 BindingMoved']);
    const page = await history('/v1/records/product/7', { atLeast: `${NAME}@8`, limit: '2' });
    expect(types(page)).toEqual(['1 BindingCreated', '2 SyncDateUpdated']);
    const rest = await history('/v1/records/product/7', { atLeast: `${NAME}@8`, cursor: page.nextCursor ?? '' });
    expect(types(rest)).toEqual(['3 BindingDataChanged', '4 ExternalIdReplaced', '5 BindingRemoved']);
    expect(await history('/v1/records/nothing/7', { atLeast: `${NAME}@8` })).toEqual({ items: [], nextCursor: null });
  });

  it('refuses what there is not', async () => {
    const refused = async (path: string, query: Record<string, string> = {}, headers = {}) => {
      const { status, body } = await server.get(path, { query, headers });
      return [status, body['code']];
    };
    expect(await refused(`${L}/bindings/none/history`, HEAD)).toEqual([404, 'BINDING_NOT_FOUND']);
    expect(await refused('/v1/backends/none/models/shop.product/records/1/history')).toEqual([404, 'BACKEND_NOT_FOUND']);
    expect(await refused(`${L}/records/7/history`, { cursor: 'x' })).toEqual([400, 'MALFORMED']);
    expect(await refused('/v1/records/product/7/history', { cursor: '000-x' })).toEqual([400, 'MALFORMED']);
    expect(await refused(`${L}/records/7/history`, { limit: '1001' })).toEqual([400, 'MALFORMED']);
    expect(await refused(`${L}/records/7/history`, { limit: '1' }, LINES)).toEqual([400, 'MALFORMED']);
    expect(await refused(`${L}/records/7/history`, { asOf: 'revision:1' })).toEqual([400, 'MALFORMED']);
    expect(await refused(`${L}/records/7/history`, { atLeast: '999', timeout: '0' })).toEqual([503, 'NOT_YET_PROJECTED']);
  });
});

describe('as of', () => {
  it('a revision: lookups both ways, with the revision that was used', async () => {
    const then = await lookup('external/A', 'revision:3');
    expect(then.body).toMatchObject({
      id: first,
      recordId: '7',
      externalId: 'A',
      state: 'bound',
      syncDate: '2026-01-01T00:00:00.000Z',
      data: { group: 'b' },
      version: 3,
      revision: 3,
      asOf: { revision: 3 },
    });
    expect(then.headers['ledger-revision']).toBe(`${NAME}@3`);
    const facts = ({ status, body: { code, recordId, externalId } }: Answer) => [status, code ?? [recordId, externalId]];
    expect(facts(await lookup('external/B', 'revision:3'))).toEqual([404, 'NOT_BOUND']);
    expect(facts(await lookup('external/B', 'revision:4'))).toEqual([200, ['7', 'B']]);
    expect(facts(await lookup('external/B', 'revision:6'))).toEqual([200, ['8', 'B']]);
    expect(facts(await lookup('external/B', 'revision:7'))).toEqual([200, ['9', 'B']]);
    expect(facts(await lookup('records/7', 'revision:2'))).toEqual([200, ['7', 'A']]);
    expect(facts(await lookup('records/7', 'revision:5'))).toEqual([404, 'NOT_BOUND']);
    expect((await lookup('records/7', 'revision:5')).body['asOf']).toMatchObject({ revision: 5 });
  });

  it('an instant: before the first event nothing was bound, and what may yet change is refused', async () => {
    const before = await lookup('external/A', '2020-01-01T00:00:00+01:00');
    expect([before.status, before.body['code'], before.body['asOf']]).toEqual([404, 'NOT_BOUND', { revision: -1, at: null }]);
    for (const asOf of [
      new Date().toISOString(),
      '2999-01-01T00:00:00Z',
      'revision:9',
      'revision:-2',
      'yesterday',
      '2020-01-01',
      '',
    ]) {
      const { status, body } = await lookup('external/A', asOf);
      expect([asOf, status, body['code']]).toEqual([asOf, 400, 'MALFORMED']);
    }
  });

  it('a whole ledger, in one stream', async () => {
    const stream = async (query: Record<string, string>) => server.get(`${L}/bindings`, { query, headers: LINES });
    const then = await stream({ asOf: 'revision:6' });
    expect(then.headers['ledger-revision']).toBe(`${NAME}@6`);
    expect(linesIn(then.text).map(({ recordId, externalId }) => [recordId, externalId])).toEqual([['8', 'B']]);
    expect(linesIn((await stream({ asOf: 'revision:6', state: 'unbound' })).text)).toMatchObject([
      { id: first, cause: 'takenOver' },
    ]);
    expect(linesIn((await stream({ asOf: 'revision:0' })).text)).toEqual([]);
    const now = linesIn((await stream(HEAD)).text);
    const byId = (lines: Json[]) => lines.toSorted((a, b) => (String(a['id']) < String(b['id']) ? -1 : 1));
    expect(byId(linesIn((await stream({ asOf: 'revision:8' })).text))).toEqual(byId(now));
    for (const query of [
      { recordId: '7' },
      { limit: '3' },
      { 'data.group': 'a' },
      { syncedAfter: '2020-01-01T00:00:00Z' },
    ] as Record<string, string>[])
      expect(await stream({ asOf: 'revision:6', ...query })).toMatchObject({ status: 400, body: { code: 'MALFORMED' } });
    expect(await server.get(`${L}/bindings`, { query: { asOf: 'revision:6' } })).toMatchObject({
      status: 400,
      body: { code: 'MALFORMED' },
    });
  });

  it('a record across ledgers', async () => {
    const path = '/v1/records/product/7/bindings';
    const before = await server.get(path, { query: { asOf: '2020-01-01T00:00:00Z' } });
    expect(before.body).toEqual({
      items: [],
      nextCursor: null,
      asOf: { at: '2020-01-01T00:00:00.000Z', revisions: { [NAME]: -1 } },
    });
    for (const query of [
      { asOf: 'revision:1' },
      { asOf: new Date().toISOString() },
      { asOf: '2020-01-01T00:00:00Z', includeUnbound: 'true' },
      { asOf: '2020-01-01T00:00:00Z', limit: '1' },
    ] as Record<string, string>[])
      expect(await server.get(path, { query })).toMatchObject({ status: 400, body: { code: 'MALFORMED' } });
  });
});

describe('revision -1, which a ledger without events has', () => {
  const unopened = '/v1/backends/shop/models/shop.unopened';
  it('is taken back wherever a revision is, as a write answered it', async () => {
    await server.put('/v1/models/shop.unopened', { backendType: 'shop', localModel: 'product' });
    const { headers } = await server.delete(`${unopened}/records/7`);
    expect(headers['ledger-revision']).toBe('shop/shop.unopened@-1');
    expect((await server.get(unopened, { query: { atLeast: '-1' } })).body).toMatchObject({ headRevision: -1, live: 0 });
    expect((await server.get(`${unopened}/records/7`, { query: { atLeast: '-1' } })).body).toMatchObject({ code: 'NOT_BOUND' });
    const query = { atLeast: `${NAME}@8,${String(headers['ledger-revision'])}` };
    expect((await server.get<Page>('/v1/records/product/9/bindings', { query })).body.items).toHaveLength(1);
    expect((await server.get(`${unopened}/digest`, { query: { atLeast: '-1' } })).body).toMatchObject({ revision: -1 });
    const of = (backend: string) => `/v1/backends/${backend}/models/shop.unopened/records/7`;
    expect((await server.get(of('none'), { query: { atLeast: '-1' } })).body).toMatchObject({ code: 'BACKEND_NOT_FOUND' });
  });

  it('is a moment at which nothing was bound, in any ledger', async () => {
    for (const ledger of [L, unopened]) {
      const found = await server.get(`${ledger}/records/7`, { query: { asOf: 'revision:-1' } });
      expect([found.status, found.body]).toMatchObject([404, { code: 'NOT_BOUND', asOf: { revision: -1, at: null } }]);
      const listed = await server.get<string>(`${ledger}/bindings`, { query: { asOf: 'revision:-1' }, headers: LINES });
      expect([listed.status, listed.text]).toEqual([200, '']);
      expect(listed.headers['ledger-revision']).toMatch(/@-1$/);
    }
  });
});
