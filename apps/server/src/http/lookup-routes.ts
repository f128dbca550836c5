/**
 * The two lookups that jobs make a million times a day. Nest's way to a controller costs as much as the lookup itself, so on
 * these routes, which a controller describes and could serve as well, the handler is put in the place of Nest's.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isRefusal, ledgerKey, parseId, type LedgerName, type Refusal } from '#domain';
import type { AsOf, BindingAsOf, Freshness, LocatedRefusal } from '#ledger';
import type { LocatedBinding } from '#read-model';
import type { OpenedLedger } from '#runtime';
import { lookupQuery } from '#schemas';
import { LEDGER_REVISION } from './headers.js';
import { freshnessOf, ledgerOf, queryOf } from './parameters.js';
import { problemOfError, sendProblem } from './problem-filter.js';
import { problemOf, refusedError } from './problem.js';

const LEDGER = '/v1/backends/:backend/models/:model';
type Ledgers = Pick<OpenedLedger, 'queries' | 'past'>;
type Lookup = (ledgers: Ledgers, request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;

export const toInternal = lookup('externalId', {
  now: ({ queries }, ...asked) => queries.toInternal(...asked),
  asOf: ({ past }, ...asked) => past.toInternal(...asked),
});
export const toExternal = lookup('recordId', {
  now: ({ queries }, ...asked) => queries.toExternal(...asked),
  asOf: ({ past }, ...asked) => past.toExternal(...asked),
});

/** To be called before the controllers' routes are registered. */
export function serveLookups(fastify: FastifyInstance, ledgers: Ledgers): void {
  const lookups: Record<string, Lookup> = {
    [`${LEDGER}/external/:externalId`]: toInternal,
    [`${LEDGER}/records/:recordId`]: toExternal,
  };
  fastify.addHook('onRoute', (route) => {
    const answer = route.method === 'GET' ? lookups[route.url] : undefined;
    if (answer !== undefined) route.handler = (request, reply) => answer(ledgers, request, reply);
  });
}

interface Find {
  now(ledgers: Ledgers, ledger: LedgerName, id: string, freshness?: Freshness): Promise<LocatedBinding | Refusal>;
  asOf(ledgers: Ledgers, ledger: LedgerName, id: string, asOf: AsOf, freshness: Freshness): Promise<BindingAsOf | LocatedRefusal>;
}

function lookup(parameter: string, find: Find): Lookup {
  return async (ledgers, request, reply) => {
    try {
      const [ledger, id] = [ledgerOf(request), idFrom(request, parameter)];
      const { asOf, freshness } = wanted(request);
      if (asOf !== undefined) return answer(reply, ledger, await find.asOf(ledgers, ledger, id, asOf, freshness ?? {}));
      answer(reply, ledger, await find.now(ledgers, ledger, id, freshness));
    } catch (error) {
      sendProblem(reply, problemOfError(error, request));
    }
    return reply;
  };
}

function answer(
  reply: FastifyReply,
  ledger: LedgerName,
  found: LocatedBinding | BindingAsOf | Refusal | LocatedRefusal,
): FastifyReply {
  if (isRefusal(found)) {
    sendProblem(reply, problemOf(found));
    return reply;
  }
  if ('asOf' in found) void reply.header(LEDGER_REVISION, `${ledgerKey(ledger)}@${found.asOf.revision}`);
  return reply.send(found);
}

function idFrom(request: FastifyRequest, parameter: string): string {
  const parsed = parseId((request.params as Record<string, string | undefined>)[parameter]);
  if (parsed.problem === undefined) return parsed.value;
  throw refusedError('INVALID_ID', `/${parameter}: ${parsed.problem}`, {
    errors: [{ path: `/${parameter}`, message: parsed.problem }],
  });
}

function wanted(request: FastifyRequest): { asOf?: AsOf; freshness?: Freshness } {
  if (!request.url.includes('?')) return {};
  const { asOf, ...freshness } = queryOf(request, lookupQuery);
  return { asOf, freshness: freshnessOf(freshness) };
}
