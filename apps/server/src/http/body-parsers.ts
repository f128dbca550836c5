/** How bodies are read: JSON in full and strictly, the commands of a bulk stream not at all. */
import { isUtf8 } from 'node:buffer';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { refusedError } from './problem.js';

/** Bodies other than bulk streams. */
export const MAX_BODY_BYTES = 1_048_576;
export const NDJSON = 'application/x-ndjson';
/** Ends the path of the one route that takes a stream. */
const STREAM_ROUTE_END = '/commands';

export function registerBodyParsers(fastify: FastifyInstance): void {
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer', bodyLimit: MAX_BODY_BYTES },
    async (request: FastifyRequest, body: Buffer) => {
      if (takesStream(request)) throw refusedError('UNSUPPORTED_MEDIA_TYPE', `commands are ${NDJSON}`);
      return parseJson(body);
    },
  );
  fastify.addContentTypeParser(NDJSON, (request, payload, done) => {
    if (takesStream(request)) done(null, payload);
    else done(refusedError('UNSUPPORTED_MEDIA_TYPE', 'a body is application/json; only commands are a stream'));
  });
}

function takesStream(request: FastifyRequest): boolean {
  return request.routeOptions.url?.endsWith(STREAM_ROUTE_END) === true;
}

/**
 * An empty body is none, whatever its type says. What is not UTF-8 is refused, because a replaced byte would make another
 * id of it. The parser's own words are not passed on: they quote the body, which may hold a secret.
 */
function parseJson(body: Buffer): unknown {
  if (body.length === 0) return undefined;
  if (!isUtf8(body)) throw refusedError('MALFORMED', 'the body is not UTF-8');
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    throw refusedError('MALFORMED', 'the body is not JSON');
  }
}
