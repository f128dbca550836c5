/** What is done with every request, whatever its route. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Metrics } from '../metrics.js';

const DOCS = '/docs';

export function registerHooks(fastify: FastifyInstance, metrics: Metrics): void {
  fastify.addHook('onRequest', (request, reply, done) => {
    void reply.header('x-correlation-id', request.id).header('x-content-type-options', 'nosniff');
    done();
  });
  fastify.addHook('onResponse', (request, reply, done) => {
    measure(metrics, request, reply);
    log(request, reply);
    done();
  });
  // Pages need what helmet sets; answers of the API are no pages.
  fastify.addHook('onRequest', (request, reply, done) => {
    if (request.url.startsWith(DOCS)) reply.helmet();
    done();
  });
}

function measure(metrics: Metrics, { method, routeOptions }: FastifyRequest, reply: FastifyReply): void {
  const { url } = routeOptions;
  if (url === undefined || !url.startsWith('/v1/')) return;
  const kind = method === 'GET' || method === 'HEAD' || url.endsWith('/lookup') ? 'query' : 'command';
  metrics.request(kind, `${method} ${url}`, reply.statusCode, reply.elapsedTime);
}

/** Neither bodies nor headers, and of the URL only the path. */
function log(request: FastifyRequest, reply: FastifyReply): void {
  const { statusCode } = reply;
  const level = statusCode >= 500 ? 'warn' : 'debug';
  request.log[level]({ req: request, status: statusCode, ms: reply.elapsedTime }, 'answered');
}
