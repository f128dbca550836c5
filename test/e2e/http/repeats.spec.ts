/** Writes that are sent again with their idempotency key, as clients do whose connection broke before the answer came. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { OPENED_LEDGER } from '#nest';
import type { OpenedLedger } from '#runtime';
import { LEDGER_PATH, TestServer, type Json } from '../../support/http-server.js';

let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start();
  await server.prepare();
});
afterAll(() => server.close());

const keyed = (key: string) => ({ headers: { 'idempotency-key': key } });

type Write = [method: string, path: string, body?: Json, other?: Json];
const WRITES: Write[] = [
  ['PUT', '/v1/backend-types/erp', { label: 'ERP' }, { label: 'Other' }],
  ['PUT', '/v1/models/erp.partner', { backendType: 'erp', localModel: 'partner' }, { backendType: 'erp', localModel: null }],
  [
    'POST',
    '/v1/backends',
    { id: 'erp', type: 'erp', location: 'https://erp.example' },
    { id: 'erp', type: 'erp', location: 'x:y' },
  ],
  ['PATCH', '/v1/backends/erp', { name: 'The ERP' }, { name: 'Another' }],
  ['POST', '/v1/backends/erp/pause'],
  ['POST', '/v1/backends/erp/resume'],
  ['DELETE', '/v1/backends/erp'],
];

describe('a write of catalog or backends', () => {
  const first = new Map<string, { status: number; body: Json }>();
  const nameOf = ([method, path]: Write) => `${method} ${path}`;

  it('is done once for each key', async () => {
    for (const write of WRITES) {
      const [method, path, body] = write;
      const { status, body: answer } = await server.send(method, path, body, keyed(nameOf(write)));
      expect([200, 201], nameOf(write)).toContain(status);
      first.set(nameOf(write), { status, body: answer });
    }
    // In another order and after everything, each is answered as it was.
    for (const write of WRITES.toReversed()) {
      const [method, path, body] = write;
      const { status, body: answer } = await server.send(method, path, body, keyed(nameOf(write)));
      expect({ status, body: answer }, nameOf(write)).toEqual(first.get(nameOf(write)));
    }
    const { body } = await server.get<{ items: Json[] }>('/v1/backends/erp/history');
    expect(body.items.map(({ type }) => type)).toEqual([
      'BackendRegistered',
      'BackendChanged',
      'BackendPaused',
      'BackendResumed',
      'BackendRetiring',
      'BackendRetired',
    ]);
  });

  it.each(WRITES.filter(([, , , other]) => other !== undefined))(
    '%s %s is not mixed up with another request',
    async (...write) => {
      const [method, path, , other] = write;
      const { status, body } = await server.send(method, path, other, keyed(nameOf(write)));
      expect([status, body['code']]).toEqual([409, 'IDEMPOTENCY_KEY_REUSED']);
    },
  );
});

describe('a record that is deleted', () => {
  it('gives the first answer again, with what a read must include', async () => {
    await server.put('/v1/models/shop.order', { backendType: 'shop', localModel: 'product' });
    await server.post(`${LEDGER_PATH}/bindings`, { recordId: '7', externalId: 'a' });
    await server.post('/v1/backends/shop/models/shop.order/bindings', { recordId: '7', externalId: 'b' });
    const path = '/v1/records/product/7';
    const deleted = await server.delete<{ unbound: Json[]; revisions: Json[] }>(path, keyed('gone'));
    expect(deleted.body.unbound).toHaveLength(2);
    const revisions = String(deleted.headers['ledger-revision']);
    expect(revisions.split(',').sort()).toEqual(['shop/shop.order@2', 'shop/shop.product@2']);

    await server.post(`${LEDGER_PATH}/bindings`, { recordId: '7', externalId: 'a' });
    const again = await server.delete(path, keyed('gone'));
    expect([again.status, again.body, again.headers['ledger-revision']]).toEqual([200, deleted.body, revisions]);
    const { body } = await server.get<{ items: Json[] }>(`${path}/bindings`, { query: { atLeast: 'shop/shop.product@3' } });
    expect(body.items).toMatchObject([{ externalId: 'a', state: 'bound' }]);
  });

  it('is unbound nowhere when one of the ledgers knows its key of another record', async () => {
    await server.post(`${LEDGER_PATH}/bindings`, { recordId: 'only here', externalId: 'c' });
    expect((await server.delete('/v1/records/product/only%20here', keyed('once'))).status).toBe(200);
    const ledgers = ['/v1/backends/shop/models/shop.order', LEDGER_PATH];
    for (const ledger of ledgers) await server.post(`${ledger}/bindings`, { recordId: 'both', externalId: 'd' });
    const { status, body } = await server.delete('/v1/records/product/both', keyed('once'));
    expect([status, body]).toMatchObject([
      409,
      { code: 'IDEMPOTENCY_KEY_REUSED', unbound: [], refused: [{ ledger: 'shop/shop.product' }], revisions: [] },
    ]);
    for (const ledger of ledgers) {
      const found = await server.get(`${ledger}/records/both`, { query: { atLeast: 'head' } });
      expect(found.body, ledger).toMatchObject({ state: 'bound' });
    }
  });

  it('is said to be partly unbound when a key turns out to be used only on the way', async () => {
    const { ledger } = server.server.app.get<OpenedLedger>(OPENED_LEDGER);
    // As if another process had used the key just now, in the ledger that answers last.
    vi.spyOn(ledger, 'executeAtomic').mockResolvedValue({ refused: 'BATCH_REFUSED', detail: '', details: { refusals: [] } });
    const { status, body } = await server.delete('/v1/records/product/both', keyed('once'));
    vi.restoreAllMocks();
    expect([status, body]).toMatchObject([
      409,
      {
        code: 'PARTLY_UNBOUND',
        unbound: [{ model: 'shop.order', recordId: 'both' }],
        refused: [{ ledger: 'shop/shop.product', code: 'IDEMPOTENCY_KEY_REUSED' }],
      },
    ]);
  });

  it('is not mixed up with another', async () => {
    const { status, body } = await server.delete('/v1/records/product/8', keyed('gone'));
    expect([status, body]).toMatchObject([409, { code: 'IDEMPOTENCY_KEY_REUSED', unbound: [] }]);
    const mistyped = await server.delete<{ unbound: Json[] }>('/v1/records/product/9');
    expect([mistyped.status, mistyped.body.unbound, mistyped.headers['ledger-revision']]).toEqual([200, [], undefined]);
  });
});
