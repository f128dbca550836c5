import { Body, Controller, Get, HttpCode, Inject, Post, Query, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { VerifyProgress, VerifyReport } from '#audit';
import { ledgerKey, type LedgerName } from '#domain';
import { OPENED_LEDGER } from '#nest';
import type { OpenedLedger } from '#runtime';
import { DEFAULT_PAGE, digestPage, pageQuery, verifyAnswer, verifyBody } from '#schemas';
import { LINES_OPTIONS, type LinesOptions } from '../bulk/answer-writer.js';
import { sendPages } from '../bulk/lines.js';
import { answerLongWork } from '../bulk/progress-lines.js';
import { NDJSON } from '../http/body-parsers.js';
import { TheLedger } from '../http/parameters.js';
import { orThrow, refusedError } from '../http/problem.js';
import { LedgerRead, Read } from '../openapi/endpoint.js';

type VerifyBody = z.output<typeof verifyBody>;

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
    refuseDigestOfAnother(ledger, body);
    await answerLongWork<VerifyReport, VerifyProgress>(request, reply, this.options, {
      name: 'the verification',
      run: (signal, progress) => this.opened.audit.verify(ledger, { ...body, signal, progress }),
    });
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
}

/** It would be found wrong, and the ledger taken for one that was tampered with. */
function refuseDigestOfAnother(ledger: LedgerName, body: VerifyBody): void {
  const named = body?.digest?.ledger;
  if (named === undefined || named === ledgerKey(ledger)) return;
  const message = `names another ledger than ${ledgerKey(ledger)}`;
  throw refusedError('MALFORMED', `/digest/ledger: ${message}`, { errors: [{ path: '/digest/ledger', message }] });
}
