import { Body, Controller, Get, HttpCode, Inject, Post, Query, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { VerifyProgress, VerifyReport } from '#audit';
import { isRefusal, refuse, type LedgerName, type Refusal } from '#domain';
import { OPENED_LEDGER } from '#nest';
import type { OpenedLedger } from '#runtime';
import { DEFAULT_PAGE, digestPage, pageQuery, verifyAnswer, verifyBody } from '#schemas';
import { LINES_OPTIONS, type AnswerWriter, type LinesOptions } from '../bulk/answer-writer.js';
import { beginLines, linesOf, sendPages, wantsLines } from '../bulk/lines.js';
import { NDJSON } from '../http/body-parsers.js';
import { TheLedger } from '../http/parameters.js';
import { orThrow } from '../http/problem.js';
import { LedgerRead, Read } from '../openapi/endpoint.js';

type VerifyBody = z.output<typeof verifyBody>;
/** How often a verification says how far it is. It keeps the connection from looking idle, too. */
const PROGRESS_EVERY_MS = 250;

/** For auditors: whether a ledger is what it was, and the means to prove it elsewhere. */
@ApiTags('Audit')
@Controller('v1')
export class AuditController {
  constructor(
    @Inject(OPENED_LEDGER) private readonly opened: OpenedLedger,
    @Inject(LINES_OPTIONS) private readonly options: LinesOptions,
  ) {}

  @Get('digests')
  @Read({ summary: 'Digests of all ledgers, by ledger', answers: { 200: digestPage }, codes: ['MALFORMED'] })
  async digests(@Query({ schema: pageQuery }) { limit, cursor }: z.output<typeof pageQuery>): Promise<object> {
    return this.opened.audit.digests(limit ?? DEFAULT_PAGE, cursor);
  }

  @Post('backends/:backend/models/:model/verify')
  @LedgerRead({
    summary: 'Recompute the ledger from its events',
    description:
      'The chain, every rule on the way, and the read model beside the result. One at a time: others are refused `BUSY`. As ' +
      '`application/x-ndjson` lines `{checkedRevisions, headRevision}` while it runs, and the result as the last line.',
    answers: { 200: verifyAnswer },
    codes: ['BUSY', 'TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'],
    produces: ['application/json', NDJSON],
  })
  @HttpCode(200)
  async verify(
    @TheLedger() ledger: LedgerName,
    @Body({ schema: verifyBody }) body: VerifyBody,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const gone = new AbortController();
    const end = () => gone.abort();
    request.raw.socket.once('close', end);
    this.options.closing.addEventListener('abort', end);
    try {
      if (wantsLines(request)) await this.verifyInLines(ledger, body, reply, gone.signal);
      else void reply.send(orThrow(await this.run(ledger, body, gone.signal)));
    } finally {
      request.raw.socket.off('close', end);
      this.options.closing.removeEventListener('abort', end);
    }
  }

  @Get('backends/:backend/models/:model/export')
  @LedgerRead({
    summary: 'The whole ledger: a header, its events as they are stored, and its digest',
    description: 'Up to the newest event as of the call. What ends without the line of the digest is not complete.',
    answers: { 200: z.string() },
    produces: [NDJSON],
  })
  async export(@TheLedger() ledger: LedgerName, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    await sendPages(request, reply, orThrow(await this.opened.audit.export(ledger)), this.options);
  }

  private async run(
    ledger: LedgerName,
    body: VerifyBody,
    signal: AbortSignal,
    progress?: (at: VerifyProgress) => void,
  ): Promise<VerifyReport | Refusal> {
    try {
      return await this.opened.audit.verify(ledger, { ...body, signal, progress });
    } catch (error) {
      // The caller has gone, or the server shuts down.
      if (signal.aborted) return refuse('STORE_UNAVAILABLE', 'the verification was broken off');
      throw error;
    }
  }

  /** Until the first line is due nothing is sent, so that a refusal has its status. */
  private async verifyInLines(ledger: LedgerName, body: VerifyBody, reply: FastifyReply, signal: AbortSignal): Promise<void> {
    let writer: AnswerWriter | undefined;
    let told = performance.now();
    const tell = (at: VerifyProgress): void => {
      if (performance.now() - told < PROGRESS_EVERY_MS) return;
      told = performance.now();
      writer ??= beginLines(reply, this.options);
      void writer.write(linesOf([at]));
    };
    const report = await this.run(ledger, body, signal, tell);
    if (isRefusal(report)) {
      if (writer === undefined) return void orThrow<object>(report);
      return writer.cut();
    }
    writer ??= beginLines(reply, this.options);
    await writer.write(linesOf([report]));
    writer.end();
  }
}
