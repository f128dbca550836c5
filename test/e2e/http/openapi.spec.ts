/** The API's description agrees with its contract, and with what the server answers. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROBLEM_KINDS, type ProblemCode } from '#server';
import { LEDGER_PATH, TestServer, type Json } from '../../support/http-server.js';

const L = '/v1/backends/{backend}/models/{model}';
/** The contract: every call, and the codes that its row names. */
const CONTRACT: [method: string, path: string, codes?: ProblemCode[]][] = [
  ['put', '/v1/backend-types/{type}', ['VERSION_IN_USE', 'INVALID_SCHEMA']],
  ['get', '/v1/backend-types'],
  ['get', '/v1/backend-types/{type}', ['BACKEND_TYPE_NOT_FOUND']],
  ['put', '/v1/models/{model}', ['MODEL_CHANGE_VIOLATED', 'BACKEND_TYPE_NOT_FOUND', 'INVALID_SCHEMA']],
  ['get', '/v1/models'],
  ['get', '/v1/models/{model}', ['MODEL_NOT_FOUND']],
  ['post', '/v1/backends', ['BACKEND_EXISTS', 'UNKNOWN_VERSION', 'INVALID_SETTINGS', 'INVALID_LOCATION']],
  ['get', '/v1/backends'],
  ['get', '/v1/backends/{backend}', ['BACKEND_NOT_FOUND']],
  ['get', '/v1/backends/{backend}/history', ['BACKEND_NOT_FOUND']],
  ['patch', '/v1/backends/{backend}', ['BACKEND_NOT_FOUND', 'UNKNOWN_VERSION', 'INVALID_SETTINGS', 'INVALID_LOCATION']],
  ['get', '/v1/backends/{backend}/credentials', ['BACKEND_NOT_FOUND']],
  ['post', '/v1/backends/{backend}/pause', ['BACKEND_NOT_FOUND']],
  ['post', '/v1/backends/{backend}/resume', ['BACKEND_NOT_FOUND']],
  ['delete', '/v1/backends/{backend}', ['BACKEND_IN_USE']],
  ['post', '/v1/backends/{backend}/lookup', ['TOO_LARGE']],
  ['get', L],
  [
    'post',
    `${L}/bindings`,
    ['RECORD_ALREADY_BOUND', 'EXTERNAL_ID_TAKEN', 'BACKEND_PAUSED', 'IDEMPOTENCY_KEY_REUSED', 'VERSION_MISMATCH'],
  ],
  ['get', `${L}/bindings`, ['FIELD_NOT_INDEXED', 'NOT_YET_PROJECTED']],
  ['get', `${L}/bindings/{bindingId}`, ['BINDING_NOT_FOUND']],
  ['patch', `${L}/bindings/{bindingId}`, ['BINDING_NOT_FOUND', 'INVALID_DATA']],
  ['post', `${L}/bindings/{bindingId}/bind`, ['RECORD_ALREADY_BOUND', 'EXTERNAL_ID_TAKEN']],
  ['post', `${L}/bindings/{bindingId}/sync`, ['INVALID_SYNC_DATE']],
  ['post', `${L}/bindings/{bindingId}/move`, ['RECORD_ALREADY_BOUND']],
  ['delete', `${L}/bindings/{bindingId}`, ['VERSION_MISMATCH']],
  ['get', `${L}/external/{externalId}`, ['NOT_BOUND', 'NOT_YET_PROJECTED']],
  ['get', `${L}/records/{recordId}`, ['NOT_BOUND', 'AMBIGUOUS_RECORD']],
  ['post', `${L}/external/{externalId}/sync`, ['NOT_BOUND']],
  ['delete', `${L}/external/{externalId}`],
  ['post', `${L}/records/{recordId}/sync`, ['NOT_BOUND', 'AMBIGUOUS_RECORD']],
  ['delete', `${L}/records/{recordId}`, ['AMBIGUOUS_RECORD']],
  ['post', `${L}/lookup`, ['TOO_LARGE']],
  ['post', `${L}/move`, ['RECORD_ALREADY_BOUND']],
  ['post', `${L}/commands`, ['BATCH_REFUSED', 'UNSUPPORTED_MEDIA_TYPE']],
  ['get', `${L}/events`],
  ['get', `${L}/digest`],
  ['post', `${L}/verify`, ['BUSY']],
  ['post', `${L}/rebuild`, ['BUSY']],
  ['get', `${L}/export`],
  ['get', '/v1/digests'],
  ['get', `${L}/bindings/{bindingId}/history`, ['BINDING_NOT_FOUND', 'NOT_YET_PROJECTED']],
  ['get', `${L}/records/{recordId}/history`, ['NOT_YET_PROJECTED']],
  ['get', `${L}/external/{externalId}/history`, ['NOT_YET_PROJECTED']],
  ['get', '/v1/records/{localModel}/{recordId}/history', ['NOT_YET_PROJECTED']],
  ['get', '/v1/records/{localModel}/{recordId}/bindings', ['NOT_YET_PROJECTED']],
  ['delete', '/v1/records/{localModel}/{recordId}', ['PARTLY_UNBOUND']],
  ['get', '/v1/events', ['POSITION_GONE', 'BUSY']],
  ['get', '/v1/subscribers'],
  ['get', '/v1/subscribers/{name}', ['SUBSCRIBER_NOT_FOUND']],
  ['get', '/v1/subscribers/{name}/parked', ['SUBSCRIBER_NOT_FOUND']],
  ['post', '/v1/subscribers/{name}/replay', ['SUBSCRIBER_NOT_FOUND', 'BINDING_NOT_FOUND']],
  ['post', '/v1/subscribers/{name}/skip', ['SUBSCRIBER_NOT_FOUND', 'BINDING_NOT_FOUND', 'VERSION_MISMATCH']],
  ['post', '/v1/subscribers/{name}/reset', ['SUBSCRIBER_NOT_FOUND', 'POSITION_GONE']],
  ['get', '/health/live'],
  ['get', '/health/ready'],
  ['get', '/metrics'],
];
/** Codes by status, as the contract lists them. */
const CODES: Record<number, ProblemCode[]> = {
  400: ['MALFORMED'],
  401: ['UNAUTHENTICATED'],
  403: ['FORBIDDEN'],
  404: [
    'NOT_BOUND',
    'BACKEND_NOT_FOUND',
    'BACKEND_TYPE_NOT_FOUND',
    'MODEL_NOT_FOUND',
    'BINDING_NOT_FOUND',
    'ROUTE_NOT_FOUND',
    'SUBSCRIBER_NOT_FOUND',
  ],
  405: ['METHOD_NOT_ALLOWED'],
  409: [
    'RECORD_ALREADY_BOUND',
    'EXTERNAL_ID_TAKEN',
    'AMBIGUOUS_RECORD',
    'BACKEND_EXISTS',
    'BACKEND_IN_USE',
    'BACKEND_PAUSED',
    'LEDGER_CLOSED',
    'BATCH_REFUSED',
    'IDEMPOTENCY_KEY_REUSED',
    'MODEL_CHANGE_VIOLATED',
    'VERSION_IN_USE',
    'PARTLY_UNBOUND',
    'TOO_MANY_BINDINGS',
  ],
  410: ['POSITION_GONE'],
  412: ['VERSION_MISMATCH'],
  413: ['TOO_LARGE'],
  415: ['UNSUPPORTED_MEDIA_TYPE'],
  422: [
    'INVALID_ID',
    'INVALID_SYNC_DATE',
    'INVALID_DATA',
    'INVALID_SETTINGS',
    'INVALID_LOCATION',
    'INVALID_SCHEMA',
    'UNKNOWN_VERSION',
    'MODEL_BACKEND_MISMATCH',
    'FIELD_NOT_INDEXED',
  ],
  429: ['RATE_LIMITED'],
  503: ['BUSY', 'NOT_YET_PROJECTED', 'STORE_UNAVAILABLE', 'OUTCOME_UNKNOWN'],
};

interface Operation {
  parameters?: { name: string; in: string; required?: boolean; schema?: object }[];
  requestBody?: { required?: boolean; content: Record<string, object> };
  responses: Record<string, { description: string; content?: Record<string, object> }>;
  'x-codes': ProblemCode[];
}
interface Document {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Json> };
}

let server: TestServer;
let document: Document;
beforeAll(async () => {
  server = await TestServer.start();
  document = (await server.get<Document>('/openapi.json')).body;
});
afterAll(() => server.close());

const operations = () =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method, path, operation })),
  );

it('the table of codes has the statuses of the contract, and is retryable as it says', () => {
  const expected = Object.entries(CODES).flatMap(([status, codes]) => codes.map((code) => [code, Number(status)] as const));
  const table = Object.entries(PROBLEM_KINDS).map(([code, { status }]) => [code, status]);
  expect(table.sort()).toEqual(expected.sort());
  const retryable = Object.entries(PROBLEM_KINDS).filter(([, kind]) => kind.retryable);
  expect(retryable.map(([code]) => code).sort()).toEqual(['BACKEND_PAUSED', ...CODES[429]!, ...CODES[503]!].sort());
});

describe('the OpenAPI document', () => {
  it('has the calls of the contract, and no others', () => {
    const described = operations().map(({ method, path }) => `${method} ${path}`);
    expect(described.sort()).toEqual(CONTRACT.map(([method, path]) => `${method} ${path}`).sort());
  });

  it.each(CONTRACT)('%s %s names its codes, with their statuses', (method, path, codes = []) => {
    const { responses, 'x-codes': described } = document.paths[path]![method]!;
    for (const code of codes) expect(described).toContain(code);
    for (const code of described) expect(responses[PROBLEM_KINDS[code].status]?.description.split(', ')).toContain(code);
    const listed = Object.entries(responses).flatMap(([status, { description }]) =>
      Number(status) < 400 ? [] : description.split(', '),
    );
    expect(listed.sort()).toEqual([...described].sort());
    expect(Object.keys(responses).some((status) => status.startsWith('2'))).toBe(true);
  });

  it('describes every parameter of a path, and no query parameter as required', () => {
    for (const { path, operation } of operations()) {
      const parameters = operation.parameters ?? [];
      const named = parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => name);
      expect(named.sort()).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort());
      expect(parameters.filter((parameter) => parameter.in === 'query' && parameter.required === true)).toEqual([]);
      expect(new Set(parameters.map((parameter) => `${parameter.in} ${parameter.name}`)).size).toBe(parameters.length);
    }
  });

  it('refers to nothing that is not there, and says of every answer what it is', () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)].map(
      ([, name]) => name!,
    );
    expect(references.length).toBeGreaterThan(50);
    expect(references.filter((name) => !(name in document.components.schemas))).toEqual([]);
    for (const { operation } of operations()) {
      for (const { content } of Object.values(operation.responses)) expect(Object.keys(content ?? {})).not.toEqual([]);
    }
  });

  it('asks for a body where one is needed, and not where it may be left out', () => {
    const bodyOf = (method: string, path: string) => document.paths[path]?.[method]?.requestBody;
    expect(bodyOf('post', `${L}/bindings`)?.required).toBe(true);
    expect(bodyOf('post', `${L}/external/{externalId}/sync`)?.required).toBe(false);
    expect(Object.keys(bodyOf('post', `${L}/commands`)?.content ?? {})).toEqual(['application/x-ndjson']);
    expect(bodyOf('post', '/v1/backends/{backend}/pause')).toBeUndefined();
  });

  it('describes ids as the domain takes them', () => {
    const { properties, required, additionalProperties } = document.components.schemas['BindRequest'] as {
      properties: Record<string, Json>;
      required: string[];
      additionalProperties: boolean;
    };
    expect(required).toEqual(['recordId']);
    expect(additionalProperties).toBe(false);
    expect(properties['recordId']?.['anyOf']).toMatchObject([{ type: 'string', maxLength: 512 }, { type: 'integer' }]);
  });
});

describe('the answers', () => {
  it('have the members that the document says', async () => {
    await server.prepare();
    const created = await server.post<{ binding: Json }>(`${LEDGER_PATH}/bindings`, { recordId: 1, externalId: 2 });
    expectMembers('CommandAnswer', created.body);
    expectMembers('Binding', created.body.binding);
    expectMembers('LedgerStatus', (await server.get(LEDGER_PATH)).body);
    expectMembers('Digest', (await server.get(`${LEDGER_PATH}/digest`)).body);
    const events = (await server.get<{ items: Json[] }>(`${LEDGER_PATH}/events`)).body;
    expectMembers('EventPage', events);
    expectMembers('Event', events.items[1]!);
    expectMembers('Backend', (await server.get('/v1/backends/shop')).body);
    expectMembers('BackendType', (await server.get('/v1/backend-types/shop')).body);
    expectMembers('Model', (await server.get('/v1/models/shop.product')).body);
    expectMembers('Problem', (await server.get(`${LEDGER_PATH}/external/none`)).body);
    expectMembers('Readiness', (await server.get('/health/ready')).body);
    expectMembers('LookupAnswer', (await server.post(`${LEDGER_PATH}/lookup`, { recordIds: [] })).body);
    expectMembers('MoveAnswer', (await server.post(`${LEDGER_PATH}/move`, { fromRecordId: 1, toRecordId: 3 })).body);
    expectMembers('RecordDeletion', (await server.delete('/v1/records/product/3')).body);
  });
});

function expectMembers(name: string, answer: Json): void {
  const { properties, required } = document.components.schemas[name] as { properties: Json; required: string[] };
  expect(
    Object.keys(answer).filter((member) => !(member in properties)),
    name,
  ).toEqual([]);
  expect(
    required.filter((member) => !(member in answer)),
    name,
  ).toEqual([]);
}

describe('what is not described', () => {
  const filled = (path: string) => path.replaceAll(/\{(\w+)\}/g, 'some');

  it('is refused: parameters of a query, whatever the call', async () => {
    for (const { method, path } of operations()) {
      const { status, body } = await server.send(method.toUpperCase(), filled(path), method === 'get' ? undefined : {}, {
        query: { unheardOf: '1' },
        headers: path.endsWith('/commands') ? { 'content-type': 'application/x-ndjson' } : {},
      });
      expect([status, body['code']], `${method} ${path}`).toEqual([400, 'MALFORMED']);
      expect(body['errors'] ?? body['detail'], `${method} ${path}`).toEqual(
        expect.arrayContaining([expect.objectContaining({ path: '/unheardOf' })]),
      );
    }
  });

  it('is refused: a body where none is taken; an empty one says nothing', async () => {
    const without = operations().filter(({ method, operation }) => method !== 'get' && operation.requestBody === undefined);
    expect(without.map(({ method, path }) => `${method} ${path}`).sort()).toEqual([
      'delete /v1/backends/{backend}',
      `delete ${L}/bindings/{bindingId}`,
      `delete ${L}/external/{externalId}`,
      `delete ${L}/records/{recordId}`,
      'delete /v1/records/{localModel}/{recordId}',
      'post /v1/backends/{backend}/pause',
      'post /v1/backends/{backend}/resume',
    ]);
    for (const { method, path, operation } of without) {
      const { status, body } = await server.send(method.toUpperCase(), filled(path), { unheardOf: 1 });
      expect([status, body], `${method} ${path}`).toMatchObject([
        400,
        { code: 'MALFORMED', errors: [{ path: '/unheardOf', message: 'there is no such field' }] },
      ]);
      expect((await server.send(method.toUpperCase(), filled(path), {})).body['code'], path).not.toBe('MALFORMED');
      expect(operation['x-codes'], path).toEqual(expect.arrayContaining(['TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE']));
    }
  });

  it('is refused: routes, and methods of routes', async () => {
    for (const path of ['/v2/backends', '/v1', '/v1/backend', `${LEDGER_PATH}/none`, '/v1/backends/'])
      expect((await server.get(path)).body, path).toMatchObject({ status: 404, code: 'ROUTE_NOT_FOUND', retryable: false });
    const { status, headers, body } = await server.delete(`${LEDGER_PATH}/lookup`);
    expect([status, headers['allow'], headers['content-type']]).toEqual([405, 'POST', 'application/problem+json; charset=utf-8']);
    expect(body).toMatchObject({ code: 'METHOD_NOT_ALLOWED', retryable: false });
    expect((await server.post('/v1/backends/shop')).headers['allow']).toBe('GET, PATCH, DELETE');
    expect((await server.put('/health/ready', {})).body).toMatchObject({ code: 'METHOD_NOT_ALLOWED' });
    // Of a path that several patterns match, all methods count.
    expect((await server.send('PATCH', `${LEDGER_PATH}/records/a`, {})).headers['allow']).toBe('GET, DELETE');
  });
});

describe('/docs', () => {
  it('is a page with everything that it loads, under a policy that lets it', async () => {
    const page = await server.get<string>('/docs');
    expect([page.status, page.headers['content-type']]).toEqual([200, expect.stringContaining('text/html')]);
    const policy = String(page.headers['content-security-policy']);
    expect(policy).toContain("script-src 'self'");
    expect(policy).not.toContain('upgrade-insecure-requests');
    const scripts = [...page.text.matchAll(/(?:src|href)="\.\/(docs\/[^"]+)"/g)].map(([, path]) => `/${path!}`);
    expect(scripts.length).toBeGreaterThan(3);
    for (const path of scripts) expect((await server.get(path)).status, path).toBe(200);
    expect(page.text).not.toMatch(/<script(?![^>]*src)/);
    expect((await server.get(LEDGER_PATH)).headers['content-security-policy']).toBeUndefined();
  });
});
