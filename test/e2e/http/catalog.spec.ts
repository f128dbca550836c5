/** Backend types, models and backends over HTTP. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LEDGER_PATH, TestServer, type Json } from '../../support/http-server.js';

let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start();
});
afterAll(() => server.close());

const SETTINGS = { type: 'object', properties: { size: { type: 'integer' }, token: { type: 'string', 'x-secret': true } } };

describe('definitions', () => {
  it('are created, changed, left alone, read and listed', async () => {
    const versions = [{ value: '1.7', label: 'Magento 1.7+' }];
    const created = await server.put('/v1/backend-types/magento', { label: 'Magento', versions, settingsSchema: SETTINGS });
    expect([created.status, created.body]).toMatchObject([
      201,
      { type: 'magento', label: 'Magento', versions, settingsSchema: SETTINGS },
    ]);
    const again = await server.put('/v1/backend-types/magento', { label: 'Magento', versions, settingsSchema: SETTINGS });
    expect([again.status, again.body]).toEqual([200, created.body]);
    await server.put('/v1/backend-types/shop', {});
    expect((await server.get('/v1/backend-types/magento')).body).toEqual(created.body);
    const list = await server.get<{ items: Json[]; nextCursor: string | null }>('/v1/backend-types');
    expect([list.body.items.map(({ type }) => type), list.body.nextCursor]).toEqual([['magento', 'shop'], null]);

    const model = {
      backendType: 'magento',
      localModel: 'res.partner',
      dataSchema: { type: 'object' },
      cardinality: 'many',
      indexes: ['group'],
    };
    const defined = await server.put('/v1/models/magento.res.partner', model);
    expect([defined.status, defined.body]).toMatchObject([201, { model: 'magento.res.partner', ...model }]);
    const changed = await server.put('/v1/models/magento.res.partner', { ...model, indexes: [] });
    expect([changed.status, changed.body]).toMatchObject([200, { indexes: [] }]);
    await server.put('/v1/models/shop.product', { backendType: 'shop', localModel: null });
    expect((await server.get('/v1/models/shop.product')).body).toMatchObject({
      localModel: null,
      cardinality: 'one',
      dataSchema: null,
    });
  });

  it('can be put back as they were answered, also without a schema', async () => {
    const { body: model } = await server.get('/v1/models/shop.product');
    const { backendType, localModel, dataSchema, cardinality, indexes } = model;
    const put = await server.put('/v1/models/shop.product', { backendType, localModel, dataSchema, cardinality, indexes });
    expect([put.status, put.body]).toEqual([200, model]);
    const { body: type } = await server.get('/v1/backend-types/shop');
    const { label, versions, settingsSchema } = type;
    expect((await server.put('/v1/backend-types/shop', { label, versions, settingsSchema })).body).toEqual(type);
    expect([dataSchema, settingsSchema]).toEqual([null, null]);
  });

  it('are listed page by page', async () => {
    const first = await server.get<{ items: Json[]; nextCursor: string }>('/v1/models', { query: { limit: '1' } });
    expect([first.body.items.map(({ model }) => model), first.body.nextCursor]).toEqual([
      ['magento.res.partner'],
      'magento.res.partner',
    ]);
    const second = await server.get<{ items: Json[] }>('/v1/models', { query: { limit: '5', cursor: first.body.nextCursor } });
    expect([second.body.items.map(({ model }) => model), (second.body as Json)['nextCursor']]).toEqual([['shop.product'], null]);
  });
});

describe('backends', () => {
  it('are registered, changed, paused, resumed and listed', async () => {
    const backend = {
      id: 'magento-eu',
      type: 'magento',
      name: 'EU',
      location: 'https://eu.example.org',
      version: '1.7',
      username: 'sync',
    };
    const created = await server.post('/v1/backends', { ...backend, settings: { size: 3 } });
    expect([created.status, created.body]).toMatchObject([
      201,
      { ...backend, settings: { size: 3 }, hasPassword: false, secretNames: [], state: 'active' },
    ]);
    const changed = await server.patch('/v1/backends/magento-eu', { name: 'Europe', version: null });
    expect([changed.status, changed.body]).toMatchObject([200, { name: 'Europe', version: null, location: backend.location }]);
    expect((await server.post('/v1/backends/magento-eu/pause')).body).toMatchObject({ state: 'paused' });
    expect((await server.get('/v1/backends/magento-eu')).body).toMatchObject({ state: 'paused' });
    expect((await server.post('/v1/backends/magento-eu/resume')).body).toMatchObject({ state: 'active' });
    const { body } = await server.get<{ items: Json[]; nextCursor: null }>('/v1/backends');
    expect(body).toMatchObject({ items: [{ id: 'magento-eu' }], nextCursor: null });
  });

  it('answer the first answer again to the same key', async () => {
    const backend = { id: 'shop', type: 'shop', location: 'https://shop.example.org' };
    const call = { headers: { 'idempotency-key': 'register-shop' } };
    const first = await server.post('/v1/backends', backend, call);
    const again = await server.post('/v1/backends', backend, call);
    expect([first.status, again.status, again.body]).toEqual([201, 201, first.body]);
  });

  it('tell their history, as pages and as lines', async () => {
    const first = await server.get<{ items: Json[]; nextCursor: string }>('/v1/backends/magento-eu/history', {
      query: { limit: '2' },
    });
    expect(first.body.items.map(({ type }) => type)).toEqual(['BackendRegistered', 'BackendChanged']);
    expect(first.body.items[0]).toMatchObject({ revision: 0, actor: 'anonymous', data: { id: 'magento-eu' } });
    const rest = await server.get<{ items: Json[] }>('/v1/backends/magento-eu/history', {
      query: { cursor: first.body.nextCursor },
    });
    expect(rest.body).toMatchObject({ items: [{ type: 'BackendPaused' }, { type: 'BackendResumed' }], nextCursor: null });
    const lines = await server.get<string>('/v1/backends/magento-eu/history', {
      query: { limit: '3' },
      headers: { accept: 'application/x-ndjson' },
    });
    expect(lines.text.trim().split('\n')).toHaveLength(4);
  });

  it('are looked up in by several models at once', async () => {
    await server.put('/v1/models/shop.order', { backendType: 'shop', localModel: 'order' });
    await server.post(`${LEDGER_PATH}/bindings`, { recordId: '1', externalId: '2' });
    await server.post(`${LEDGER_PATH}/bindings`, { recordId: '2', externalId: '1' });
    const order = await server.post<{ revision: number }>('/v1/backends/shop/models/shop.order/bindings', {
      recordId: '1',
      externalId: 'o',
    });
    const atLeast = `shop/shop.product@2,shop/shop.order@${order.body.revision}`;
    const { status, body } = await server.post<Record<string, { found: Record<string, Json[]>; missing: string[] }>>(
      '/v1/backends/shop/lookup',
      { 'shop.product': { externalIds: ['1', 'x'], recordIds: ['1'] }, 'shop.order': { recordIds: [1] } },
      { query: { atLeast } },
    );
    expect(status).toBe(200);
    expect(body['shop.product']?.found['1']?.map(({ recordId }) => recordId)).toEqual(['2', '1']);
    expect(body['shop.product']?.missing).toEqual(['x']);
    expect(body['shop.order']).toMatchObject({ found: { '1': [{ externalId: 'o' }] }, missing: [] });
  });

  it('are retired when nothing of them is live, and never come back', async () => {
    const live = await server.delete('/v1/backends/shop');
    expect([live.status, live.body]).toMatchObject([409, { code: 'BACKEND_IN_USE', live: 3 }]);
    for (const path of [`${LEDGER_PATH}/records/1`, `${LEDGER_PATH}/records/2`, '/v1/backends/shop/models/shop.order/records/1'])
      await server.delete(path);
    const retired = await server.delete('/v1/backends/shop');
    expect([retired.status, retired.body]).toMatchObject([200, { state: 'retired' }]);
    expect((await server.post(`${LEDGER_PATH}/bindings`, { recordId: '1' })).body).toMatchObject({
      status: 409,
      code: 'LEDGER_CLOSED',
    });
    expect((await server.get(LEDGER_PATH, { query: { atLeast: 'head' } })).body).toMatchObject({
      state: 'closed',
      live: 0,
      unbound: 2,
    });
    const again = await server.post('/v1/backends', { id: 'shop', type: 'shop', location: 'https://shop.example.org' });
    expect(again.body).toMatchObject({ status: 409, code: 'BACKEND_EXISTS' });
  });

  it('keep the versions that they use', async () => {
    await server.patch('/v1/backends/magento-eu', { version: '1.7' });
    const taken = await server.put('/v1/backend-types/magento', { versions: [], settingsSchema: SETTINGS });
    expect([taken.status, taken.body]).toMatchObject([409, { code: 'VERSION_IN_USE', versions: ['1.7'] }]);
  });
});
