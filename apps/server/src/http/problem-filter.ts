import { Catch, HttpException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { EventStoreError } from '#event-store';
import { VaultError } from '#vault';
import { refusalOfStore } from '#ledger';
import { ReadModelError } from '#read-model';
import type { KnownRoutes } from './known-routes.js';
import { RETRY_AFTER_SECONDS } from './problem-codes.js';
import { problemOf, RefusedError, type ProblemDocument, type Refused } from './problem.js';

export const PROBLEM_JSON = 'application/problem+json; charset=utf-8';

/** What Fastify itself refuses, before a controller is asked. Its own messages could quote the request. */
const FASTIFY_REFUSALS: Readonly<Record<string, Refused>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: { refused: 'TOO_LARGE', detail: 'a body has at most 1 MiB' },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: {
    refused: 'UNSUPPORTED_MEDIA_TYPE',
    detail: 'a body is application/json; commands are application/x-ndjson',
  },
  FST_ERR_BAD_URL: { refused: 'MALFORMED', detail: 'the path is not percent-encoded UTF-8' },
  FST_ERR_MAX_PARAM_LENGTH: { refused: 'INVALID_ID', detail: 'an id has at most 512 bytes of UTF-8' },
};

/** Answers everything that went wrong as problem details, in one place. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly routes: KnownRoutes) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const reply = http.getResponse<FastifyReply>();
    const methods = isUnknownRoute(error) ? this.routes.methodsOf(request.url) : [];
    if (methods.length > 0) void reply.header('allow', methods.join(', '));
    sendProblem(reply, methods.length > 0 ? problemOfMethod(request.method, methods) : problemOfError(error, request));
    // What is still being sent is thrown away, so that the sender gets to read the answer.
    if (!request.raw.readableEnded) request.raw.resume();
  }
}

export function problemOfError(error: unknown, request: FastifyRequest): ProblemDocument {
  const refusal = refusalOfError(error);
  if (refusal !== undefined) return problemOf(refusal);
  if (isUnknownRoute(error))
    return problemOf({ refused: 'ROUTE_NOT_FOUND', detail: 'there is no such route: /docs lists those that there are' });
  if (brokeOff(error, request)) {
    request.log.debug('the sender went away before the end of the body');
    return problemOf({ refused: 'MALFORMED', detail: 'the body ends before its end' });
  }
  request.log.error({ err: error }, 'a request failed');
  return { ...plain(500, 'Internal Server Error', 'the server failed; its log says why'), correlationId: request.id };
}

/** Whoever sends may go away at any time: that is no fault of the server. */
function brokeOff(error: unknown, request: FastifyRequest): boolean {
  if (error instanceof HttpException && error.cause !== undefined) return brokeOff(error.cause, request);
  const { code } = (error ?? {}) as { code?: unknown };
  return code === 'ECONNRESET' && !request.raw.complete;
}

/** What Nest throws when no controller has the route. */
function isUnknownRoute(error: unknown): boolean {
  return error instanceof HttpException && error.getStatus() === 404 && error.cause === undefined;
}

function problemOfMethod(method: string, methods: readonly string[]): ProblemDocument {
  return problemOf({ refused: 'METHOD_NOT_ALLOWED', detail: `the route has ${methods.join(', ')}, but not ${method}` });
}

export function refusalOfError(error: unknown): Refused | undefined {
  if (error instanceof RefusedError) return error.refusal;
  if (error instanceof EventStoreError || error instanceof ReadModelError || error instanceof VaultError)
    return refusalOfStore(error);
  // Nest wraps what Fastify threw.
  if (error instanceof HttpException && error.cause !== undefined) return refusalOfError(error.cause);
  const { code, statusCode } = (error ?? {}) as { code?: unknown; statusCode?: unknown };
  if (typeof code !== 'string' || !code.startsWith('FST_ERR_') || typeof statusCode !== 'number' || statusCode >= 500)
    return undefined;
  return FASTIFY_REFUSALS[code] ?? { refused: 'MALFORMED', detail: `the request is not well formed (${code})` };
}

/** A problem that has no code of the contract: HTTP's own status says it all. */
function plain(status: number, title: string, detail: string): ProblemDocument {
  return { type: 'about:blank', title, status, detail, retryable: false };
}

export function sendProblem(reply: FastifyReply, problem: ProblemDocument): void {
  if (reply.sent) return;
  if (problem.status === 503 || problem.status === 429) void reply.header('retry-after', String(RETRY_AFTER_SECONDS));
  void reply.code(problem.status).header('content-type', PROBLEM_JSON).send(JSON.stringify(problem));
}
