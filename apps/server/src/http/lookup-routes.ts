/**
 * The two lookups that jobs make a million times a day. Nest's way to a controller costs as much as the lookup itself, so on
 * these routes, which a controller describes and could serve as well, the handler is put in the place of Nest's.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isRefusal, parseId, type LedgerName, type Refusal } from '#domain';
import type { Freshness, LedgerQueries } from '#ledger';
import type { LocatedBinding } from '#read-model';
import { readQuery } from '#schemas';
import { freshnessOf, ledgerOf, queryOf } from './parameters.js';
import { problemOfError, sendProblem } from './problem-filter.js';
import { problemOf, refusedError } from './problem.js';

const LEDGER = '/v1/backends/:backend/models/:model';
type Lookup = (queries: LedgerQueries, request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;

export const toInternal = lookup('externalId', (queries, ...asked) => queries.toInternal(...asked));
export const toExternal = lookup('recordId', (queries, ...asked) => queries.toExternal(...asked));

/** To be called before the controllers' routes are registered. */
export function serveLookups(fastify: FastifyInstance, queries: LedgerQueries): void {
  const lookups: Record<string, Lookup> = {
    [`${LEDGER}/external/:externalId`]: toInternal,
    [`${LEDGER}/records/:recordId`]: toExternal,
  };
  fastify.addHook('onRoute', (route) => {
    const answer = route.method === 'GET' ? lookups[route.url] : undefined;
    if (answer !== undefined) route.handler = (request, reply) => answer(queries, request, reply);
  });
}

type Find = (queries: LedgerQueries, ledger: LedgerName, id: string, freshness?: Freshness) => Promise<LocatedBinding | Refusal>;

function lookup(parameter: string, find: Find): Lookup {
  return async (queries, request, reply) => {
    try {
      const found = await find(queries, ledgerOf(request), idFrom(request, parameter), wantedFreshness(request));
      if (!isRefusal(found)) return reply.send(found);
      sendProblem(reply, problemOf(found));
    } catch (error) {
      sendProblem(reply, problemOfError(error, request));
    }
    return reply;
  };
}

function idFrom(request: FastifyRequest, parameter: string): string {
  const parsed = parseId((request.params as Record<string, string | undefined>)[parameter]);
  if (parsed.problem === undefined) return parsed.value;
  throw refusedError('INVALID_ID', `/${parameter}: ${parsed.problem}`, {
    errors: [{ path: `/${parameter}`, message: parsed.problem }],
  });
}

function wantedFreshness(request: FastifyRequest): Freshness | undefined {
  return request.url.includes('?') ? freshnessOf(queryOf(request, readQuery)) : undefined;
}
