import { Body, Controller, Get, Inject, Post, Query } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import type { LedgerName } from '#domain';
import type { Digest, LedgerStatusView, LookupResult } from '#ledger';
import { LedgerStatusQuery, LookupQuery, OPENED_LEDGER, type LookupInput } from '#nest';
import type { OpenedLedger } from '#runtime';
import { digestAnswer, ledgerStatusAnswer, lookupAnswer, lookupBody, readQuery } from '#schemas';
import { freshnessOf, TheLedger } from '../http/parameters.js';
import { RefusedError, orThrow } from '../http/problem.js';
import { LedgerRead } from '../openapi/endpoint.js';

type ReadQuery = z.output<typeof readQuery>;

/** One ledger as a whole. */
@ApiTags('Ledgers')
@Controller('v1/backends/:backend/models/:model')
export class LedgerController {
  constructor(
    @Inject(QueryBus) private readonly queries: QueryBus,
    @Inject(OPENED_LEDGER) private readonly opened: OpenedLedger,
  ) {}

  @Get()
  @LedgerRead({ summary: 'State, counts and freshness', answers: { 200: ledgerStatusAnswer } })
  async status(@TheLedger() ledger: LedgerName, @Query({ schema: readQuery }) query: ReadQuery): Promise<LedgerStatusView> {
    return orThrow(await this.queries.execute(new LedgerStatusQuery(ledger, freshnessOf(query))));
  }

  @Post('lookup')
  @LedgerRead({
    summary: 'Look up many ids at once, at most 1,000',
    answers: { 200: lookupAnswer },
    codes: ['TOO_LARGE', 'INVALID_ID'],
    body: true,
  })
  async lookup(
    @TheLedger() ledger: LedgerName,
    @Body({ schema: lookupBody }) body: z.output<typeof lookupBody>,
    @Query({ schema: readQuery }) query: ReadQuery,
  ): Promise<LookupResult> {
    return orThrow(await this.queries.execute(new LookupQuery(ledger, body as LookupInput, freshnessOf(query))));
  }

  @Get('digest')
  @LedgerRead({ summary: 'Revision and hash of the newest event', answers: { 200: digestAnswer } })
  async digest(@TheLedger() ledger: LedgerName, @Query({ schema: readQuery }) query: ReadQuery): Promise<Digest> {
    const late = await this.opened.queries.await(ledger, freshnessOf(query));
    if (late !== undefined) throw new RefusedError(late);
    return orThrow(await this.opened.queries.digest(ledger));
  }
}
