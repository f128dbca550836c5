import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { EventStoreError } from '#event-store';
import { UnknownEvent, type EventFeed, type EventFilter, type FeedPage, type Positions } from '#ledger';
import { OPENED_LEDGER } from '#nest';
import type { OpenedLedger } from '#runtime';
import { DEFAULT_PAGE, feedPage, feedQuery, filterOf, parseFeedQuery, type FeedQuery } from '#schemas';
import { LINES_OPTIONS, type LinesOptions } from '../bulk/answer-writer.js';
import { beginEventStream, EVENT_STREAM, sendEvents } from '../feed/event-stream.js';
import { FeedReaders } from '../feed/feed-readers.js';
import { prefers } from '../http/accept.js';
import { orThrow, refusedError } from '../http/problem.js';
import { Read } from '../openapi/endpoint.js';

/** The events of bindings of all ledgers, in the order in which the store has them. */
@ApiTags('Events')
@Controller('v1/events')
export class FeedController {
  private readonly feed: EventFeed;
  private readonly positions: Positions;

  constructor(
    @Inject(OPENED_LEDGER) private readonly opened: OpenedLedger,
    @Inject(LINES_OPTIONS) private readonly options: LinesOptions,
    @Inject(FeedReaders) private readonly readers: FeedReaders,
  ) {
    this.feed = opened.ledger.feed;
    this.positions = this.feed.positions;
  }

  @Get()
  @Read({
    summary: 'Events of bindings of all ledgers',
    description:
      'As `text/event-stream` history after a position, then what is recorded, until the reader goes; `id` is the position, and ' +
      '`Last-Event-ID` resumes. As JSON a page. Events come from the event store: the read model may not have them yet, so ask it with `atLeast`.',
    answers: { 200: feedPage },
    codes: ['POSITION_GONE', 'INVALID_ID', 'BUSY'],
    query: feedQuery,
    produces: ['application/json', EVENT_STREAM],
  })
  async events(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const query = orThrow(parseFeedQuery(request.query as Record<string, unknown>));
    const streamed = prefers(request.headers.accept, EVENT_STREAM);
    if (streamed && (query.limit !== undefined || query.wait !== undefined))
      throw refusedError('MALFORMED', 'limit and wait are for pages: a stream ends when its reader goes');
    const from = await this.startOf(streamed ? (lastEventIdOf(request) ?? query.after) : query.after);
    if (streamed) return this.readers.run(() => this.stream(request, reply, from, filterOf(query)));
    const page = await this.pageOf(from, query, request);
    void reply.header('content-type', 'application/json; charset=utf-8').send(await this.textOf(page));
  }

  /** The store's position to begin after. @throws {RefusedError} `POSITION_GONE` */
  private async startOf(after: string | undefined): Promise<string> {
    if (after === undefined) return this.opened.store.endPosition();
    const position = await this.positions.read(after);
    if (position !== undefined) return position;
    throw refusedError(
      'POSITION_GONE',
      'this store does not know the position: begin anew, at `start` or with what is recorded from now on',
    );
  }

  private async stream(request: FastifyRequest, reply: FastifyReply, from: string, filter: EventFilter): Promise<void> {
    const publish = await this.positions.publisher();
    const writer = beginEventStream(reply, this.options);
    if (request.method === 'HEAD') return writer.end();
    const { heartbeatMs } = this.readers.options;
    const gone = this.untilGone(request, reply);
    try {
      const batches = this.feed.follow(from, filter, { idleMs: heartbeatMs }, gone.signal);
      const sent = (events: number) => this.readers.sent(events);
      await sendEvents(writer, { batches, publish, from: publish(from), heartbeatMs, sent });
      // Ended in order, so that the reader comes again where it was.
      writer.end();
    } catch (error) {
      request.log.error({ err: error }, 'a stream of events was broken off');
      writer.cut();
    } finally {
      gone.release();
      if (writer.stalled) this.readers.cutOff();
    }
  }

  private async pageOf(from: string, query: FeedQuery, request: FastifyRequest): Promise<FeedPage> {
    try {
      if (query.wait === undefined) return await this.page(from, query);
      return await this.readers.run(() => this.waitFor(from, query, request));
    } catch (error) {
      // A newer version wrote it, and may run beside this one.
      if (error instanceof UnknownEvent) throw new EventStoreError('UNAVAILABLE', error.message, { cause: error });
      throw error;
    }
  }

  private page(from: string, query: FeedQuery): Promise<FeedPage> {
    return this.feed.page(from, filterOf(query), query.limit ?? DEFAULT_PAGE);
  }

  /** A page that is empty at the end waits for the next event that fits. */
  private async waitFor(from: string, query: FeedQuery, request: FastifyRequest): Promise<FeedPage> {
    const page = await this.page(from, query);
    if (page.events.length > 0 || !page.end || query.wait === undefined) return page;
    const { wait, limit = DEFAULT_PAGE } = query;
    const gone = this.untilGone(request);
    const timer = setTimeout(gone.end, wait);
    let { position } = page;
    try {
      for await (const batch of this.feed.follow(position, filterOf(query), { idleMs: wait }, gone.signal)) {
        if (batch.events.length > 0) return await this.page(position, { ...query, limit });
        position = batch.position;
      }
      return { ...page, position };
    } finally {
      clearTimeout(timer);
      gone.release();
    }
  }

  private async textOf({ events, position, end }: FeedPage): Promise<string> {
    this.readers.sent(events.length);
    const nextPosition = (await this.positions.publisher())(position);
    const items = events.map(({ json }) => json).join(',');
    return `{"items":[${items}],"nextPosition":${JSON.stringify(nextPosition)},"caughtUp":${end}}`;
  }

  /** Aborts when the reader has gone, or the server shuts down. */
  private untilGone(
    request: FastifyRequest,
    reply?: FastifyReply,
  ): { signal: AbortSignal; end: () => void; release: () => void } {
    const controller = new AbortController();
    const end = () => controller.abort();
    const { closing } = this.options;
    request.raw.socket.once('close', end);
    reply?.raw.once('close', end);
    closing.addEventListener('abort', end);
    if (closing.aborted || request.raw.socket.destroyed) end();
    const release = () => {
      request.raw.socket.off('close', end);
      reply?.raw.off('close', end);
      closing.removeEventListener('abort', end);
    };
    return { signal: controller.signal, end, release };
  }
}

/** What a browser's `EventSource` sends when it comes again. */
function lastEventIdOf(request: FastifyRequest): string | undefined {
  const id = request.headers['last-event-id'];
  return typeof id === 'string' && id !== '' ? id : undefined;
}
