/** Headers that change what a request means, and that this server does not serve: they are refused, and not passed over. */
import type { Server } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { refusedError, type RefusedError } from './problem.js';

const CONTINUE = '100-continue';

/** Node would refuse what it does not know itself, without a body: so it becomes a request like any other, and the hook refuses it. */
export function serveExpectations(server: Server): void {
  server.on('checkExpectation', (request, response) => void server.emit('request', request, response));
}

export function refuseUnservedHeaders(fastify: FastifyInstance): void {
  fastify.addHook('onRequest', (request, _reply, done) => done(problemOfHeaders(request)));
}

function problemOfHeaders({ headers, raw }: FastifyRequest): RefusedError | undefined {
  const { host, expect } = headers;
  if (host === undefined && raw.httpVersion === '1.1') return malformed('host', 'a request of HTTP/1.1 names its host');
  if (expect !== undefined && expect.toLowerCase() !== CONTINUE) return malformed('expect', `only ${CONTINUE} can be expected`);
  const encoding = headers['content-encoding'];
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  if (!hasBody || encoding === undefined || encoding.toLowerCase() === 'identity') return undefined;
  // What is packed would be read as if it were not.
  return refusedError('UNSUPPORTED_MEDIA_TYPE', 'a body is sent as it is, without Content-Encoding');
}

function malformed(name: string, detail: string): RefusedError {
  return refusedError('MALFORMED', detail, { errors: [{ path: `/${name}`, message: 'is not well formed' }] });
}
