/**
 * The lookup that jobs make a million times a day. Nest's way to its controller costs as much as the lookup itself, so its
 * handler takes the place of the controller's on the very route that the controller describes.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isRefusal, parseId } from '#domain';
import type { Freshness } from '#ledger';
import type { OpenedLedger } from '#runtime';
import { readQuery } from '#schemas';
import { freshnessOf, ledgerOf, queryOf } from './parameters.js';
import { problemOfError, sendProblem } from './problem-filter.js';
import { problemOf, refusedError } from './problem.js';

const LOOKUP_ROUTE = '/v1/backends/:backend/models/:model/external/:externalId';

/** To be called before the controllers' routes are registered. */
export function serveLookups(fastify: FastifyInstance, opened: OpenedLedger): void {
  fastify.addHook('onRoute', (route) => {
    if (route.url === LOOKUP_ROUTE && route.method === 'GET') route.handler = (request, reply) => answer(opened, request, reply);
  });
}

async function answer({ queries }: OpenedLedger, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  try {
    const found = await queries.toInternal(ledgerOf(request), externalIdOf(request), wantedFreshness(request));
    if (!isRefusal(found)) return found;
    sendProblem(reply, problemOf(found));
  } catch (error) {
    sendProblem(reply, problemOfError(error, request));
  }
  return reply;
}

function externalIdOf(request: FastifyRequest): string {
  const parsed = parseId((request.params as { externalId?: string }).externalId);
  if (parsed.problem === undefined) return parsed.value;
  throw refusedError('INVALID_ID', `/externalId: ${parsed.problem}`, {
    errors: [{ path: '/externalId', message: parsed.problem }],
  });
}

function wantedFreshness(request: FastifyRequest): Freshness | undefined {
  return request.url.includes('?') ? freshnessOf(queryOf(request, readQuery)) : undefined;
}
