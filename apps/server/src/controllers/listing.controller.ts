import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiQuery, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isRefusal, ledgerKey, type LedgerName } from '#domain';
import type { AsOf } from '#ledger';
import { ListBindingsQuery, OPENED_LEDGER, type BindingsPage } from '#nest';
import type { BindingFilter, LocatedBinding } from '#read-model';
import type { OpenedLedger } from '#runtime';
import { bindingPage, DEFAULT_PAGE, listQuery, parseListQuery, type ListQuery } from '#schemas';
import { LINES_OPTIONS, type LinesOptions } from '../bulk/answer-writer.js';
import { sendPages, wantsLines } from '../bulk/lines.js';
import { NDJSON } from '../http/body-parsers.js';
import { LEDGER_REVISION } from '../http/headers.js';
import { freshnessOf, TheLedger } from '../http/parameters.js';
import { orThrow, refusedError } from '../http/problem.js';
import { LedgerRead } from '../openapi/endpoint.js';

/** Bindings that are read together when all of them are wanted. */
const STREAM_PAGE = 500;

@ApiTags('Bindings')
@Controller('v1/backends/:backend/models/:model/bindings')
export class ListingController {
  constructor(
    @Inject(QueryBus) private readonly queries: QueryBus,
    @Inject(OPENED_LEDGER) private readonly opened: OpenedLedger,
    @Inject(LINES_OPTIONS) private readonly options: LinesOptions,
  ) {}

  @Get()
  @ApiQuery({
    name: 'data.<field>',
    required: false,
    schema: { type: 'string' },
    description: 'The value of a data field that the model indexes.',
  })
  @LedgerRead({
    summary: 'List bindings',
    description:
      'By default the live ones, by id. `syncedBefore` lists those never synchronized first, then the oldest. As `application/x-ndjson` all of them in one stream. With `asOf`, which takes no filter but `state`, only so and in no promised order; one such stream at a time.',
    answers: { 200: bindingPage },
    codes: ['FIELD_NOT_INDEXED', 'INVALID_ID', 'BUSY'],
    query: listQuery,
    produces: ['application/json', NDJSON],
  })
  async list(@TheLedger() ledger: LedgerName, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const query = orThrow(parseListQuery(request.query as Record<string, unknown>));
    const { limit, cursor, atLeast, timeout, asOf, ...filter } = query;
    if (asOf !== undefined) return this.listAsOf(ledger, asOf, query, { request, reply });
    const freshness = freshnessOf({ atLeast, timeout });
    if (!wantsLines(request)) {
      const page = await this.queries.execute(
        new ListBindingsQuery(ledger, filter, { limit: limit ?? DEFAULT_PAGE, cursor }, freshness),
      );
      return void reply.send(orThrow(page));
    }
    if (limit !== undefined || cursor !== undefined)
      throw refusedError('MALFORMED', 'a stream of all bindings has no pages: leave out limit and cursor');
    const first = orThrow(await this.queries.execute(new ListBindingsQuery(ledger, filter, { limit: STREAM_PAGE }, freshness)));
    await sendPages(request, reply, this.pagesFrom(ledger, filter, first), this.options);
  }

  /** The ledger is read as it was, and nothing else reads one meanwhile. */
  private async listAsOf(
    ledger: LedgerName,
    asOf: AsOf,
    // What is read is the stream, which has everything.
    { state, data, asOf: _asOf, atLeast: _atLeast, timeout: _timeout, ...others }: ListQuery,
    { request, reply }: { request: FastifyRequest; reply: FastifyReply },
  ): Promise<void> {
    if (!wantsLines(request)) throw refusedError('MALFORMED', `asOf is answered as ${NDJSON}: ask for it by Accept`);
    const [other] = [...Object.keys(others), ...Object.keys(data).map((field) => `data.${field}`)];
    if (other !== undefined) throw refusedError('MALFORMED', `with asOf, bindings are listed by state alone: leave out ${other}`);
    const past = orThrow(await this.opened.past.ledger(ledger, asOf, state));
    try {
      void reply.header(LEDGER_REVISION, `${ledgerKey(ledger)}@${past.asOf.revision}`);
      await sendPages(request, reply, past.pages, this.options);
    } finally {
      past.close();
    }
  }

  private async *pagesFrom(ledger: LedgerName, filter: BindingFilter, first: BindingsPage): AsyncGenerator<LocatedBinding[]> {
    for (let page = first; ;) {
      yield page.items;
      if (page.nextCursor === null) return;
      const next = await this.queries.execute(
        new ListBindingsQuery(ledger, filter, { limit: STREAM_PAGE, cursor: page.nextCursor }),
      );
      if (isRefusal(next)) throw new Error(`a listing was refused midway: ${next.detail}`);
      page = next;
    }
  }
}
