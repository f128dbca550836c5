/** What each call of one ledger answers. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LEDGER_PATH, TestServer, type Json } from '../../support/http-server.js';

interface Binding {
  id: string;
  version: number;
  recordId: string;
  externalId: string | null;
  [member: string]: unknown;
}
interface CommandAnswer {
  outcome: string;
  binding: Binding;
  revision: number;
  displaced?: Binding;
}

let server: TestServer;
const AT_HEAD = { query: { atLeast: 'head' } };

beforeAll(async () => {
  server = await TestServer.start();
  await server.prepare();
});
afterAll(() => server.close());

const bind = (body: Json, query: Record<string, string> = {}, headers: Record<string, string> = {}) =>
  server.post<CommandAnswer>(`${LEDGER_PATH}/bindings`, body, { query, headers });
const byExternalId = (id: string) => server.get<Binding>(`${LEDGER_PATH}/external/${encodeURIComponent(id)}`, AT_HEAD);

describe('POST bindings', () => {
  it('creates a binding: 201, and the revision that a read must include', async () => {
    const { status, body, headers } = await bind({
      recordId: 1,
      externalId: 0,
      syncDate: '2026-03-03T09:30:00+01:00',
      data: { group: 'a' },
    });
    expect(status).toBe(201);
    expect(body).toMatchObject({
      outcome: 'created',
      binding: {
        backend: 'shop',
        model: 'shop.product',
        localModel: 'product',
        recordId: '1',
        externalId: '0',
        syncDate: '2026-03-03T08:30:00.000Z',
        data: { group: 'a' },
        state: 'bound',
        version: 1,
        revision: body.revision,
      },
    });
    expect(headers['ledger-revision']).toBe(`shop/shop.product@${body.revision}`);
  });

  it('answers every outcome of a bind', async () => {
    const pending = await bind({ recordId: 'o1' });
    expect([pending.status, pending.body.outcome, pending.body.binding.externalId]).toEqual([201, 'created', null]);
    const assigned = await bind({ recordId: 'o1', externalId: 'O1', syncDate: '2026-01-01T00:00:00Z' });
    expect([assigned.status, assigned.body.outcome]).toEqual([200, 'assigned']);
    const unchanged = await bind({ recordId: 'o1', externalId: 'O1', syncDate: '2026-01-01T00:00:00Z' });
    expect([unchanged.status, unchanged.body.outcome]).toEqual([200, 'unchanged']);
    const synced = await bind({ recordId: 'o1', externalId: 'O1', syncDate: '2026-01-02T00:00:00Z' });
    expect([synced.status, synced.body.outcome]).toEqual([200, 'synced']);
    const changed = await bind({ recordId: 'o1', externalId: 'O1', syncDate: null, data: { a: 1 } });
    expect([changed.status, changed.body.outcome]).toEqual([200, 'changed']);
    const replaced = await bind({ recordId: 'o1', externalId: 'O2', ifBound: 'replace' });
    expect([replaced.status, replaced.body.outcome, replaced.body.binding.externalId]).toEqual([200, 'replaced', 'O2']);
    const taken = await bind({ recordId: 'o2', externalId: 'O2', ifTaken: 'return' });
    expect([taken.status, taken.body.outcome, taken.body.binding.recordId]).toEqual([200, 'taken', 'o1']);
    const takenOver = await bind({ recordId: 'o2', externalId: 'O2', ifTaken: 'takeOver' });
    expect([takenOver.status, takenOver.body.outcome, takenOver.body.displaced?.recordId]).toEqual([201, 'created', 'o1']);
  });

  it('refuses with the binding in the way', async () => {
    await bind({ recordId: 'h1', externalId: 'H1' });
    await bind({ recordId: 'h2', externalId: 'H2' });
    const bound = await bind({ recordId: 'h1', externalId: 'H3' });
    expect(bound.body).toMatchObject({
      type: '/errors/RECORD_ALREADY_BOUND',
      status: 409,
      code: 'RECORD_ALREADY_BOUND',
      retryable: false,
      holder: { recordId: 'h1', externalId: 'H1', backend: 'shop' },
    });
    const taken = await bind({ recordId: 'h2', externalId: 'H1', ifBound: 'replace' });
    expect([taken.status, taken.body]).toMatchObject([409, { code: 'EXTERNAL_ID_TAKEN', holder: { recordId: 'h1' } }]);
    expect(taken.headers['content-type']).toContain('application/problem+json');
  });

  it('gives the first answer again to the same key, and refuses the key for another request', async () => {
    const key = { 'idempotency-key': 'k-1' };
    const first = await bind({ recordId: 'k1', externalId: 'K1' }, {}, key);
    await server.delete(`${LEDGER_PATH}/external/K1`);
    const again = await bind({ recordId: 'k1', externalId: 'K1' }, {}, key);
    expect(again.body).toEqual(first.body);
    const other = await bind({ recordId: 'k1', externalId: 'K2' }, {}, key);
    expect([other.status, other.body]).toMatchObject([409, { code: 'IDEMPOTENCY_KEY_REUSED' }]);
  });

  it('holds to the version and the binding that the caller means', async () => {
    const { binding } = (await bind({ recordId: 'v1', externalId: 'V1' })).body;
    const path = `${LEDGER_PATH}/external/V1/sync`;
    const stale = await server.post(path, {}, { headers: { 'if-match': '"2"' } });
    expect([stale.status, stale.body]).toMatchObject([412, { code: 'VERSION_MISMATCH', version: 1, bindingId: binding.id }]);
    const other = await server.post(path, {}, { query: { ifBinding: 'another' } });
    expect(other.status).toBe(412);
    const right = await server.post(
      path,
      { force: true, syncDate: '2026-01-01T00:00:00Z' },
      { headers: { 'if-match': '"1"' }, query: { ifBinding: binding.id } },
    );
    expect([right.status, right.body]).toMatchObject([200, { outcome: 'synced', binding: { version: 2 } }]);
  });
});

describe('one binding', () => {
  it('is found, changed, bound, synchronized, moved and unbound by its id', async () => {
    const { id } = (await bind({ recordId: 'b1' })).body.binding;
    const path = `${LEDGER_PATH}/bindings/${id}`;
    const outcome = async (answer: Promise<{ status: number; body: Json }>) => {
      const { status, body } = await answer;
      return [status, body['outcome'] ?? body['code']];
    };
    expect(await outcome(server.post(`${path}/bind`, { externalId: 'B1' }))).toEqual([200, 'assigned']);
    expect(await outcome(server.patch(path, { data: { a: { b: 1, c: 2 } } }))).toEqual([200, 'changed']);
    expect(await outcome(server.patch(path, { data: { a: { b: null } } }))).toEqual([200, 'changed']);
    expect(await outcome(server.patch(path, { data: { a: { c: 2 } } }))).toEqual([200, 'unchanged']);
    expect(await outcome(server.post(`${path}/sync`, { syncDate: '2020-01-01T00:00:00Z' }))).toEqual([200, 'unchanged']);
    expect(await outcome(server.post(`${path}/sync`))).toEqual([200, 'synced']);
    const moved = await server.post<{ bindings: Binding[] }>(`${path}/move`, { toRecordId: 'b2' });
    expect([moved.status, moved.body]).toMatchObject([200, { outcome: 'moved', bindings: [{ id, recordId: 'b2' }] }]);
    const found = await server.get<Binding>(path, AT_HEAD);
    expect([found.status, found.body]).toMatchObject([200, { id, recordId: 'b2', externalId: 'B1', data: { a: { c: 2 } } }]);
    const unbound = await server.delete(path, { query: { reason: 'gone from the shop', cause: 'missingInBackend' } });
    expect([unbound.status, unbound.body]).toMatchObject([
      200,
      { outcome: 'unbound', binding: { state: 'unbound', cause: 'missingInBackend', reason: 'gone from the shop' } },
    ]);
    expect((await server.get(path, AT_HEAD)).body).toMatchObject({ state: 'unbound', externalId: 'B1' });
    expect(await outcome(server.post(`${path}/sync`))).toEqual([404, 'NOT_BOUND']);
    expect(await outcome(server.delete(path))).toEqual([200, 'unchanged']);
  });

  it('that is not there is not found, and nothing to unbind', async () => {
    expect((await server.get(`${LEDGER_PATH}/bindings/none`)).body).toMatchObject({ status: 404, code: 'BINDING_NOT_FOUND' });
    expect((await server.patch(`${LEDGER_PATH}/bindings/none`, { data: {} })).body).toMatchObject({ code: 'BINDING_NOT_FOUND' });
    expect((await server.delete(`${LEDGER_PATH}/bindings/none`)).body).toMatchObject({ outcome: 'unchanged', binding: null });
  });
});

describe('by record and external id', () => {
  it.each([
    'guestorder:145000008',
    '100000200-1',
    'a/b?c',
    'a#b%2Fc%25',
    '%',
    'a b+c;d',
    'ä€𝄞',
    'e\u0301',
    '...',
    '__proto__',
    'x'.repeat(512),
    'é'.repeat(256),
  ])('finds %j, byte by byte', async (id) => {
    const { body } = await bind({ recordId: `r-${id}`.slice(0, 256), externalId: id });
    expect(body.outcome).toBe('created');
    expect((await byExternalId(id)).body).toEqual({ ...body.binding });
    const record = await server.get(`${LEDGER_PATH}/records/${encodeURIComponent(body.binding.recordId)}`, AT_HEAD);
    expect(record.body).toEqual(body.binding);
    const looked = await server.post<{ found: Record<string, Binding[]>; missing: string[] }>(
      `${LEDGER_PATH}/lookup`,
      { externalIds: [id, 'missing'] },
      AT_HEAD,
    );
    expect(Object.entries(looked.body.found)).toEqual([[id, [body.binding]]]);
    expect(looked.body.missing).toEqual(['missing']);
  });

  it('does not normalise', async () => {
    await bind({ recordId: 'n1', externalId: 'caf\u00e9' });
    expect((await byExternalId('cafe\u0301')).body).toMatchObject({ status: 404, code: 'NOT_BOUND' });
  });

  it('synchronizes and unbinds by either', async () => {
    await bind({ recordId: 's1', externalId: 'S1', syncDate: null });
    expect((await server.post(`${LEDGER_PATH}/records/s1/sync`, { syncDate: '2026-01-01T00:00:00Z' })).body).toMatchObject({
      outcome: 'synced',
    });
    expect((await server.post(`${LEDGER_PATH}/external/S1/sync`, { data: { a: 1 } })).body).toMatchObject({ outcome: 'synced' });
    expect((await server.delete(`${LEDGER_PATH}/records/s1`)).body).toMatchObject({ outcome: 'unbound' });
    expect((await server.delete(`${LEDGER_PATH}/external/S1`)).body).toMatchObject({ outcome: 'unchanged', binding: null });
    expect((await server.post(`${LEDGER_PATH}/external/S1/sync`)).body).toMatchObject({ status: 404, code: 'NOT_BOUND' });
    expect((await server.get(`${LEDGER_PATH}/records/s1`, AT_HEAD)).body).toMatchObject({ status: 404, code: 'NOT_BOUND' });
  });

  it('moves all bindings of a record', async () => {
    await bind({ recordId: 'm1', externalId: 'M1' });
    const moved = await server.post(`${LEDGER_PATH}/move`, { fromRecordId: 'm1', toRecordId: 'm2' });
    expect([moved.status, moved.body]).toMatchObject([200, { outcome: 'moved', bindings: [{ recordId: 'm2' }] }]);
    expect(Object.keys(moved.body).sort()).toEqual(['bindings', 'outcome', 'revision']);
    expect((await server.post(`${LEDGER_PATH}/move`, { fromRecordId: 'm1', toRecordId: 'm2' })).body).toMatchObject({
      outcome: 'unchanged',
      bindings: [],
    });
  });
});

describe('where a record may have several bindings', () => {
  it('asks which one is meant', async () => {
    const many = await TestServer.start();
    await many.prepare({ cardinality: 'many' });
    for (const externalId of ['1', '2'])
      expect((await many.post(`${LEDGER_PATH}/bindings`, { recordId: 'r', externalId })).status).toBe(201);
    const found = await many.get<{ candidates: Binding[] }>(`${LEDGER_PATH}/records/r`, AT_HEAD);
    expect([found.status, found.body]).toMatchObject([409, { code: 'AMBIGUOUS_RECORD' }]);
    expect(found.body.candidates.map(({ externalId }) => externalId).sort()).toEqual(['1', '2']);
    expect((await many.delete(`${LEDGER_PATH}/records/r`)).body).toMatchObject({ status: 409, code: 'AMBIGUOUS_RECORD' });
    await many.close();
  });
});

describe('what is remembered of a caller', () => {
  it('stands in the event', async () => {
    const headers = { 'x-correlation-id': 'job-7', 'x-on-behalf-of': 'ann' };
    const { body, headers: answered } = await bind(
      { recordId: 'c1', externalId: 'C1', direction: 'import' },
      { reason: 'nightly' },
      headers,
    );
    expect(answered['x-correlation-id']).toBe('job-7');
    const { items } = (
      await server.get<{ items: Json[] }>(`${LEDGER_PATH}/events`, { query: { after: String(body.revision - 1) } })
    ).body;
    expect(items[0]).toMatchObject({
      actor: 'anonymous',
      correlationId: 'job-7',
      onBehalfOf: 'ann',
      reason: 'nightly',
      direction: 'import',
    });
  });
});
