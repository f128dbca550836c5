import { afterEach, beforeEach, expect, test } from 'vitest';
import { FakeLedgerServer, json, problem } from '../../../test/support/fake-ledger-server.js';
import { BindingLedgerClient } from './index.js';

let server: FakeLedgerServer;
let client: BindingLedgerClient;
const PARTNERS = '/v1/backends/magento/models/magento.res.partner';
const partners = () => client.ledger('magento', 'magento.res.partner');

beforeEach(async () => {
  server = await FakeLedgerServer.start();
  client = new BindingLedgerClient({ url: `${server.url}/`, apiKey: 'k3y', correlationId: 'run 7', onBehalfOf: 'ann' });
});
afterEach(() => server.close());

/** Each call, and the request that it must become: method, path, query, body. */
type Row = [
  name: string,
  call: () => Promise<unknown>,
  method: string,
  path: string,
  query: Record<string, string>,
  body?: unknown,
];
const ROWS: Row[] = [
  [
    'put type',
    () => client.backendTypes.put('magento', { label: 'Magento' }),
    'PUT',
    '/v1/backend-types/magento',
    {},
    { label: 'Magento' },
  ],
  ['type', () => client.backendTypes.get('magento'), 'GET', '/v1/backend-types/magento', {}],
  ['types', () => client.backendTypes.list(), 'GET', '/v1/backend-types', {}],
  [
    'put model',
    () => client.models.put('m', { backendType: 'magento', localModel: null }),
    'PUT',
    '/v1/models/m',
    {},
    { backendType: 'magento', localModel: null },
  ],
  ['model', () => client.models.get('m'), 'GET', '/v1/models/m', {}],
  ['models', () => client.models.list(), 'GET', '/v1/models', {}],
  [
    'register',
    () => client.backends.register({ id: 'a', type: 't', location: 'http://x' }),
    'POST',
    '/v1/backends',
    {},
    { id: 'a', type: 't', location: 'http://x' },
  ],
  ['backend', () => client.backends.get('a'), 'GET', '/v1/backends/a', {}],
  ['backends', () => client.backends.list(), 'GET', '/v1/backends', {}],
  [
    'backend history',
    () => client.backends.history('a', { limit: 5 }).page('c1'),
    'GET',
    '/v1/backends/a/history',
    { limit: '5', cursor: 'c1' },
  ],
  ['change', () => client.backends.change('a', { name: 'A' }), 'PATCH', '/v1/backends/a', {}, { name: 'A' }],
  ['credentials', () => client.backends.credentials('a'), 'GET', '/v1/backends/a/credentials', {}],
  ['pause', () => client.backends.pause('a', { reason: 'move' }), 'POST', '/v1/backends/a/pause', { reason: 'move' }],
  ['resume', () => client.backends.resume('a'), 'POST', '/v1/backends/a/resume', {}],
  ['retire', () => client.backends.retire('a'), 'DELETE', '/v1/backends/a', {}],
  [
    'lookup by model',
    () => client.backends.lookup('a', { m: { externalIds: [1, 'x'] } }),
    'POST',
    '/v1/backends/a/lookup',
    {},
    { m: { externalIds: ['1', 'x'] } },
  ],
  [
    'status',
    () => partners().status({ atLeast: 'head', atLeastTimeoutMs: 500 }),
    'GET',
    PARTNERS,
    { atLeast: 'head', timeout: '500' },
  ],
  ['definition', () => partners().definition(), 'GET', '/v1/models/magento.res.partner', {}],
  [
    'bind',
    () => partners().bind({ recordId: 0, externalId: 42, syncDate: new Date(0), ifTaken: 'return' }, { reason: 'why' }),
    'POST',
    `${PARTNERS}/bindings`,
    { reason: 'why' },
    { recordId: '0', externalId: '42', syncDate: '1970-01-01T00:00:00.000Z', ifTaken: 'return' },
  ],
  [
    'bind a binding',
    () => partners().bind({ bindingId: 'b1', externalId: 5 }),
    'POST',
    `${PARTNERS}/bindings/b1/bind`,
    {},
    { externalId: '5' },
  ],
  ['sync', () => partners().sync({ bindingId: 'b1' }), 'POST', `${PARTNERS}/bindings/b1/sync`, {}, {}],
  [
    'sync external',
    () => partners().sync({ externalId: 'a/b?c' }, { force: true }, { ifBinding: 'b1' }),
    'POST',
    `${PARTNERS}/external/a%2Fb%3Fc/sync`,
    { ifBinding: 'b1' },
    { force: true },
  ],
  ['sync record', () => partners().sync({ recordId: 'é ü' }, {}), 'POST', `${PARTNERS}/records/%C3%A9%20%C3%BC/sync`, {}, {}],
  [
    'change data',
    () => partners().changeData('b1', { vat: null }),
    'PATCH',
    `${PARTNERS}/bindings/b1`,
    {},
    { data: { vat: null } },
  ],
  [
    'unbind',
    () => partners().unbind({ externalId: '...' }, { cause: 'missingInBackend' }, { reason: 'gone' }),
    'DELETE',
    `${PARTNERS}/external/...`,
    { cause: 'missingInBackend', reason: 'gone' },
  ],
  [
    'move',
    () => partners().move({ fromRecordId: 1, toRecordId: 2 }),
    'POST',
    `${PARTNERS}/move`,
    {},
    { fromRecordId: '1', toRecordId: '2' },
  ],
  [
    'move a binding',
    () => partners().move({ bindingId: 'b1', toRecordId: 2 }),
    'POST',
    `${PARTNERS}/bindings/b1/move`,
    {},
    { toRecordId: '2' },
  ],
  [
    'to internal',
    () => partners().toInternal('guestorder:145', { atLeast: 7, asOf: 'revision:5' }),
    'GET',
    `${PARTNERS}/external/guestorder%3A145`,
    { atLeast: '7', asOf: 'revision:5' },
  ],
  ['to external', () => partners().toExternal(12), 'GET', `${PARTNERS}/records/12`, {}],
  ['binding', () => partners().binding('b1'), 'GET', `${PARTNERS}/bindings/b1`, {}],
  ['lookup', () => partners().lookup({ recordIds: [1, '2'] }), 'POST', `${PARTNERS}/lookup`, {}, { recordIds: ['1', '2'] }],
  [
    'bindings',
    () =>
      partners()
        .bindings({ state: 'pending', recordId: 7, syncedBefore: new Date(0), data: { vat: 'X' }, limit: 10 })
        .page(),
    'GET',
    `${PARTNERS}/bindings`,
    { state: 'pending', recordId: '7', syncedBefore: '1970-01-01T00:00:00.000Z', 'data.vat': 'X', limit: '10' },
  ],
  [
    'events',
    () => partners().events({ after: -1, limit: 2, waitMs: 0 }).page(),
    'GET',
    `${PARTNERS}/events`,
    { after: '-1', limit: '2', wait: '0' },
  ],
  ['history', () => partners().history({ recordId: 5 }).page(), 'GET', `${PARTNERS}/records/5/history`, {}],
  ['digest', () => partners().digest(), 'GET', `${PARTNERS}/digest`, {}],
  [
    'record everywhere',
    () => client.records('res.partner', 9).bindings({ includeUnbound: true }, { atLeast: partners().at(4) }),
    'GET',
    '/v1/records/res.partner/9/bindings',
    { includeUnbound: 'true', atLeast: 'magento/magento.res.partner@4' },
  ],
  [
    'record as of an instant',
    () => client.records('res.partner', 9).bindingsAsOf(new Date(0)),
    'GET',
    '/v1/records/res.partner/9/bindings',
    { asOf: '1970-01-01T00:00:00.000Z' },
  ],
  ['record history', () => client.records('res.partner', 9).history().page(), 'GET', '/v1/records/res.partner/9/history', {}],
  ['record deleted', () => client.records('res.partner', 9).delete(), 'DELETE', '/v1/records/res.partner/9', {}],
  ['live', () => client.live(), 'GET', '/health/live', {}],
  ['ready', () => client.ready(), 'GET', '/health/ready', {}],
];

test.each(ROWS)('%s becomes its request', async (_name, call, method, path, query, body) => {
  server.reply(json({ items: [], nextCursor: null }));
  await call();
  const { last } = server;
  expect({ method: last.method, path: last.path, query: last.query }).toEqual({ method, path, query });
  expect(last.body === '' ? undefined : JSON.parse(last.body)).toEqual(body);
  expect(last.headers).toMatchObject({ authorization: 'Bearer k3y', 'x-correlation-id': 'run 7', 'x-on-behalf-of': 'ann' });
  const isWrite = method !== 'GET' && !path.endsWith('/lookup');
  expect('idempotency-key' in last.headers).toBe(isWrite);
  expect(last.headers['content-type']).toBe(body === undefined ? undefined : 'application/json');
});

test('a write sends what it expects and the key that it is given, and calls may speak for somebody else', async () => {
  server.reply(json({}));
  await partners().unbind(
    { recordId: 1 },
    {},
    { expectedVersion: 3, idempotencyKey: 'mine', onBehalfOf: 'bob', correlationId: 'c' },
  );
  expect(server.last.headers).toMatchObject({
    'if-match': '"3"',
    'idempotency-key': 'mine',
    'x-on-behalf-of': 'bob',
    'x-correlation-id': 'c',
  });
});

test.each(['', '.', '..', '\ud800', 1.5, 2 ** 53, Number.NaN])('%j is no id in a path, and nothing is sent', async (id) => {
  await expect(partners().toInternal(id)).rejects.toMatchObject({ code: 'INVALID_ID', status: 0, retryable: false });
  expect(server.requests).toEqual([]);
});

test('numbers in bodies: unsafe ones go as they are, so that the ledger refuses them; NaN would become null', async () => {
  server.reply(problem(422, 'INVALID_ID'));
  await expect(partners().bind({ recordId: 1.5, externalId: 2 ** 53 })).rejects.toMatchObject({
    code: 'INVALID_ID',
    status: 422,
  });
  expect(JSON.parse(server.last.body)).toEqual({ recordId: 1.5, externalId: 2 ** 53 });
  await expect(partners().bind({ recordId: 1, externalId: Number.NaN })).rejects.toMatchObject({ code: 'INVALID_ID', status: 0 });
  await expect(partners().bind({ recordId: 1, syncDate: new Date(Number.NaN) })).rejects.toMatchObject({
    code: 'INVALID_SYNC_DATE',
  });
  expect(server.requests).toHaveLength(1);
});
