import { afterEach, beforeEach, expect, test } from 'vitest';
import { FakeLedgerServer, json, problem } from '../../../test/support/fake-ledger-server.js';
import { Binder, BindingLedgerClient, type Binding } from './index.js';

let server: FakeLedgerServer;
let binder: Binder;
const PATH = '/v1/backends/magento/models/magento.res.partner';

beforeEach(async () => {
  server = await FakeLedgerServer.start();
  const client = new BindingLedgerClient({ url: server.url, retry: false });
  binder = new Binder(client.ledger('magento', 'magento.res.partner'));
});
afterEach(() => server.close());

const BOUND: Binding = {
  id: 'b1',
  backend: 'magento',
  model: 'magento.res.partner',
  localModel: 'res.partner',
  recordId: '7',
  externalId: '42',
  syncDate: null,
  data: {},
  state: 'bound',
  version: 1,
  revision: 3,
  createdAt: '2026-03-03T00:00:00.000Z',
  updatedAt: '2026-03-03T00:00:00.000Z',
};
const PENDING: Binding = { ...BOUND, externalId: null, state: 'pending' };
const UNBOUND: Binding = { ...BOUND, state: 'unbound', unboundAt: '2026-03-04T00:00:00.000Z', cause: 'requested' };

test('to internal: the binding, or unwrapped the record, or nothing', async () => {
  server.reply(json(BOUND), json(BOUND), problem(404, 'NOT_BOUND'), problem(404, 'NOT_BOUND'));
  expect(await binder.toInternal(42)).toEqual(BOUND);
  expect(await binder.toInternal('42', { unwrap: true })).toBe('7');
  expect(await binder.toInternal(43)).toBeUndefined();
  expect(await binder.toInternal(43, { unwrap: true })).toBeUndefined();
  expect(server.requests.map(({ path }) => path)).toEqual(['42', '42', '43', '43'].map((id) => `${PATH}/external/${id}`));
});

test('to external: by the binding, or wrapped by the record', async () => {
  server.reply(
    json(BOUND),
    json(BOUND),
    problem(404, 'NOT_BOUND'),
    problem(404, 'BINDING_NOT_FOUND'),
    json(PENDING),
    json(UNBOUND),
  );
  expect(await binder.toExternal('b1')).toBe('42');
  expect(await binder.toExternal(7, { wrap: true })).toBe('42');
  expect(await binder.toExternal(8, { wrap: true })).toBeUndefined();
  expect(await binder.toExternal('b2')).toBeUndefined();
  expect(await binder.toExternal(7, { wrap: true })).toBeUndefined();
  expect(await binder.toExternal('b1')).toBeUndefined();
  const paths = ['bindings/b1', 'records/7', 'records/8', 'bindings/b2', 'records/7', 'bindings/b1'];
  expect(server.requests.map(({ path }) => path)).toEqual(paths.map((suffix) => `${PATH}/${suffix}`));
});

test('a binding in hand is taken at its word', async () => {
  expect(await binder.toExternal(BOUND)).toBe('42');
  expect(await binder.toExternal(PENDING)).toBeUndefined();
  expect(await binder.toExternal(UNBOUND)).toBeUndefined();
  expect(await binder.unwrapBinding(BOUND)).toBe('7');
  expect(server.requests).toEqual([]);
});

test('what is not simply absent is an error', async () => {
  server.reply(problem(409, 'AMBIGUOUS_RECORD'), problem(404, 'BACKEND_NOT_FOUND'));
  await expect(binder.toExternal(7, { wrap: true })).rejects.toMatchObject({ code: 'AMBIGUOUS_RECORD' });
  await expect(binder.toInternal(7)).rejects.toMatchObject({ code: 'BACKEND_NOT_FOUND' });
});

test('bind names a record, or a binding that is there', async () => {
  const answer = { outcome: 'created', binding: BOUND, revision: 3 };
  server.reply(json(answer, 201), json(answer));
  expect(await binder.bind(0, 7, { ifBound: 'replace', direction: 'import', reason: 'first sync' })).toEqual(answer);
  expect(server.last).toMatchObject({ method: 'POST', path: `${PATH}/bindings`, query: { reason: 'first sync' } });
  expect(JSON.parse(server.last.body)).toEqual({ recordId: '7', externalId: '0', ifBound: 'replace', direction: 'import' });
  await binder.bind(42, PENDING, { syncDate: null, expectedVersion: 1 });
  expect(server.last).toMatchObject({ method: 'POST', path: `${PATH}/bindings/b1/bind`, headers: { 'if-match': '"1"' } });
  expect(JSON.parse(server.last.body)).toEqual({ externalId: '42', syncDate: null });
});

test('after a bind, lookups ask for its revision at least', async () => {
  const answer = (revision: number) => json({ outcome: 'created', binding: BOUND, revision });
  server.reply(json(BOUND), answer(5), answer(4), json(BOUND), json(BOUND), json(BOUND));
  await binder.toInternal(42);
  await binder.bind(42, 7);
  await binder.bind(43, 8);
  await binder.toInternal(42);
  await binder.unwrapBinding('b1');
  await binder.toExternal(7, { wrap: true, atLeast: 'head' });
  const reads = server.requests.filter(({ method }) => method === 'GET');
  expect(reads.map(({ query }) => query['atLeast'])).toEqual([undefined, '5', '5', 'head']);
});

test('unwrapping a binding gives its record, also of a former binding', async () => {
  server.reply(json(UNBOUND), problem(404, 'BINDING_NOT_FOUND'));
  expect(await binder.unwrapBinding('b1')).toBe('7');
  await expect(binder.unwrapBinding('b2')).rejects.toMatchObject({ code: 'BINDING_NOT_FOUND' });
});

test('unwrapping the model gives the local model, asked for once', async () => {
  server.reply(json({ model: 'magento.res.partner', localModel: 'res.partner' }));
  expect(await binder.unwrapModel()).toBe('res.partner');
  expect(await binder.unwrapModel()).toBe('res.partner');
  expect(server.requests.map(({ path }) => path)).toEqual(['/v1/models/magento.res.partner']);
});

test('a model without a local model cannot be unwrapped', async () => {
  server.reply(json({ model: 'magento.res.partner', localModel: null }));
  await expect(binder.unwrapModel()).rejects.toMatchObject({ code: 'NO_LOCAL_MODEL' });
});
