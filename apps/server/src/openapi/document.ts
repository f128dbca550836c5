/** The API's own description: made from the schemas that admit requests, and from what stands at the routes. */
import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import type { z } from 'zod';
import { commandLine, problemAnswer } from '#schemas';
import { EVENT_STREAM } from '../feed/event-stream.js';
import { NDJSON } from '../http/body-parsers.js';
import { VERSION } from '../version.js';
import { BODY_EXAMPLES, PATH_EXAMPLES } from './examples.js';

type OperationObject = NonNullable<OpenAPIObject['paths'][string]['get']>;

const DESCRIPTION =
  'Which local record is known as what on which other system: recorded as events, answered from a read model. ' +
  'This description as JSON: [/openapi.json](/openapi.json). What is filled in below works on what `npm run demo` leaves.';
const EVENT_BLOCKS = {
  type: 'string',
  description:
    'Blocks with `id:` (the position) and `data:` (an `Event` as JSON); one without `data:` only says how far the stream is.',
};

export function createDocument(app: INestApplication): OpenAPIObject {
  const config = new DocumentBuilder()
    .setTitle('Binding ledger')
    .setDescription(DESCRIPTION)
    .setVersion(VERSION)
    .addServer('/', 'The server that this description comes from.')
    .build();
  const document = SwaggerModule.createDocument(app, config, { operationIdFactory: operationId });
  addComponents(document, problemAnswer, commandLine);
  for (const [call, operation] of operationsOf(document)) {
    correct(operation);
    addExamples(call, operation);
  }
  addMissingTypes(document);
  return document;
}

/** What the generator says wrongly: what has a default is not required, and a line of NDJSON, or an event of a stream, is not a page but an item of one. */
function correct(operation: OperationObject): void {
  for (const parameter of operation.parameters ?? []) {
    if ('in' in parameter && parameter.in === 'query' && hasDefault(parameter.schema)) parameter.required = false;
  }
  const { requestBody } = operation;
  if (requestBody !== undefined && 'content' in requestBody) {
    if (Object.values(requestBody.content).some(({ schema }) => hasDefault(schema))) requestBody.required = false;
  }
  for (const response of Object.values(operation.responses)) {
    const content = response !== undefined && 'content' in response ? response.content : undefined;
    const lines = content?.[NDJSON]?.schema;
    if (lines !== undefined && '$ref' in lines) lines.$ref = lines.$ref.replace(/Page$/, '');
    if (content?.[EVENT_STREAM] !== undefined) content[EVENT_STREAM].schema = EVENT_BLOCKS;
  }
}

function hasDefault(schema: object | undefined): boolean {
  return schema !== undefined && 'default' in schema;
}

const METHODS = ['get', 'put', 'post', 'patch', 'delete'] as const;

/** Each with its method and path. */
function operationsOf({ paths }: OpenAPIObject): [call: string, OperationObject][] {
  return Object.entries(paths).flatMap(([path, item]) =>
    METHODS.flatMap((method): [string, OperationObject][] => {
      const operation = item[method];
      return operation === undefined ? [] : [[`${method} ${path}`, operation]];
    }),
  );
}

function addExamples(call: string, { parameters = [], requestBody }: OperationObject): void {
  for (const parameter of parameters) {
    const example = 'in' in parameter && parameter.in === 'path' ? PATH_EXAMPLES[parameter.name] : undefined;
    if (example !== undefined && 'in' in parameter) parameter.example = example;
  }
  const example = BODY_EXAMPLES[call];
  if (example === undefined || requestBody === undefined || !('content' in requestBody)) return;
  for (const content of Object.values(requestBody.content)) content.example = example;
  if (Object.keys(example).length === 0) requestBody.required = false;
}

/** OpenAPI 3.0 lets only a schema with a type be `nullable`; the generator leaves it out where it refers to another schema. */
function addMissingTypes(part: unknown): void {
  if (typeof part !== 'object' || part === null) return;
  const schema = part as { nullable?: unknown; type?: unknown; allOf?: unknown };
  if (schema.nullable === true && schema.type === undefined && schema.allOf !== undefined) schema.type = 'object';
  for (const member of Object.values(part)) addMissingTypes(member);
}

/** Generators of clients make a name of it, in which no dot may be. */
function operationId(controller: string, method: string): string {
  const area = controller.replace(/Controller$/, '');
  return `${area.charAt(0).toLowerCase()}${area.slice(1)}_${method}`;
}

/** Schemas that routes only refer to. */
function addComponents(document: OpenAPIObject, ...schemas: z.ZodType[]): void {
  document.components ??= {};
  const components = (document.components.schemas ??= {}) as Record<string, unknown>;
  for (const schema of schemas) {
    const { definitions = {} } = inlined(schema);
    Object.assign(components, definitions);
  }
}

function inlined(schema: z.ZodType): { definitions?: Record<string, unknown>; [member: string]: unknown } {
  const converted = schema['~standard'].jsonSchema.input({ target: 'openapi-3.0' });
  const text = JSON.stringify(converted).replaceAll('#/definitions/', '#/components/schemas/');
  return JSON.parse(text) as { definitions?: Record<string, unknown> };
}
