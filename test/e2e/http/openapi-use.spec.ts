/** What the API's description is for besides being read: trying calls out on the page, and making clients of it. */
import { Ajv } from 'ajv';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandsOnOneLine } from '../../../apps/server/src/openapi/examples.js';
import { VERSION } from '../../../apps/server/src/version.js';
import { TestServer } from '../../support/http-server.js';

const L = '/v1/backends/{backend}/models/{model}';

interface Operation {
  operationId: string;
  parameters?: { name: string; in: string; required?: boolean; schema?: object; example?: unknown; examples?: unknown }[];
  requestBody?: { required?: boolean; content: Record<string, { schema: object; example?: unknown }> };
}
interface Document {
  info: { version: string };
  servers: { url: string }[];
  paths: Record<string, Record<string, Operation>>;
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

it('the page is where the address of the server leads', async () => {
  const { status, headers } = await server.get('/');
  expect([status, headers['location']]).toEqual([302, 'docs']);
});

describe('what /docs fills in', () => {
  it('is nothing that may be left out', () => {
    const wrong = operations().flatMap(({ method, path, operation: { parameters = [] } }) =>
      parameters
        .filter(({ required }) => required !== true)
        .filter((parameter) => /"(example|examples|default)":/.test(JSON.stringify(parameter)))
        .map(({ name }) => `${method} ${path}: ${name}`),
    );
    expect(wrong).toEqual([]);
  });

  it('is a body that the schema of the body admits, for every body', () => {
    const ajv = new Ajv({ strict: false, validateFormats: false });
    ajv.addSchema(document, 'document');
    const examples = operations().flatMap(({ method, path, operation: { requestBody } }) =>
      Object.values(requestBody?.content ?? {}).map(({ schema, example }) => ({ call: `${method} ${path}`, schema, example })),
    );
    expect(examples.length).toBeGreaterThan(15);
    for (const { call, schema, example } of examples) {
      expect(example, call).toBeDefined();
      const inDocument = JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"document#/')) as object;
      expect([ajv.validate(inDocument, example), ajv.errorsText()], call).toEqual([true, 'No errors']);
    }
    const optional = examples.filter(({ example }) => JSON.stringify(example) === '{}').map(({ call }) => call);
    expect(optional).toEqual(expect.arrayContaining([`post ${L}/verify`, `post ${L}/rebuild`]));
  });

  it('names what the demonstration leaves, in every path but for the ids that the ledger makes', () => {
    const parameters = operations().flatMap(({ operation }) => operation.parameters ?? []);
    const without = parameters.filter(({ in: where, example }) => where === 'path' && example === undefined);
    expect(new Set(without.map(({ name }) => name))).toEqual(new Set(['bindingId']));
  });

  it('sends commands a line each', () => {
    const headers = { 'Content-Type': 'application/x-ndjson' };
    const shown = '{\n  "op": "bind",\n  "recordId": "UKR"\n}';
    expect(commandsOnOneLine({ headers, body: shown }).body).toBe('{"op":"bind","recordId":"UKR"}\n');
    for (const body of ['{"op":"bind"}\n{"op":"sync"}\n', 'no JSON'])
      expect(commandsOnOneLine({ headers, body }).body).toBe(body);
    expect(commandsOnOneLine({ headers: { 'Content-Type': 'application/json' }, body: shown }).body).toBe(shown);
  });

  it('is carried out by the page itself', async () => {
    expect((await server.get<string>('/docs/swagger-ui-init.js')).text).toMatch(
      /"requestInterceptor": function|"requestInterceptor": \(/,
    );
  });
});

describe('for generators, the OpenAPI document', () => {
  it('says where it is served, and of which version it is', () => {
    expect(document.servers.map(({ url }) => url)).toEqual(['/']);
    expect(document.info.version).toBe(VERSION);
  });

  it('has names of operations that can be names in a program, each once', () => {
    const names = operations().map(({ operation }) => operation.operationId);
    expect(names.filter((name) => !/^[a-z][A-Za-z0-9]*_[a-z][A-Za-z0-9]*$/.test(name))).toEqual([]);
    expect(new Set(names).size).toBe(names.length);
  });

  it('has no schema that contradicts itself', () => {
    const visit = (part: unknown, path: string): string[] => {
      if (typeof part !== 'object' || part === null) return [];
      const { type, nullable, enum: values } = part as Record<string, unknown>;
      const ofTexts = Array.isArray(values) && values.some((value) => typeof value === 'string');
      const wrong = (nullable === true && type === undefined) || (type === 'boolean' && ofTexts);
      return [...(wrong ? [path] : []), ...Object.entries(part).flatMap(([name, member]) => visit(member, `${path}/${name}`))];
    };
    expect(visit(document, '')).toEqual([]);
  });
});
