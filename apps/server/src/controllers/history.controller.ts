import { Controller, Get, Inject, Param, Query, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { isRefusal, type LedgerName, type Refusal } from '#domain';
import type { HistoryEvent, HistoryPageView, PastPage } from '#ledger';
import { OPENED_LEDGER } from '#nest';
import type { HistoryKey } from '#read-model';
import type { OpenedLedger } from '#runtime';
import { DEFAULT_PAGE, historyPage, idTextSchema, pastPageQuery, recordHistoryQuery } from '#schemas';
import { LINES_OPTIONS, type LinesOptions } from '../bulk/answer-writer.js';
import { sendPages, wantsLines } from '../bulk/lines.js';
import { NDJSON } from '../http/body-parsers.js';
import { freshnessOf, TheLedger } from '../http/parameters.js';
import { orThrow, RefusedError } from '../http/problem.js';
import { LedgerRead, Read } from '../openapi/endpoint.js';
import { awaitAll } from './across.js';

type PastPageQuery = z.output<typeof pastPageQuery>;
type RecordHistoryQuery = z.output<typeof recordHistoryQuery>;
type ReadPage = (page: PastPage) => Promise<HistoryPageView | Refusal>;

/** Events that are read together when all of them are wanted. */
const STREAM_PAGE = 250;
const LEDGER = 'backends/:backend/models/:model';
const DESCRIPTION =
  'Oldest first, also of what was unbound, moved or taken over long ago, each event with the sync date and the data that it replaced. A page ends early when its events have much data. As `application/x-ndjson` all of them in one stream.';
const PRODUCES = { answers: { 200: historyPage }, produces: ['application/json', NDJSON] };

/** Every event of one binding, record or external id. */
@ApiTags('History')
@Controller('v1')
export class HistoryController {
  constructor(
    @Inject(OPENED_LEDGER) private readonly opened: OpenedLedger,
    @Inject(LINES_OPTIONS) private readonly options: LinesOptions,
  ) {}

  @Get(`${LEDGER}/bindings/:bindingId/history`)
  @LedgerRead({
    summary: 'The history of a binding',
    description: DESCRIPTION,
    ...PRODUCES,
    codes: ['BINDING_NOT_FOUND', 'INVALID_ID'],
  })
  async ofBinding(
    @TheLedger() ledger: LedgerName,
    @Param('bindingId', { schema: idTextSchema }) bindingId: string,
    @Query({ schema: pastPageQuery }) query: PastPageQuery,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await this.answer(this.readingOf(ledger, { bindingId }, query), query, request, reply);
  }

  @Get(`${LEDGER}/records/:recordId/history`)
  @LedgerRead({ summary: 'What a record was bound to', description: DESCRIPTION, ...PRODUCES, codes: ['INVALID_ID'] })
  async ofRecord(
    @TheLedger() ledger: LedgerName,
    @Param('recordId', { schema: idTextSchema }) recordId: string,
    @Query({ schema: pastPageQuery }) query: PastPageQuery,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await this.answer(this.readingOf(ledger, { recordId }, query), query, request, reply);
  }

  @Get(`${LEDGER}/external/:externalId/history`)
  @LedgerRead({ summary: 'What an external id was bound to', description: DESCRIPTION, ...PRODUCES, codes: ['INVALID_ID'] })
  async ofExternalId(
    @TheLedger() ledger: LedgerName,
    @Param('externalId', { schema: idTextSchema }) externalId: string,
    @Query({ schema: pastPageQuery }) query: PastPageQuery,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await this.answer(this.readingOf(ledger, { externalId }, query), query, request, reply);
  }

  @Get('records/:localModel/:recordId/history')
  @Read({
    summary: 'What a record was bound to, on all backends',
    description: `${DESCRIPTION} In the order in which the events were recorded in the whole store.`,
    ...PRODUCES,
    codes: ['INVALID_ID', 'BACKEND_NOT_FOUND', 'MODEL_NOT_FOUND', 'MODEL_BACKEND_MISMATCH', 'NOT_YET_PROJECTED'],
  })
  async ofLocalRecord(
    @Param('localModel', { schema: idTextSchema }) localModel: string,
    @Param('recordId', { schema: idTextSchema }) recordId: string,
    @Query({ schema: recordHistoryQuery }) query: RecordHistoryQuery,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await awaitAll(this.opened.queries, query.atLeast ?? [], query.timeout);
    const record = { localModel, recordId };
    await this.answer((page) => this.opened.past.historyOfRecord(record, page), query, request, reply);
  }

  private readingOf(ledger: LedgerName, key: HistoryKey, query: PastPageQuery): ReadPage {
    return (page) => this.opened.past.history(ledger, key, page, freshnessOf(query));
  }

  private async answer(
    read: ReadPage,
    { limit, cursor }: Partial<PastPage>,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<void> {
    if (!wantsLines(request)) return void reply.send(orThrow(await read({ limit: limit ?? DEFAULT_PAGE, cursor })));
    if (limit !== undefined || cursor !== undefined)
      throw new RefusedError({ refused: 'MALFORMED', detail: 'a stream of all events has no pages: leave out limit and cursor' });
    await sendPages(request, reply, pagesFrom(read, orThrow(await read({ limit: STREAM_PAGE }))), this.options);
  }
}

async function* pagesFrom(read: ReadPage, first: HistoryPageView): AsyncGenerator<HistoryEvent[]> {
  for (let page = first; ;) {
    yield page.items;
    if (page.nextCursor === null) return;
    const next = await read({ limit: STREAM_PAGE, cursor: page.nextCursor });
    if (isRefusal(next)) throw new Error(`a history was refused midway: ${next.detail}`);
    page = next;
  }
}
