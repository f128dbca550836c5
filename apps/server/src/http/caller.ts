/** Who calls, and in what connection: what every event remembers of the request that made it. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { FastifyRequest } from 'fastify';
import type { RequestContext } from '#domain';
import { refusedError } from './problem.js';

export const ANONYMOUS = 'anonymous';
const CORRELATION_ID = 'x-correlation-id';
const ON_BEHALF_OF = 'x-on-behalf-of';
const HEADER_TEXT = /^[\x21-\x7e](?:[\x20-\x7e]{0,198}[\x21-\x7e])?$/;

/** Fastify's request id is the correlation id: it stands in log lines, in the answer's header and in events. */
export function correlationIdOf(request: Pick<IncomingMessage, 'headers'>): string {
  const given = request.headers[CORRELATION_ID];
  return typeof given === 'string' && HEADER_TEXT.test(given) ? given : randomUUID();
}

/** The one place that says who the caller is. Without API keys, everybody is anonymous. */
export function actorOf(_request: FastifyRequest): string {
  return ANONYMOUS;
}

export function contextOf(request: FastifyRequest): RequestContext {
  headerText(request, CORRELATION_ID);
  const onBehalfOf = headerText(request, ON_BEHALF_OF);
  const context: RequestContext = { actor: actorOf(request), correlationId: request.id };
  if (onBehalfOf !== undefined) context.onBehalfOf = onBehalfOf;
  return context;
}

/** A header that is kept: printable ASCII, at most 200 characters. */
export function headerText(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name];
  if (value === undefined) return undefined;
  if (typeof value === 'string' && HEADER_TEXT.test(value)) return value;
  throw refusedError('MALFORMED', `${name} is printable ASCII of 1 to 200 characters`, {
    errors: [{ path: `/${name}`, message: 'is not well formed' }],
  });
}
