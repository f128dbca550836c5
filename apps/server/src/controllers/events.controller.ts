import { Controller, Get, Inject, Query, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { isRefusal, type LedgerName } from '#domain';
import type { EventView } from '#ledger';
import { OPENED_LEDGER } from '#nest';
import type { OpenedLedger } from '#runtime';
import { DEFAULT_PAGE, eventPage, eventsQuery } from '#schemas';
import { LINES_OPTIONS, type LinesOptions } from '../bulk/answer-writer.js';
import { sendPages, wantsLines } from '../bulk/lines.js';
import { NDJSON } from '../http/body-parsers.js';
import { freshnessOf, TheLedger } from '../http/parameters.js';
import { orThrow, RefusedError } from '../http/problem.js';
import { LedgerRead } from '../openapi/endpoint.js';

type EventsQuery = z.output<typeof eventsQuery>;
/** Events that are read together when all of them are wanted. */
const STREAM_PAGE = 500;

/** The events of one ledger, in the order of their revisions. */
@ApiTags('Ledgers')
@Controller('v1/backends/:backend/models/:model/events')
export class EventsController {
  constructor(
    @Inject(OPENED_LEDGER) private readonly opened: OpenedLedger,
    @Inject(LINES_OPTIONS) private readonly options: LinesOptions,
  ) {}

  @Get()
  @LedgerRead({
    summary: 'Events after a revision',
    description: 'As `application/x-ndjson` all of them up to the newest in one stream, or, with `limit`, that many.',
    answers: { 200: eventPage },
    produces: ['application/json', NDJSON],
  })
  async events(
    @TheLedger() ledger: LedgerName,
    @Query({ schema: eventsQuery }) query: EventsQuery,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const late = await this.opened.queries.await(ledger, freshnessOf(query));
    if (late !== undefined) throw new RefusedError(late);
    const lines = wantsLines(request);
    const after = query.after ?? -1;
    const size = query.limit ?? (lines ? STREAM_PAGE : DEFAULT_PAGE);
    const first = await this.firstPage(ledger, { after, limit: size, waitMs: query.wait }, request);
    if (lines) {
      const end = await this.opened.store.headRevision(this.opened.streams.ledger(ledger));
      return sendPages(request, reply, this.pagesFrom(ledger, first, end, query.limit), this.options);
    }
    return void reply.send({ items: first, nextAfter: first.at(-1)?.revision ?? after });
  }

  /** Waiting ends when the caller goes away, or the server shuts down. */
  private async firstPage(
    ledger: LedgerName,
    query: { after: number; limit: number; waitMs?: number },
    request: FastifyRequest,
  ): Promise<EventView[]> {
    const gone = new AbortController();
    const end = () => gone.abort();
    request.raw.socket.once('close', end);
    this.options.closing.addEventListener('abort', end);
    try {
      return orThrow(await this.opened.queries.events(ledger, query, gone.signal));
    } finally {
      request.raw.socket.off('close', end);
      this.options.closing.removeEventListener('abort', end);
    }
  }

  /** Up to the newest event as of now, or to the limit: a ledger that grows all the time must not keep the answer from its end. */
  private async *pagesFrom(ledger: LedgerName, first: EventView[], end: number, limit = Infinity): AsyncGenerator<EventView[]> {
    let left = limit;
    for (let page = first; ;) {
      yield page;
      const last = page.at(-1);
      left -= page.length;
      if (last === undefined || last.revision >= end || left <= 0) return;
      const next = await this.opened.queries.events(ledger, { after: last.revision, limit: Math.min(STREAM_PAGE, left) });
      if (isRefusal(next)) throw new Error(`events were refused midway: ${next.detail}`);
      page = next;
    }
  }
}
