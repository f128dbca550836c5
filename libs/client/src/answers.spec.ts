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
  return {
    id: `b-${recordId}`,
    recordId,
    externalId,
    data: {},
    state: externalId === null ? 'pending' : 'bound',
    ...instants,
    ...place,
  };
}

test('a listing is read page by page, or as one stream', async () => {
  const items = ['1', '2', '3'].map((id) => bindingOf(id, `x${id}`));
  server.reply(
    json({ items: items.slice(0, 2), nextCursor: 'c/2' }),
    json({ items: items.slice(2), nextCursor: null }),
    ndjson(items),
  );
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

  server.reply(ndjson([{ revision: 4 }, { revision: 5 }]));
  expect(await collect(partners().events({ after: 3, limit: 1, waitMs: 9 }).stream())).toHaveLength(2);
  // A limit would end the stream, not the page.
  expect(server.last.query).toEqual({ after: '3' });
});

test('a stream that is cut is not taken for a whole one', async () => {
  let cut: (() => void) | undefined;
  const cutting = new Promise<void>((resolve) => (cut = resolve));
  server.reply(ndjsonCut([bindingOf('1', 'x'), bindingOf('2', 'y')], cutting));
  const seen: string[] = [];
  const reading = async (): Promise<void> => {
    for await (const { recordId } of partners().bindings().stream()) if (seen.push(recordId) === 2) cut?.();
  };
  await expect(reading()).rejects.toMatchObject({ code: 'STREAM_CUT', retryable: true });
  expect(seen).toEqual(['1', '2']);
});

test('a refusal is an error with its whole problem document', async () => {
  const holder = bindingOf('7', '42');
  server.reply(problem(409, 'EXTERNAL_ID_TAKEN', { holder }));
  const error: unknown = await partners()
    .bind({ recordId: 8, externalId: 42 }, { idempotencyKey: 'k' })
    .catch((reason: unknown) => reason);
  expect(isLedgerError(error)).toBe(true);
  expect(isLedgerError(error, 'EXTERNAL_ID_TAKEN')).toBe(true);
  expect(isLedgerError(error, 'NOT_BOUND')).toBe(false);
  expect(isLedgerError(new Error('other'))).toBe(false);
  expect(error).toMatchObject({
    status: 409,
    retryable: false,
    problem: { holder, title: 'EXTERNAL_ID_TAKEN' },
    idempotencyKey: 'k',
  });
  expect((error as Error).message).toBe(`detail of EXTERNAL_ID_TAKEN (POST ${PARTNERS}/bindings: EXTERNAL_ID_TAKEN)`);
});

test.each([
  ['a page of a proxy', page(404, '<h1>apiKey=secret</h1>'), 404],
  ['a page in place of an answer', page(200, '<h1>hello</h1>'), 200],
])('%s is an unexpected answer, and is not repeated', async (_name, reply, status) => {
  server.reply(reply);
  const error: unknown = await client.models.list().catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'UNEXPECTED_ANSWER', status, retryable: false });
  expect((error as Error).message).not.toContain('secret');
});

test('a redirect is not followed: it could lead the API key astray', async () => {
  server.reply((response) => void response.writeHead(307, { location: '/v1/elsewhere' }).end());
  await expect(client.models.list()).rejects.toMatchObject({ code: 'UNEXPECTED_ANSWER', status: 307, retryable: false });
  expect(server.requests).toHaveLength(1);
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

test('a listing as of the past has no pages: a loop reads the stream', async () => {
  const items = ['1', '2'].map((id) => bindingOf(id, `x${id}`));
  server.reply(ndjson(items));
  expect(await collect(partners().bindings({ asOf: 'revision:7', state: 'bound' }))).toEqual(items);
  expect(server.requests.map(({ query }) => query)).toEqual([{ asOf: 'revision:7', state: 'bound' }]);
});

test('an error of a validation says what is wrong where, unless its detail does already', async () => {
  const errors = ['/a', '/b', '/c', '/d'].map((path) => ({ path, message: `wrong ${path}` }));
  server.reply(
    problem(400, 'MALFORMED', { detail: 'the body is not well formed', errors }),
    problem(400, 'MALFORMED', { detail: '/a: wrong /a', errors: errors.slice(0, 1) }),
    problem(400, 'MALFORMED', { detail: 'of somebody else', errors: [null, 'text', { path: 1 }] }),
  );
  const messages = [];
  for (let call = 0; call < 3; call += 1) {
    const error: unknown = await client.backends.get('x').catch((reason: unknown) => reason);
    messages.push((error as Error).message.replace(/ \(GET .*$/, ''));
  }
  expect(messages).toEqual([
    'the body is not well formed: /a wrong /a; /b wrong /b; /c wrong /c; …',
    '/a: wrong /a',
    'of somebody else',
  ]);
});
