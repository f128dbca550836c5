import { Body, Controller, Inject, Param, Post, Query, Req } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { parseName } from '#domain';
import type { LookupResult } from '#ledger';
import { OPENED_LEDGER } from '#nest';
import type { LocatedBinding } from '#read-model';
import type { OpenedLedger } from '#runtime';
import { acrossQuery, backendLookupAnswer, backendLookupBody, MAX_LOOKUP_IDS } from '#schemas';
import { orThrow, refusedError, type RefusedError } from '../http/problem.js';
import { Read } from '../openapi/endpoint.js';
import { awaitAll } from './across.js';

type Wanted = { externalIds?: string[]; recordIds?: string[] };
const NOTHING: LookupResult = { found: {}, missing: [] };

@ApiTags('Backends')
@Controller('v1/backends/:backend/lookup')
export class BackendLookupController {
  constructor(@Inject(OPENED_LEDGER) private readonly opened: OpenedLedger) {}

  @Post()
  @Read({
    summary: 'Look up ids of several models at once, at most 1,000 in all',
    answers: { 200: backendLookupAnswer },
    codes: ['BACKEND_NOT_FOUND', 'MODEL_NOT_FOUND', 'MODEL_BACKEND_MISMATCH', 'TOO_LARGE', 'INVALID_ID', 'NOT_YET_PROJECTED'],
    body: true,
  })
  async lookup(
    @Param('backend') backend: string,
    @Body({ schema: backendLookupBody }) body: z.output<typeof backendLookupBody>,
    @Query({ schema: acrossQuery }) { atLeast = [], timeout }: z.output<typeof acrossQuery>,
    @Req() request: FastifyRequest,
  ): Promise<Record<string, LookupResult>> {
    orThrow(await this.opened.backends.get(backend));
    // The schema leaves this name out of what it admits.
    if (Object.hasOwn(request.body as object, '__proto__')) throw noSuchModel('__proto__');
    const wanted = Object.entries(body);
    const count = wanted.reduce(
      (sum, [, { externalIds = [], recordIds = [] }]) => sum + externalIds.length + recordIds.length,
      0,
    );
    if (count > MAX_LOOKUP_IDS) throw refusedError('TOO_LARGE', `a lookup has at most ${MAX_LOOKUP_IDS} ids`);
    await awaitAll(this.opened.queries, atLeast, timeout);
    const found = await Promise.all(
      wanted.map(async ([model, ids]) => [model, await this.inLedger(backend, model, ids)] as const),
    );
    return Object.fromEntries(found);
  }

  private async inLedger(backend: string, model: string, { externalIds, recordIds }: Wanted): Promise<LookupResult> {
    if (parseName(model).problem !== undefined) throw noSuchModel(model);
    const ledger = { backend, model };
    const { queries } = this.opened;
    const byExternalId = externalIds === undefined ? NOTHING : orThrow(await queries.lookup(ledger, { externalIds }));
    const byRecord = recordIds === undefined ? NOTHING : orThrow(await queries.lookup(ledger, { recordIds }));
    if (externalIds === undefined && recordIds === undefined) orThrow(await queries.status(ledger));
    return merged(byExternalId, byRecord);
  }
}

function noSuchModel(model: string): RefusedError {
  return refusedError('MODEL_NOT_FOUND', `there is no model ${JSON.stringify(model.slice(0, 100))}`);
}

/** The same text may be an external id and a record id: what was found by either stands beneath it. */
function merged(one: LookupResult, other: LookupResult): LookupResult {
  const found = new Map<string, LocatedBinding[]>(Object.entries(one.found));
  for (const [id, bindings] of Object.entries(other.found)) {
    const before = found.get(id) ?? [];
    found.set(id, [...before, ...bindings.filter((binding) => !before.some((known) => known.id === binding.id))]);
  }
  return { found: Object.fromEntries(found), missing: [...new Set([...one.missing, ...other.missing])] };
}
