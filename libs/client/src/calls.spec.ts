import { afterEach, beforeEach, expect, test } from 'vitest';
import { collect } from '../../../test/support/collect.js';
import { FakeLedgerServer, json, ndjson, ndjsonCut, page, problem } from '../../../test/support/fake-ledger-server.js';
import { BindingLedgerClient, isLedgerError, type Binding } from './index.js';

let server: FakeLedgerServer;
let client: BindingLedgerClient;
const PARTNERS = '/v1/backends/magento/models/magento.res.partner';
const partners = () => client.ledger('magento', 'magento.res.partner');

beforeEach(async () => {
  server = await FakeLedgerServer.start();
  client = new BindingLedgerClient({ url: `${server.url}/`, apiKey: 'k3y', correlationId: 'run 7', onBehalfOf: 'ann' });
});
afterEach(() => server.close());

function bindingOf(recordId: string, externalId: string | null): Binding {
  const instants = { syncDate: null, createdAt: '2026-03-03T00:00:00.000Z', updatedAt: '2026-03-03T00:00:00.000Z' };
  const place = { backend: 'magento', model: 'magento.res.partner', localModel: 'res.partner', version: 1, revision: 3 };
  return { id: `b-${recordId}`, recordId, externalId, data: {}, state: externalId === null ? 'pending' : 'bound', ...instants, ...place };
}

/** Each call, and the request that it must become: method, path, query, body. */
type Row = [name: string, call: () => Promise<unknown>, method: string, path: string, query: Record<string, string>, body?: unknown];
const ROWS: Row[] = [
  ['put type', () => client.backendTypes.put('magento', { label: 'Magento' }), 'PUT', '/v1/backend-types/magento', {}, { label: 'Magento' }],
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
  ['backend history', () => client.backends.history('a', { limit: 5 }).page('c1'), 'GET', '/v1/backends/a/history', { limit: '5', cursor: 'c1' }],
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
  ['status', () => partners().status({ atLeast: 'head', atLeastTimeoutMs: 500 }), 'GET', PARTNERS, { atLeast: 'head', timeout: '500' }],
  ['definition', () => partners().definition(), 'GET', '/v1/models/magento.res.partner', {}],
  [
    'bind',
    () => partners().bind({ recordId: 0, externalId: 42, syncDate: new Date(0), ifTaken: 'return' }, { reason: 'why' }),
    'POST',
    `${PARTNERS}/bindings`,
    { reason: 'why' },
    { recordId: '0', externalId: '42', syncDate: '1970-01-01T00:00:00.000Z', ifTaken: 'return' },
  ],
  ['bind a binding', () => partners().bind({ bindingId: 'b1', externalId: 5 }), 'POST', `${PARTNERS}/bindings/b1/bind`, {}, { externalId: '5' }],
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
  ['change data', () => partners().changeData('b1', { vat: null }), 'PATCH', `${PARTNERS}/bindings/b1`, {}, { data: { vat: null } }],
  [
    'unbind',
    () => partners().unbind({ externalId: '...' }, { cause: 'missingInBackend' }, { reason: 'gone' }),
    'DELETE',
    `${PARTNERS}/external/...`,
    { cause: 'missingInBackend', reason: 'gone' },
  ],
  ['move', () => partners().move({ fromRecordId: 1, toRecordId: 2 }), 'POST', `${PARTNERS}/move`, {}, { fromRecordId: '1', toRecordId: '2' }],
  ['move a binding', () => partners().move({ bindingId: 'b1', toRecordId: 2 }), 'POST', `${PARTNERS}/bindings/b1/move`, {}, { toRecordId: '2' }],
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
    () => partners().bindings({ state: 'pending', recordId: 7, syncedBefore: new Date(0), data: { vat: 'X' }, limit: 10 }).page(),
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
  await partners().unbind({ recordId: 1 }, {}, { expectedVersion: 3, idempotencyKey: 'mine', onBehalfOf: 'bob', correlationId: 'c' });
  expect(server.last.headers).toMatchObject({ 'if-match': '"3"', 'idempotency-key': 'mine', 'x-on-behalf-of': 'bob', 'x-correlation-id': 'c' });
});

test.each(['', '.', '..', '\ud800', 1.5, 2 ** 53, Number.NaN])('%j is no id in a path, and nothing is sent', async (id) => {
  await expect(partners().toInternal(id)).rejects.toMatchObject({ code: 'INVALID_ID', status: 0, retryable: false });
  expect(server.requests).toEqual([]);
});

test('numbers in bodies: unsafe ones go as they are, so that the ledger refuses them; NaN would become null', async () => {
  server.reply(problem(422, 'INVALID_ID'));
  await expect(partners().bind({ recordId: 1.5, externalId: 2 ** 53 })).rejects.toMatchObject({ code: 'INVALID_ID', status: 422 });
  expect(JSON.parse(server.last.body)).toEqual({ recordId: 1.5, externalId: 2 ** 53 });
  await expect(partners().bind({ recordId: 1, externalId: Number.NaN })).rejects.toMatchObject({ code: 'INVALID_ID', status: 0 });
  await expect(partners().bind({ recordId: 1, syncDate: new Date(Number.NaN) })).rejects.toMatchObject({ code: 'INVALID_SYNC_DATE' });
  expect(server.requests).toHaveLength(1);
});

test('a listing is read page by page, or as one stream', async () => {
  const items = ['1', '2', '3'].map((id) => bindingOf(id, `x${id}`));
  server.reply(json({ items: items.slice(0, 2), nextCursor: 'c/2' }), json({ items: items.slice(2), nextCursor: null }), ndjson(items));
  const listing = partners().bindings({ state: 'bound', limit: 2 });
  expect(await collect(listing)).toEqual(items);
  expect(server.requests.map(({ query }) => query)).toEqual([
    { state: 'bound', limit: '2' },
    { state: 'bound', limit: '2', cursor: 'c/2' },
  ]);
  expect(await collect(listing.stream())).toEqual(items);
  expect(server.last).toMatchObject({ query: { state: 'bound' }, headers: { accept: 'application/x-ndjson' } });
});

test('events are followed by their revisions, up to the newest', async () => {
  server.reply(json({ items: [{ revision: 4 }, { revision: 5 }] }), json({ items: [{ revision: 6 }] }), json({ items: [] }));
  const events = await collect(partners().events({ after: 3 }));
  expect(events.map(({ revision }) => revision)).toEqual([4, 5, 6]);
  expect(server.requests.map(({ query }) => query['after'])).toEqual(['3', '5', '6']);
});

test('a stream that is cut is not taken for a whole one', async () => {
  server.reply(ndjsonCut([bindingOf('1', 'x'), bindingOf('2', 'y')]));
  const seen: string[] = [];
  const reading = async (): Promise<void> => {
    for await (const { recordId } of partners().bindings().stream()) seen.push(recordId);
  };
  await expect(reading()).rejects.toMatchObject({ code: 'STREAM_CUT', retryable: true });
  expect(seen).toEqual(['1', '2']);
});

test('a refusal is an error with its whole problem document', async () => {
  const holder = bindingOf('7', '42');
  server.reply(problem(409, 'EXTERNAL_ID_TAKEN', { holder }));
  const error: unknown = await partners().bind({ recordId: 8, externalId: 42 }, { idempotencyKey: 'k' }).catch((reason: unknown) => reason);
  expect(isLedgerError(error)).toBe(true);
  expect(isLedgerError(error, 'EXTERNAL_ID_TAKEN')).toBe(true);
  expect(isLedgerError(error, 'NOT_BOUND')).toBe(false);
  expect(isLedgerError(new Error('other'))).toBe(false);
  expect(error).toMatchObject({ status: 409, retryable: false, problem: { holder, title: 'EXTERNAL_ID_TAKEN' }, idempotencyKey: 'k' });
  expect((error as Error).message).toBe(`detail of EXTERNAL_ID_TAKEN (POST ${PARTNERS}/bindings: EXTERNAL_ID_TAKEN)`);
});

test.each([
  ['a page of a proxy', page(404, '<h1>apiKey=secret</h1>'), 404],
  ['a redirect', page(302, ''), 302],
  ['a page in place of an answer', page(200, '<h1>hello</h1>'), 200],
])('%s is an unexpected answer, and is not repeated', async (_name, reply, status) => {
  server.reply(reply);
  const error: unknown = await client.models.list().catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'UNEXPECTED_ANSWER', status, retryable: false });
  expect((error as Error).message).not.toContain('secret');
});

test('a listing that answers JSON in place of NDJSON is unexpected', async () => {
  server.reply(json({ items: [] }));
  await expect(collect(partners().bindings().stream())).rejects.toMatchObject({ code: 'UNEXPECTED_ANSWER' });
});

test('health says what the server says, without retries', async () => {
  server.reply(json({ status: 'up' }), json({ status: 'down' }, 503), page(502, 'no'));
  expect(await client.live()).toEqual({ ok: true, status: 200, detail: { status: 'up' } });
  expect(await client.ready()).toEqual({ ok: false, status: 503, detail: { status: 'down' } });
  expect(await client.ready()).toEqual({ ok: false, status: 502, detail: 'no' });
});

test.each([
  ['url', { url: 'http://ann:secret@127.0.0.1' }],
  ['url', { url: 'ftp://127.0.0.1/secret' }],
  ['url', { url: 'secret' }],
  ['apiKey', { url: 'http://127.0.0.1', apiKey: 'secret\n' }],
  ['apiKey', { url: 'http://127.0.0.1', apiKey: '' }],
])('an unusable %s is refused without showing it', (option, options) => {
  expect(() => new BindingLedgerClient(options)).toThrow(new RegExp(`^${option}: (?!.*secret)`));
});

test('neither the client nor its errors show the key when they are printed', async () => {
  const { inspect } = await import('node:util');
  server.reply(problem(401, 'UNAUTHENTICATED'));
  const error: unknown = await client.models.list().catch((reason: unknown) => reason);
  expect(inspect(error, { depth: 10, showHidden: true })).not.toContain('k3y');
  expect(inspect(client, { depth: 10 })).not.toContain('k3y');
});
