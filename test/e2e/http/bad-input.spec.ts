/** Every malformed, oversized, out-of-range or contradictory request gets its code, and changes nothing. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROBLEM_KINDS, type ProblemCode } from '#server';
import { LEDGER_PATH as L, TestServer, type Call } from '../../support/http-server.js';

let server: TestServer;

/** Everything that a request could have changed. */
async function everything(): Promise<string> {
  const paths = [
    `${L}/digest`,
    '/v1/backends',
    '/v1/backend-types',
    '/v1/models',
    '/v1/backends/shop/history',
    '/v1/backends/paused/history',
  ];
  return JSON.stringify(await Promise.all(paths.map(async (path) => (await server.get(path)).text)));
}

beforeAll(async () => {
  server = await TestServer.start();
  await server.prepare({ dataSchema: { type: 'object', properties: { level: { type: 'integer' } } } });
  await server.post(`${L}/bindings`, { recordId: 'r', externalId: 'e' });
  await server.post(`${L}/bindings`, { recordId: 'q', externalId: 'f' });
  await server.put('/v1/backend-types/erp', { settingsSchema: { type: 'object', properties: { size: { type: 'integer' } } } });
  await server.put('/v1/models/erp.product', { backendType: 'erp', localModel: 'product' });
  await server.post('/v1/backends', { id: 'paused', type: 'shop', location: 'https://paused.example.org' });
  await server.post('/v1/backends/paused/pause');
});
afterAll(() => server.close());

type Row = [what: string, code: ProblemCode, method: string, path: string, body?: unknown, call?: Call];
const json = (payload: string | Buffer): Call => ({ payload, headers: { 'content-type': 'application/json' } });
const NDJSON = { 'content-type': 'application/x-ndjson' };
const lines = (payload: string, query: Record<string, string> = {}): Call => ({ payload, query, headers: NDJSON });
const bind = { recordId: 'new', externalId: 'new' };
const P = `${L}/bindings`;
const longId = 'x'.repeat(513);

const BODIES: Row[] = [
  ['no body', 'MALFORMED', 'POST', P],
  ['not JSON', 'MALFORMED', 'POST', P, undefined, json('{"recordId": "new"')],
  ['an empty body', 'MALFORMED', 'POST', P, undefined, json('')],
  ['not UTF-8', 'MALFORMED', 'POST', P, undefined, json(Buffer.from('{"recordId":"caf\xe9"}', 'latin1'))],
  ['null', 'MALFORMED', 'POST', P, undefined, json('null')],
  ['a list', 'MALFORMED', 'POST', P, [bind]],
  ['text', 'MALFORMED', 'POST', P, 'bind'],
  ['no record', 'INVALID_ID', 'POST', P, { externalId: 'new' }],
  ['an unknown field', 'MALFORMED', 'POST', P, { ...bind, colour: 'red' }],
  ['__proto__', 'MALFORMED', 'POST', P, undefined, json('{"recordId":"new","__proto__":{"externalId":"x"}}')],
  ['a key in the body', 'MALFORMED', 'POST', P, { ...bind, key: 'k' }],
  ['an unknown choice', 'MALFORMED', 'POST', P, { ...bind, ifBound: 'perhaps' }],
  ['an id that is empty', 'INVALID_ID', 'POST', P, { recordId: '', externalId: 'new' }],
  ['an id that is false', 'INVALID_ID', 'POST', P, { recordId: false }],
  ['an id that is too long', 'INVALID_ID', 'POST', P, { recordId: longId }],
  ['a lone surrogate', 'INVALID_ID', 'POST', P, undefined, json('{"recordId":"\\ud800"}')],
  ['a date without zone', 'INVALID_SYNC_DATE', 'POST', P, { ...bind, syncDate: '2026-03-03' }],
  ['a date in the future', 'INVALID_SYNC_DATE', 'POST', P, { ...bind, syncDate: '2999-01-01T00:00:00Z' }],
  ['data that is a list', 'INVALID_DATA', 'POST', P, { ...bind, data: [] }],
  ['data with $', 'INVALID_DATA', 'POST', P, { ...bind, data: { $where: '1' } }],
  ['data that does not match the schema', 'INVALID_DATA', 'POST', P, { ...bind, data: { level: 'high' } }],
  ['data of more than 64 KiB', 'INVALID_DATA', 'POST', P, { ...bind, data: { text: 'x'.repeat(70_000) } }],
  ['a body of more than 1 MiB', 'TOO_LARGE', 'POST', P, { ...bind, data: { text: 'x'.repeat(1_100_000) } }],
  [
    'another media type',
    'UNSUPPORTED_MEDIA_TYPE',
    'POST',
    P,
    undefined,
    { payload: 'recordId=new', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
  ],
  ['plain text', 'UNSUPPORTED_MEDIA_TYPE', 'POST', P, undefined, { payload: '{}', headers: { 'content-type': 'text/plain' } }],
  ['lines where no stream is', 'UNSUPPORTED_MEDIA_TYPE', 'POST', P, undefined, lines('{}')],
  [
    'a packed body',
    'UNSUPPORTED_MEDIA_TYPE',
    'POST',
    P,
    undefined,
    { payload: JSON.stringify(bind), headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' } },
  ],
  [
    'packed commands',
    'UNSUPPORTED_MEDIA_TYPE',
    'POST',
    `${L}/commands`,
    undefined,
    { payload: JSON.stringify({ op: 'bind', ...bind }), headers: { ...NDJSON, 'content-encoding': 'deflate' } },
  ],
  ['a lookup in __proto__', 'MODEL_NOT_FOUND', 'POST', '/v1/backends/shop/lookup', undefined, json('{"__proto__":{}}')],
  [
    'a digest of another ledger',
    'MALFORMED',
    'POST',
    `${L}/verify`,
    { digest: { ledger: 'shop/erp.product', revision: -1, hash: '' } },
  ],
  ['no external id', 'INVALID_ID', 'POST', `${P}/none/bind`, {}],
  ['a patch without data', 'INVALID_DATA', 'PATCH', `${P}/none`, {}],
  ['a patch that is the data', 'MALFORMED', 'PATCH', `${P}/none`, { data: {}, level: 1 }],
  ['sync to null', 'INVALID_SYNC_DATE', 'POST', `${L}/external/e/sync`, { syncDate: null }],
  ['sync with null', 'MALFORMED', 'POST', `${L}/external/e/sync`, undefined, json('null')],
  ['a move to nowhere', 'INVALID_ID', 'POST', `${L}/move`, { fromRecordId: 'r' }],
  ['a lookup of nothing', 'MALFORMED', 'POST', `${L}/lookup`, {}],
  ['a lookup by both', 'MALFORMED', 'POST', `${L}/lookup`, { externalIds: ['e'], recordIds: ['r'] }],
  ['a lookup of an id that is none', 'INVALID_ID', 'POST', `${L}/lookup`, { externalIds: ['e', ''] }],
  ['a lookup of 1,001', 'TOO_LARGE', 'POST', `${L}/lookup`, { externalIds: Array.from({ length: 1_001 }, (_, index) => index) }],
  [
    'a lookup of 1,001 over two models',
    'TOO_LARGE',
    'POST',
    '/v1/backends/shop/lookup',
    {
      'shop.product': {
        recordIds: Array.from({ length: 501 }, (_, index) => index),
        externalIds: Array.from({ length: 500 }, (_, index) => index),
      },
    },
  ],
  ['a lookup in a model that is none', 'MODEL_NOT_FOUND', 'POST', '/v1/backends/shop/lookup', { '../x': { externalIds: ['e'] } }],
  [
    'a lookup in a model of others',
    'MODEL_BACKEND_MISMATCH',
    'POST',
    '/v1/backends/shop/lookup',
    { 'erp.product': { externalIds: ['e'] } },
  ],
  ['a lookup of other things', 'MALFORMED', 'POST', '/v1/backends/shop/lookup', { 'shop.product': { bindingIds: ['b'] } }],
];

/** Calls that take no body: what is sent there all the same may be a guard, which must not be passed over. */
const NO_BODIES: Row[] = [
  ['guards in a body', 'MALFORMED', 'DELETE', `${L}/records/r`, { ifBinding: 'another', expectedVersion: 99 }],
  ['an unknown field', 'MALFORMED', 'DELETE', `${L}/external/e`, { colour: 'red' }],
  ['a reason in a body', 'MALFORMED', 'DELETE', `${P}/none`, { reason: 'why' }],
  ['a body, of a deleted record', 'MALFORMED', 'DELETE', '/v1/records/product/r', { ifBinding: 'another' }],
  ['a body, of a retirement', 'MALFORMED', 'DELETE', '/v1/backends/paused', { force: true }],
  ['a body, of a pause', 'MALFORMED', 'POST', '/v1/backends/shop/pause', { reason: 'why' }],
  ['a body, of a resumption', 'MALFORMED', 'POST', '/v1/backends/paused/resume', { reason: 'why' }],
  ['a list', 'MALFORMED', 'POST', '/v1/backends/shop/pause', []],
  ['null', 'MALFORMED', 'DELETE', `${L}/records/r`, undefined, json('null')],
  ['not JSON', 'MALFORMED', 'DELETE', `${L}/records/r`, undefined, json('{')],
  ['__proto__', 'MALFORMED', 'DELETE', `${L}/records/r`, undefined, json('{"__proto__":{"ifBinding":"another"}}')],
  ['another media type', 'UNSUPPORTED_MEDIA_TYPE', 'DELETE', `${L}/records/r`, undefined, { payload: 'ifBinding=b' }],
  ['lines', 'UNSUPPORTED_MEDIA_TYPE', 'POST', '/v1/backends/shop/pause', undefined, lines('{}')],
];

const ADDRESSES: Row[] = [
  ['an unknown backend', 'BACKEND_NOT_FOUND', 'POST', '/v1/backends/none/models/shop.product/bindings', bind],
  ['an unknown backend to read', 'BACKEND_NOT_FOUND', 'GET', '/v1/backends/none/models/shop.product/external/e'],
  ['a backend that none can be', 'BACKEND_NOT_FOUND', 'GET', '/v1/backends/a%2Fb/models/shop.product/external/e'],
  ['an unknown model', 'MODEL_NOT_FOUND', 'POST', '/v1/backends/shop/models/none/bindings', bind],
  ['a model that none can be', 'MODEL_NOT_FOUND', 'GET', '/v1/backends/shop/models/Shop.Product/bindings'],
  ['a model of other backends', 'MODEL_BACKEND_MISMATCH', 'POST', '/v1/backends/shop/models/erp.product/bindings', bind],
  ['an unknown binding', 'BINDING_NOT_FOUND', 'POST', `${P}/none/sync`, {}],
  ['an external id that is not bound', 'NOT_BOUND', 'POST', `${L}/external/none/sync`, {}],
  ['an id that is too long', 'INVALID_ID', 'GET', `${L}/external/${longId}`],
  ['an id that is much too long', 'INVALID_ID', 'GET', `${L}/external/${'x'.repeat(2_000)}`],
  ['an id with a control character', 'INVALID_ID', 'GET', `${L}/external/a%00b`],
  ['a path that is not percent-encoded', 'MALFORMED', 'GET', `${L}/external/%zz`],
  ['a path that is not UTF-8', 'MALFORMED', 'GET', `${L}/external/caf%E9`],
  ['an unknown backend to change', 'BACKEND_NOT_FOUND', 'PATCH', '/v1/backends/none', { name: 'x' }],
  ['an unknown backend to retire', 'BACKEND_NOT_FOUND', 'DELETE', '/v1/backends/none'],
  ['an unknown backend to look up in', 'BACKEND_NOT_FOUND', 'POST', '/v1/backends/none/lookup', {}],
  ['an unknown backend type', 'BACKEND_TYPE_NOT_FOUND', 'GET', '/v1/backend-types/none'],
  ['an unknown definition', 'MODEL_NOT_FOUND', 'GET', '/v1/models/none'],
  ['an unknown subscriber', 'SUBSCRIBER_NOT_FOUND', 'GET', '/v1/subscribers/none'],
  ['no such record model', 'INVALID_ID', 'DELETE', `/v1/records/product/${longId}`],
];

const QUERIES: Row[] = [
  ['another version of the API', 'ROUTE_NOT_FOUND', 'GET', '/v2/backends'],
  ['a route that is none', 'ROUTE_NOT_FOUND', 'GET', '/v1/nothing'],
  ['a method that the route does not have', 'METHOD_NOT_ALLOWED', 'DELETE', P],
  ['a parameter where none is taken', 'MALFORMED', 'GET', '/v1/backends/shop', undefined, { query: { colour: 'red' } }],
  ['a parameter where nothing is asked', 'MALFORMED', 'GET', '/health/live', undefined, { query: { verbose: '' } }],
  ['an unknown parameter', 'MALFORMED', 'GET', L, undefined, { query: { colour: 'red' } }],
  ['an unknown parameter of a write', 'MALFORMED', 'POST', P, bind, { query: { key: 'k' } }],
  ['a cause that is not to be given', 'MALFORMED', 'DELETE', `${L}/external/e`, undefined, { query: { cause: 'takenOver' } }],
  ['a cause that is none', 'MALFORMED', 'DELETE', `${L}/external/e`, undefined, { query: { cause: '' } }],
  ['a long reason', 'MALFORMED', 'DELETE', `${L}/external/e`, undefined, { query: { reason: 'x'.repeat(501) } }],
  ['twice the same parameter', 'MALFORMED', 'DELETE', `${L}/external/e?reason=a&reason=b`],
  ['a parameter that is not UTF-8', 'MALFORMED', 'DELETE', `${L}/external/e?reason=caf%E9`],
  ['a limit of none', 'MALFORMED', 'GET', P, undefined, { query: { limit: '0' } }],
  ['a limit of too many', 'MALFORMED', 'GET', P, undefined, { query: { limit: '1001' } }],
  ['a cursor of nowhere', 'MALFORMED', 'GET', P, undefined, { query: { cursor: 'nowhere' } }],
  ['a filter that is none', 'MALFORMED', 'GET', P, undefined, { query: { name: 'x' } }],
  ['a state that is none', 'MALFORMED', 'GET', P, undefined, { query: { state: 'live' } }],
  ['an instant that is none', 'MALFORMED', 'GET', P, undefined, { query: { syncedBefore: '3 March' } }],
  ['a field that is not indexed', 'FIELD_NOT_INDEXED', 'GET', P, undefined, { query: { 'data.level': '1' } }],
  ['a parameter that no object has', 'MALFORMED', 'GET', `${P}?__proto__=1`],
  ['a field that no data has', 'FIELD_NOT_INDEXED', 'GET', P, undefined, { query: { 'data.__proto__': '1' } }],
  [
    'a field that is not indexed, as a stream',
    'FIELD_NOT_INDEXED',
    'GET',
    P,
    undefined,
    { query: { 'data.level': '1' }, headers: { accept: 'application/x-ndjson' } },
  ],
  [
    'a page of a stream',
    'MALFORMED',
    'GET',
    P,
    undefined,
    { query: { limit: '5' }, headers: { accept: 'application/x-ndjson' } },
  ],
  ['a revision that is none', 'MALFORMED', 'GET', `${L}/external/e`, undefined, { query: { atLeast: 'newest' } }],
  [
    'a revision of a ledger that does not exist',
    'BACKEND_NOT_FOUND',
    'GET',
    '/v1/backends/none/models/shop.product/external/e',
    undefined,
    { query: { atLeast: '999', timeout: '1' } },
  ],
  [
    'a revision that does not come',
    'NOT_YET_PROJECTED',
    'GET',
    `${L}/external/e`,
    undefined,
    { query: { atLeast: '999', timeout: '1' } },
  ],
  [
    'a revision that does not come, of events',
    'NOT_YET_PROJECTED',
    'GET',
    `${L}/events`,
    undefined,
    { query: { atLeast: '999', timeout: '0' } },
  ],
  ['a wait that is too long', 'MALFORMED', 'GET', `${L}/events`, undefined, { query: { wait: '999999' } }],
  ['events after nothing', 'MALFORMED', 'GET', `${L}/events`, undefined, { query: { after: '-2' } }],
  ['revisions of several ledgers', 'MALFORMED', 'GET', '/v1/records/product/r/bindings', undefined, { query: { atLeast: '7' } }],
  [
    'a revision of another ledger that does not come',
    'NOT_YET_PROJECTED',
    'GET',
    '/v1/records/product/r/bindings',
    undefined,
    { query: { atLeast: 'shop/shop.product@999', timeout: '1' } },
  ],
  [
    'a flag that is none',
    'MALFORMED',
    'GET',
    '/v1/records/product/r/bindings',
    undefined,
    { query: { includeUnbound: 'maybe' } },
  ],
];

const PRECONDITIONS: Row[] = [
  ['a version without quotation marks', 'MALFORMED', 'DELETE', `${L}/external/e`, undefined, { headers: { 'if-match': '1' } }],
  ['any version', 'MALFORMED', 'DELETE', `${L}/external/e`, undefined, { headers: { 'if-match': '*' } }],
  ['another version', 'VERSION_MISMATCH', 'DELETE', `${L}/external/e`, undefined, { headers: { 'if-match': '"7"' } }],
  ['a version of a binding that is to be made', 'VERSION_MISMATCH', 'POST', P, bind, { headers: { 'if-match': '"1"' } }],
  ['another binding', 'VERSION_MISMATCH', 'DELETE', `${L}/records/r`, undefined, { query: { ifBinding: 'another' } }],
  ['a version of many', 'MALFORMED', 'DELETE', '/v1/records/product/r', undefined, { headers: { 'if-match': '"1"' } }],
  ['a binding of many', 'MALFORMED', 'DELETE', '/v1/records/product/r', undefined, { query: { ifBinding: 'b' } }],
  ['a key that is too long', 'MALFORMED', 'POST', P, bind, { headers: { 'idempotency-key': 'k'.repeat(201) } }],
  ['a key of other characters', 'MALFORMED', 'POST', P, bind, { headers: { 'idempotency-key': 'cl\u00e9' } }],
  ['a correlation id that is too long', 'MALFORMED', 'POST', P, bind, { headers: { 'x-correlation-id': 'c'.repeat(201) } }],
  ['on behalf of nobody', 'MALFORMED', 'POST', P, bind, { headers: { 'x-on-behalf-of': '' } }],
  ['another external id', 'RECORD_ALREADY_BOUND', 'POST', P, { recordId: 'r', externalId: 'other' }],
  ['the external id of another record', 'EXTERNAL_ID_TAKEN', 'POST', P, { recordId: 'third', externalId: 'e' }],
  ['a move onto another binding', 'RECORD_ALREADY_BOUND', 'POST', `${L}/move`, { fromRecordId: 'r', toRecordId: 'q' }],
  ['a paused backend', 'BACKEND_PAUSED', 'POST', '/v1/backends/paused/models/shop.product/bindings', bind],
];

const CATALOG: Row[] = [
  ['a type of no name', 'INVALID_ID', 'PUT', '/v1/backend-types/Shop', {}],
  ['a type with an unknown field', 'MALFORMED', 'PUT', '/v1/backend-types/new', { colour: 'red' }],
  ['versions that are no list', 'MALFORMED', 'PUT', '/v1/backend-types/new', { versions: { value: '1' } }],
  [
    'the same version twice',
    'MALFORMED',
    'PUT',
    '/v1/backend-types/new',
    {
      versions: [
        { value: '1', label: 'a' },
        { value: '1', label: 'b' },
      ],
    },
  ],
  ['a schema that is text', 'MALFORMED', 'PUT', '/v1/backend-types/new', { settingsSchema: 'object' }],
  ['a schema that is none', 'INVALID_SCHEMA', 'PUT', '/v1/backend-types/new', { settingsSchema: { type: 'colour' } }],
  [
    'a schema that reaches out',
    'INVALID_SCHEMA',
    'PUT',
    '/v1/models/new',
    { backendType: 'shop', localModel: null, dataSchema: { $ref: 'https://example.org/schema' } },
  ],
  ['a model without type', 'MALFORMED', 'PUT', '/v1/models/new', { localModel: null }],
  ['a model without local model', 'MALFORMED', 'PUT', '/v1/models/new', { backendType: 'shop' }],
  ['a model of an unknown type', 'BACKEND_TYPE_NOT_FOUND', 'PUT', '/v1/models/new', { backendType: 'none', localModel: null }],
  [
    'a cardinality that is none',
    'MALFORMED',
    'PUT',
    '/v1/models/new',
    { backendType: 'shop', localModel: null, cardinality: 'two' },
  ],
  [
    'six indexes',
    'MALFORMED',
    'PUT',
    '/v1/models/new',
    { backendType: 'shop', localModel: null, indexes: ['a', 'b', 'c', 'd', 'e', 'f'] },
  ],
  [
    'a model that its ledgers do not keep to',
    'MODEL_CHANGE_VIOLATED',
    'PUT',
    '/v1/models/shop.product',
    { backendType: 'shop', localModel: 'other' },
  ],
  [
    'a version that is unknown',
    'UNKNOWN_VERSION',
    'POST',
    '/v1/backends',
    { id: 'new', type: 'shop', location: 'https://x.example', version: '9' },
  ],
  ['a backend of no id', 'INVALID_ID', 'POST', '/v1/backends', { id: 'New Shop', type: 'shop', location: 'https://x.example' }],
  [
    'a backend of an unknown type',
    'BACKEND_TYPE_NOT_FOUND',
    'POST',
    '/v1/backends',
    { id: 'new', type: 'none', location: 'https://x.example' },
  ],
  ['a backend without location', 'MALFORMED', 'POST', '/v1/backends', { id: 'new', type: 'shop' }],
  ['a location that is none', 'INVALID_LOCATION', 'POST', '/v1/backends', { id: 'new', type: 'shop', location: 'somewhere' }],
  [
    'a location with a password',
    'INVALID_LOCATION',
    'POST',
    '/v1/backends',
    { id: 'new', type: 'shop', location: 'https://u:hunter2@x.example' },
  ],
  [
    'settings that do not match',
    'INVALID_SETTINGS',
    'POST',
    '/v1/backends',
    { id: 'new', type: 'erp', location: 'https://x.example', settings: { size: 'large' } },
  ],
  [
    'a backend that exists',
    'BACKEND_EXISTS',
    'POST',
    '/v1/backends',
    { id: 'shop', type: 'shop', location: 'https://x.example' },
  ],
  ['a change of the type', 'MALFORMED', 'PATCH', '/v1/backends/shop', { type: 'erp' }],
  ['a backend that is in use', 'BACKEND_IN_USE', 'DELETE', '/v1/backends/shop'],
];

const BULK: Row[] = [
  ['JSON in place of lines', 'UNSUPPORTED_MEDIA_TYPE', 'POST', `${L}/commands`, [{ op: 'bind', ...bind }]],
  ['no body at all', 'UNSUPPORTED_MEDIA_TYPE', 'POST', `${L}/commands`],
  [
    'a backend that is unknown',
    'BACKEND_NOT_FOUND',
    'POST',
    '/v1/backends/none/models/shop.product/commands',
    undefined,
    lines('{}'),
  ],
  ['an unknown parameter', 'MALFORMED', 'POST', `${L}/commands`, undefined, lines('{}', { dry: 'true' })],
  [
    'a key for all lines',
    'MALFORMED',
    'POST',
    `${L}/commands`,
    undefined,
    { payload: JSON.stringify({ op: 'bind', ...bind }), headers: { ...NDJSON, 'idempotency-key': 'k' } },
  ],
  [
    'a version for all lines',
    'MALFORMED',
    'POST',
    `${L}/commands`,
    undefined,
    { payload: JSON.stringify({ op: 'bind', ...bind }), query: { atomic: 'true' }, headers: { ...NDJSON, 'if-match': '"1"' } },
  ],
  ['atomic that is no flag', 'MALFORMED', 'POST', `${L}/commands`, undefined, lines('{}', { atomic: 'yes' })],
  [
    'an atomic batch with a broken line',
    'BATCH_REFUSED',
    'POST',
    `${L}/commands`,
    undefined,
    lines(`${JSON.stringify({ op: 'bind', ...bind })}\n{"op":`, { atomic: 'true' }),
  ],
  [
    'an atomic batch with a refusal',
    'BATCH_REFUSED',
    'POST',
    `${L}/commands`,
    undefined,
    lines(`${JSON.stringify({ op: 'bind', ...bind })}\n${JSON.stringify({ op: 'bind', recordId: 'third', externalId: 'e' })}`, {
      atomic: 'true',
    }),
  ],
  [
    'an atomic batch of 501',
    'TOO_LARGE',
    'POST',
    `${L}/commands`,
    undefined,
    lines(`${JSON.stringify({ op: 'bind', ...bind })}\n`.repeat(501), { atomic: 'true' }),
  ],
];

const TABLE: Record<string, Row[]> = { BODIES, NO_BODIES, ADDRESSES, QUERIES, PRECONDITIONS, CATALOG, BULK };

describe.each(Object.entries(TABLE))('%s', (_name, rows) => {
  it.each(rows)('%s: %s', async (_what, code, method, path, body, call) => {
    const before = await everything();
    const { status, body: problem, headers, text } = await server.send<Record<string, unknown>>(method, path, body, call);
    expect(problem, text).toMatchObject({
      code,
      status: PROBLEM_KINDS[code].status,
      type: `/errors/${code}`,
      retryable: PROBLEM_KINDS[code].retryable,
    });
    expect(status).toBe(PROBLEM_KINDS[code].status);
    expect(headers['content-type']).toContain('application/problem+json');
    expect(headers['retry-after'] !== undefined).toBe(status === 503);
    expect(typeof problem['detail']).toBe('string');
    expect(text).not.toContain('hunter2');
    expect(await everything()).toBe(before);
  });
});

describe('the table', () => {
  it('has every code that can come of a request, but those that need a state of its own', () => {
    const elsewhere: ProblemCode[] = [
      'UNAUTHENTICATED',
      'FORBIDDEN',
      'POSITION_GONE',
      'RATE_LIMITED',
      'AMBIGUOUS_RECORD',
      'LEDGER_CLOSED',
      'IDEMPOTENCY_KEY_REUSED',
      'VERSION_IN_USE',
      'PARTLY_UNBOUND',
      'TOO_MANY_BINDINGS',
      'BUSY',
      'STORE_UNAVAILABLE',
      'OUTCOME_UNKNOWN',
    ];
    const covered = new Set(Object.values(TABLE).flatMap((rows) => rows.map(([, code]) => code)));
    expect((Object.keys(PROBLEM_KINDS) as ProblemCode[]).filter((code) => !covered.has(code)).sort()).toEqual(elsewhere.sort());
  });
});
