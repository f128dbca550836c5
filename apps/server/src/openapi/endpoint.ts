/** What the OpenAPI document says of a route: its answers, and every code that it can refuse with. */
import { STATUS_CODES } from 'node:http';
import { applyDecorators, HttpCode } from '@nestjs/common';
import {
  ApiBody,
  ApiConsumes,
  ApiExtension,
  ApiHeader,
  ApiOperation,
  ApiParam,
  ApiProduces,
  ApiQuery,
  ApiResponse,
} from '@nestjs/swagger';
import type { z } from 'zod';
import { reasonQuery, writeQuery } from '#schemas';
import { PROBLEM_KINDS, type ProblemCode } from '../http/problem-codes.js';

export const CODES_EXTENSION = 'x-codes';
export const PROBLEM_REFERENCE = '#/components/schemas/Problem';

const ALWAYS: readonly ProblemCode[] = ['MALFORMED', 'STORE_UNAVAILABLE'];
/** Of all writes: a body is refused by its type and size also where none is taken. */
const OF_BODIES: readonly ProblemCode[] = ['TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'];
const OF_LEDGERS: readonly ProblemCode[] = ['BACKEND_NOT_FOUND', 'MODEL_NOT_FOUND', 'MODEL_BACKEND_MISMATCH'];
const OF_WRITES: readonly ProblemCode[] = ['BUSY', 'OUTCOME_UNKNOWN'];
const OF_LEDGER_WRITES: readonly ProblemCode[] = [
  'BACKEND_PAUSED',
  'LEDGER_CLOSED',
  'IDEMPOTENCY_KEY_REUSED',
  'VERSION_MISMATCH',
];

export interface EndpointDescription {
  summary: string;
  description?: string;
  /** By status. */
  answers: Readonly<Record<number, z.ZodType>>;
  /** Besides those that every route of its kind has. */
  codes?: readonly ProblemCode[];
  /** Takes a body. */
  body?: boolean;
  /** Query parameters, where they do not stand at a `@Query`. */
  query?: z.ZodType;
  /** Media types of the answers, besides problems. */
  produces?: readonly string[];
  consumes?: string;
}

/** A route that reads a ledger. */
export function LedgerRead(described: EndpointDescription): MethodDecorator {
  const query = described.query === undefined ? [] : queryParameters(described.query);
  return endpoint(described, [...OF_LEDGERS, 'NOT_YET_PROJECTED'], [...LEDGER_PARAMETERS, CORRELATION_HEADER, ...query]);
}

/** A route that does a command of a ledger. */
export function LedgerWrite(described: EndpointDescription): MethodDecorator {
  const parameters = [
    ...LEDGER_PARAMETERS,
    CORRELATION_HEADER,
    ...WRITE_HEADERS,
    ...queryParameters(described.query ?? writeQuery),
  ];
  return endpoint(described, [...OF_LEDGERS, ...OF_WRITES, ...OF_BODIES, ...OF_LEDGER_WRITES], parameters);
}

/** The route that does commands by the thousand: each line has its own options, and is refused for itself. */
export function LedgerBulk(described: EndpointDescription): MethodDecorator {
  const body = ApiBody({ required: true, schema: { $ref: '#/components/schemas/Command' } });
  return endpoint(
    described,
    [...OF_LEDGERS, ...OF_WRITES, ...OF_BODIES],
    [...LEDGER_PARAMETERS, CORRELATION_HEADER, ON_BEHALF_OF_HEADER, body],
  );
}

/** A route that reads something that is not of one ledger. */
export function Read(described: EndpointDescription): MethodDecorator {
  const query = described.query === undefined ? [] : queryParameters(described.query);
  return endpoint(described, [], [CORRELATION_HEADER, ...query]);
}

/** A route that changes something that is not of one ledger. */
export function Write(described: EndpointDescription): MethodDecorator {
  const codes: ProblemCode[] = [...OF_WRITES, ...OF_BODIES, 'IDEMPOTENCY_KEY_REUSED'];
  return endpoint(described, codes, [CORRELATION_HEADER, ON_BEHALF_OF_HEADER, KEY_HEADER, ...queryParameters(reasonQuery)]);
}

/** A route that reads something that is not of one ledger, and records that it was read. */
export function RecordedRead(described: EndpointDescription): MethodDecorator {
  return endpoint(described, OF_WRITES, [CORRELATION_HEADER, ON_BEHALF_OF_HEADER, ...queryParameters(reasonQuery)]);
}

/** A route for those who run the server: it takes nothing, so it refuses nothing of a request. */
export function Operation(described: EndpointDescription): MethodDecorator {
  return describe(described, described.codes ?? [], []);
}

const LEDGER_PARAMETERS = [
  ApiParam({ name: 'backend', description: 'Id of the backend.', schema: { type: 'string' } }),
  ApiParam({ name: 'model', description: 'Name of the model.', schema: { type: 'string' } }),
];
const CORRELATION_HEADER = ApiHeader({
  name: 'X-Correlation-Id',
  required: false,
  description: 'Stands in the answer, in events and in logs; made when absent.',
});
const ON_BEHALF_OF_HEADER = ApiHeader({
  name: 'X-On-Behalf-Of',
  required: false,
  description: 'For whom the caller does it; recorded.',
});
const KEY_HEADER = ApiHeader({
  name: 'Idempotency-Key',
  required: false,
  description: 'The same key and request gives the first answer again, for 24 hours.',
});
const WRITE_HEADERS = [
  ON_BEHALF_OF_HEADER,
  KEY_HEADER,
  ApiHeader({
    name: 'If-Match',
    required: false,
    description: 'The version that the binding must have, in quotation marks, such as `"3"`.',
  }),
];

function queryParameters(schema: z.ZodType): MethodDecorator[] {
  const { properties = {}, required = [] } = schema['~standard'].jsonSchema.input({ target: 'openapi-3.0' }) as {
    properties?: Record<string, object>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, of]) => ApiQuery({ name, required: required.includes(name), schema: of }));
}

function endpoint(
  described: EndpointDescription,
  kindCodes: readonly ProblemCode[],
  parameters: MethodDecorator[],
): MethodDecorator {
  const codes = new Set([...ALWAYS, ...(described.body === true ? OF_BODIES : []), ...kindCodes, ...(described.codes ?? [])]);
  return describe(described, [...codes], parameters);
}

function describe(
  { summary, description, answers, produces, consumes }: EndpointDescription,
  codes: readonly ProblemCode[],
  parameters: MethodDecorator[],
): MethodDecorator {
  const [status = 200] = Object.keys(answers).map(Number);
  return applyDecorators(
    HttpCode(status),
    ApiOperation({ summary, description }),
    ApiExtension(CODES_EXTENSION, codes),
    ...parameters,
    ...(produces === undefined ? [] : [ApiProduces(...produces)]),
    ...(consumes === undefined ? [] : [ApiConsumes(consumes)]),
    ...Object.entries(answers).map(([of, standardSchema]) =>
      ApiResponse({ status: Number(of), description: STATUS_CODES[of] ?? '', standardSchema }),
    ),
    ...problemResponses(codes),
  );
}

function problemResponses(codes: readonly ProblemCode[]): MethodDecorator[] {
  const statuses = [...new Set(codes.map((code) => PROBLEM_KINDS[code].status))];
  return statuses.map((status) =>
    ApiResponse({
      status,
      description: codes.filter((code) => PROBLEM_KINDS[code].status === status).join(', '),
      content: { 'application/problem+json': { schema: { $ref: PROBLEM_REFERENCE } } },
    }),
  );
}
