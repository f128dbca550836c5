/** Answers that need a ledger in some state: full queues, refusing ledgers, stores that are away, faults. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { EventStoreError } from '#event-store';
import { DEFAULT_LIMITS } from '#ledger';
import { OPENED_LEDGER } from '#nest';
import { ReadModelError } from '#read-model';
import type { OpenedLedger } from '#runtime';
import { LEDGER_PATH as L, TestServer, type Json } from '../../support/http-server.js';

const started: TestServer[] = [];
async function start(options: Parameters<typeof TestServer.start>[0] = {}, model: Json = {}): Promise<TestServer> {
  const server = await TestServer.start(options);
  started.push(server);
  await server.prepare(model);
  return server;
}
afterEach(async () => {
  vi.restoreAllMocks();
  for (const server of started.splice(0)) await server.close();
});

describe('a record that was deleted', () => {
  it('is unbound everywhere; what refuses is named, and repeated when it no longer does', async () => {
    const server = await start();
    await server.put('/v1/models/shop.address', { backendType: 'shop', localModel: 'product' });
    await server.put('/v1/models/shop.order', { backendType: 'shop', localModel: 'order' });
    await server.post('/v1/backends', { id: 'second', type: 'shop', location: 'https://second.example.org' });
    const ledgers = [
      L,
      '/v1/backends/shop/models/shop.address',
      '/v1/backends/second/models/shop.product',
      '/v1/backends/shop/models/shop.order',
    ];
    for (const ledger of ledgers) await server.post(`${ledger}/bindings`, { recordId: '7', externalId: 'x7' });
    await server.post('/v1/backends/second/pause');

    const partly = await server.delete<{ unbound: Json[]; refused: Json[] }>('/v1/records/product/7', {
      query: { reason: 'duplicate' },
    });
    expect([partly.status, partly.body]).toMatchObject([
      409,
      { code: 'PARTLY_UNBOUND', refused: [{ ledger: 'second/shop.product', code: 'BACKEND_PAUSED' }] },
    ]);
    expect(partly.body.unbound).toMatchObject([
      { state: 'unbound', cause: 'recordDeleted', reason: 'duplicate' },
      { state: 'unbound', cause: 'recordDeleted', reason: 'duplicate' },
    ]);

    await server.post('/v1/backends/second/resume');
    const rest = await server.delete<{ unbound: Json[]; refused: Json[] }>('/v1/records/product/7');
    expect([rest.status, rest.body]).toMatchObject([200, { unbound: [{ backend: 'second' }], refused: [] }]);
    expect((await server.delete('/v1/records/product/7')).body).toEqual({ unbound: [], refused: [], revisions: [] });

    const headers = [partly, rest].map((answer) => String(answer.headers['ledger-revision']));
    expect(headers.join(',').split(',')).toHaveLength(3);
    const query = { atLeast: headers.join(','), timeout: '30000' };
    expect((await server.get('/v1/records/product/7/bindings', { query })).body).toEqual({ items: [], nextCursor: null });
    const former = await server.get<{ items: Json[] }>('/v1/records/product/7/bindings', {
      query: { ...query, includeUnbound: 'true' },
    });
    expect(former.body.items.map(({ backend, model }) => `${String(backend)}/${String(model)}`).sort()).toEqual([
      'second/shop.product',
      'shop/shop.address',
      'shop/shop.product',
    ]);
    expect((await server.get<{ items: Json[] }>('/v1/records/order/7/bindings')).body.items).toHaveLength(1);
  });

  it('is found on backends of one type', async () => {
    const server = await start();
    await server.put('/v1/backend-types/erp', {});
    await server.put('/v1/models/erp.product', { backendType: 'erp', localModel: 'product' });
    await server.post('/v1/backends', { id: 'erp', type: 'erp', location: 'https://erp.example.org' });
    await server.post(`${L}/bindings`, { recordId: 1, externalId: 'a' });
    const { body } = await server.post<{ revision: number }>('/v1/backends/erp/models/erp.product/bindings', {
      recordId: 1,
      externalId: 'b',
    });
    const atLeast = `shop/shop.product@1,erp/erp.product@${body.revision}`;
    const found = async (query: Record<string, string>) =>
      (await server.get<{ items: Json[] }>('/v1/records/product/1/bindings', { query: { atLeast, ...query } })).body.items.map(
        ({ backend }) => backend,
      );
    expect(await found({})).toEqual(['erp', 'shop']);
    expect(await found({ backendType: 'shop' })).toEqual(['shop']);
    expect(await found({ backendType: 'none' })).toEqual([]);
  });
});

it('a record with a hundred bindings has no more', async () => {
  const server = await start({}, { cardinality: 'many' });
  await server.commands(Array.from({ length: 100 }, (_, index) => ({ op: 'bind', recordId: 'r', externalId: `e${index}` })));
  const { body } = await server.post(`${L}/bindings`, { recordId: 'r', externalId: 'one more' });
  expect(body).toMatchObject({ status: 409, code: 'TOO_MANY_BINDINGS' });
});

it('a full queue answers BUSY, and when to come again', async () => {
  const server = await start({ ledger: { data: ':memory:', limits: { ...DEFAULT_LIMITS, queueCommands: 4 } } });
  await server.post(`${L}/bindings`, { recordId: 'first' });
  const { store } = server.server.app.get<OpenedLedger>(OPENED_LEDGER);
  const append = store.append.bind(store);
  let goOn = () => {};
  const held = new Promise<void>((resolve) => (goOn = resolve));
  vi.spyOn(store, 'append').mockImplementation(async (...appended) => {
    await held;
    return append(...appended);
  });
  const sent = Array.from({ length: 60 }, (_, index) => server.post(`${L}/bindings`, { recordId: index, externalId: index }));
  await Promise.race(sent);
  goOn();
  const answers = await Promise.all(sent);
  const busy = answers.filter(({ status }) => status === 503);
  expect(busy.length).toBeGreaterThan(0);
  for (const { body, headers } of busy) {
    expect(body).toMatchObject({ code: 'BUSY', retryable: true });
    expect(headers['retry-after']).toBe('1');
  }
  const done = answers.filter(({ status }) => status === 201).length;
  expect(done + busy.length).toBe(60);
  expect((await server.get(L, { query: { atLeast: 'head' } })).body).toMatchObject({ live: done + 1 });
});

it('stores that are away are STORE_UNAVAILABLE, and an outcome that nobody knows is OUTCOME_UNKNOWN', async () => {
  const server = await start();
  const opened = server.server.app.get<OpenedLedger>(OPENED_LEDGER);
  vi.spyOn(opened.queries, 'toExternal').mockRejectedValue(new ReadModelError('UNAVAILABLE', 'no connection'));
  vi.spyOn(opened.queries, 'digest').mockRejectedValue(new EventStoreError('UNAVAILABLE', 'no connection'));
  vi.spyOn(opened.ledger, 'execute').mockResolvedValue({ refused: 'OUTCOME_UNKNOWN', detail: 'nobody knows' });
  for (const [answer, code] of [
    [await server.get(`${L}/records/r`), 'STORE_UNAVAILABLE'],
    [await server.get(`${L}/digest`), 'STORE_UNAVAILABLE'],
    [await server.post(`${L}/bindings`, { recordId: 'r' }), 'OUTCOME_UNKNOWN'],
  ] as const) {
    expect(answer.body).toMatchObject({ status: 503, code, retryable: true });
    expect(answer.headers['retry-after']).toBe('1');
  }
});

it('a fault is a problem that tells nothing of the inside; the log tells all', async () => {
  const server = await start();
  const opened = server.server.app.get<OpenedLedger>(OPENED_LEDGER);
  vi.spyOn(opened.queries, 'digest').mockRejectedValue(new Error('broken invariant: the inside'));
  const { status, body, text } = await server.get(`${L}/digest`, { headers: { 'x-correlation-id': 'call-5' } });
  expect([status, body]).toEqual([
    500,
    {
      type: 'about:blank',
      title: 'Internal Server Error',
      status: 500,
      detail: 'the server failed; its log says why',
      retryable: false,
      correlationId: 'call-5',
    },
  ]);
  expect(text).not.toContain('inside');
  expect(server.logged).toContain('broken invariant: the inside');
  expect(server.logged).toContain('call-5');
});

describe('health', () => {
  it('is live and ready, or says why not', async () => {
    const server = await start();
    expect((await server.get('/health/live')).body).toEqual({ live: true });
    expect((await server.get('/health/ready')).body).toMatchObject({ ready: true, reasons: [] });
    const opened = server.server.app.get<OpenedLedger>(OPENED_LEDGER);
    vi.spyOn(opened.store, 'ping').mockRejectedValue(new EventStoreError('UNAVAILABLE', 'the disk is full'));
    const { status, body } = await server.get('/health/ready');
    expect([status, body]).toMatchObject([
      503,
      { code: 'STORE_UNAVAILABLE', ready: false, reasons: ['event store: the disk is full'] },
    ]);
  });
});

it('metrics count commands, queries, batches, conflicts and lag', async () => {
  const server = await start();
  await server.commands([{ op: 'bind', recordId: 1, externalId: 1 }, 'broken', { op: 'bind', recordId: 2, externalId: 1 }]);
  await server.post(`${L}/bindings`, { recordId: 3, externalId: 3 });
  await server.get(`${L}/external/1`, { query: { atLeast: 'head' } });
  const { text, headers } = await server.get<string>('/metrics');
  expect(headers['content-type']).toContain('text/plain');
  for (const line of [
    'binding_ledger_commands_total{op="bind",outcome="created"} 2',
    'binding_ledger_commands_total{op="bind",outcome="EXTERNAL_ID_TAKEN"} 1',
    'binding_ledger_commands_total{op="none",outcome="MALFORMED"} 1',
    'binding_ledger_command_duration_seconds_count{operation="POST /v1/backends/:backend/models/:model/bindings",status="201"} 1',
    'binding_ledger_query_duration_seconds_count{operation="GET /v1/backends/:backend/models/:model/external/:externalId",status="200"} 1',
    'binding_ledger_queue_commands{ledger="shop/shop.product"} 0',
    'binding_ledger_projection_lag_events{ledger="shop/shop.product"} 0',
    'binding_ledger_projection_lag_ms{ledger="shop/shop.product"} 0',
  ]) {
    expect(text.split('\n')).toContain(line);
  }
  expect(text).not.toContain('ledger="unknown"');
  expect(text).toMatch(/^binding_ledger_batch_commands_count [1-9]/m);
  expect(text).toMatch(/^binding_ledger_batch_events_sum [1-9]/m);
  expect(text).toContain('# TYPE binding_ledger_conflicts_total counter');
});

it('metrics have no labels that a caller made up', async () => {
  const server = await start();
  for (const [backend, model] of [
    ['made-up', 'shop.product'],
    ['shop', 'made.up'],
    ['made-up2', 'made.up2'],
  ])
    await server.post(`/v1/backends/${backend}/models/${model}/bindings`, { recordId: 1 });
  await server.get('/v1/made-up');
  const { text } = await server.get<string>('/metrics');
  expect(text).not.toMatch(/made.up/);
  expect(text.match(/ledger="unknown"/g)).toHaveLength(1);
  expect(text.split('\n')).toContain('binding_ledger_queue_commands{ledger="unknown"} 0');
});
