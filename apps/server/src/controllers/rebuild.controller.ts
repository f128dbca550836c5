import { Body, Controller, Inject, Post, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import type { LedgerName } from '#domain';
import { OPENED_LEDGER } from '#nest';
import type { OpenedLedger, RebuildProgress, RebuildReport } from '#runtime';
import { rebuildAnswer, rebuildBody } from '#schemas';
import { LINES_OPTIONS, type LinesOptions } from '../bulk/answer-writer.js';
import { answerLongWork } from '../bulk/progress-lines.js';
import { NDJSON } from '../http/body-parsers.js';
import { TheLedger } from '../http/parameters.js';
import { LedgerRead } from '../openapi/endpoint.js';

/** For operators: the answers of a ledger, made anew from its events. */
@ApiTags('Operations')
@Controller('v1/backends/:backend/models/:model')
export class RebuildController {
  constructor(
    @Inject(OPENED_LEDGER) private readonly opened: OpenedLedger,
    @Inject(LINES_OPTIONS) private readonly options: LinesOptions,
  ) {}

  @Post('rebuild')
  @LedgerRead({
    summary: 'Make the answers of the ledger anew from its events',
    description:
      'Beside those that go on answering, which are switched from when the new ones have caught up, and dropped 15 seconds later: then it ' +
      'is answered. A call that is broken off is gone on with by the next. With `dryRun` only what differs is answered. One at a ' +
      'time: others are refused `BUSY`. As `application/x-ndjson` lines `{revision, headRevision}` while it runs, and the result as ' +
      'the last line.',
    answers: { 200: rebuildAnswer },
    codes: ['BUSY', 'TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'],
    produces: ['application/json', NDJSON],
  })
  async rebuild(
    @TheLedger() ledger: LedgerName,
    @Body({ schema: rebuildBody }) body: z.output<typeof rebuildBody>,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await answerLongWork<RebuildReport, RebuildProgress>(request, reply, this.options, {
      name: 'the rebuild',
      run: (signal, progress) => this.opened.rebuilds.run(ledger, body?.dryRun === true, { signal, progress }),
    });
  }
}
