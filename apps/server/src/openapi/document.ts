/** The API's own description: made from the schemas that admit requests, and from what stands at the routes. */
import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import type { z } from 'zod';
import { commandLine, problemAnswer } from '#schemas';
import { EVENT_STREAM } from '../feed/event-stream.js';
import { NDJSON } from '../http/body-parsers.js';

type OperationObject = NonNullable<OpenAPIObject['paths'][string]['get']>;

const VERSION = '1';
const EVENT_BLOCKS = {
  type: 'string',
  description:
    'Blocks with `id:` (the position) and `data:` (an `Event` as JSON); one without `data:` only says how far the stream is.',
};

export function createDocument(app: INestApplication): OpenAPIObject {
  const config = new DocumentBuilder()
    .setTitle('Binding ledger')
    .setDescription('Which local record is known as what on which other system: recorded as events, answered from a read model.')
    .setVersion(VERSION)
    .build();
  const document = SwaggerModule.createDocument(app, config, { operationIdFactory: operationId });
  addComponents(document, problemAnswer, commandLine);
  for (const operation of operationsOf(document)) correct(operation);
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

function operationsOf({ paths }: OpenAPIObject): OperationObject[] {
  return Object.values(paths).flatMap(({ get, put, post, patch, delete: remove }) =>
    [get, put, post, patch, remove].filter((operation) => operation !== undefined),
  );
}

function operationId(controller: string, method: string): string {
  const area = controller.replace(/Controller$/, '');
  return `${area.charAt(0).toLowerCase()}${area.slice(1)}.${method}`;
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
