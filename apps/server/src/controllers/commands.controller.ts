import { Controller, Inject, Post, Query, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Readable } from 'node:stream';
import type { z } from 'zod';
import { isRefusal, ledgerKey, type LedgerName, type RequestContext } from '#domain';
import { OPENED_LEDGER } from '#nest';
import type { OpenedLedger } from '#runtime';
import { commandLineAnswer, commandsQuery } from '#schemas';
import { LINES_OPTIONS, type LinesOptions } from '../bulk/answer-writer.js';
import { answerLines, readBatch, withLines } from '../bulk/atomic-batch.js';
import { BulkGates } from '../bulk/bulk-gate.js';
import { CommandStream } from '../bulk/command-stream.js';
import { beginLines } from '../bulk/lines.js';
import { NDJSON } from '../http/body-parsers.js';
import { LEDGER_REVISION } from '../http/headers.js';
import { TheContext, TheLedger } from '../http/parameters.js';
import { orThrow, RefusedError, refusedError } from '../http/problem.js';
import { Metrics } from '../metrics.js';
import { LedgerBulk } from '../openapi/endpoint.js';

/** Commands by the thousand. */
@ApiTags('Bulk')
@Controller('v1/backends/:backend/models/:model/commands')
export class CommandsController {
  private readonly gates = new BulkGates();

  constructor(
    @Inject(OPENED_LEDGER) private readonly opened: OpenedLedger,
    @Inject(LINES_OPTIONS) private readonly options: LinesOptions,
    @Inject(Metrics) private readonly metrics: Metrics,
  ) {}

  @Post()
  @LedgerBulk({
    summary: 'A command a line, a result a line',
    description:
      'Read and answered as a stream, in order: read the answer while you send. A line that is refused does not concern the others. A reader that takes no answers is cut off. With `atomic=true` at most 500 lines, of which all are done or none.',
    answers: { 200: commandLineAnswer },
    codes: ['BATCH_REFUSED'],
    consumes: NDJSON,
    produces: [NDJSON],
  })
  async commands(
    @TheLedger() ledger: LedgerName,
    @TheContext() context: RequestContext,
    @Query({ schema: commandsQuery }) { atomic }: z.output<typeof commandsQuery>,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const body = bodyOf(request);
    refuseHeadersOfOneCommand(request);
    const unknown = await this.opened.queries.status(ledger);
    if (isRefusal(unknown)) throw new RefusedError(unknown);
    if (atomic === true) await this.doAll(ledger, context, body, reply);
    else await this.doEach(ledger, context, body, request, reply);
  }

  private async doEach(
    name: LedgerName,
    context: RequestContext,
    body: Readable,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<void> {
    const answers = beginLines(reply, this.options);
    const { ledger } = this.opened;
    const observe = this.metrics.command;
    try {
      await new CommandStream({
        ledger,
        name,
        context,
        body,
        answers,
        gates: this.gates,
        closing: this.options.closing,
        observe,
      }).run();
    } catch (error) {
      request.log.error({ err: error }, 'a stream of commands was broken off');
      answers.cut();
    }
  }

  private async doAll(name: LedgerName, context: RequestContext, body: Readable, reply: FastifyReply): Promise<void> {
    const batch = await readBatch(body, this.options.closing);
    if (batch === undefined) {
      reply.hijack();
      reply.raw.destroy();
      return;
    }
    const { commands, lines } = orThrow(batch);
    const results = await this.opened.ledger.executeAtomic(
      name,
      commands.map((command) => ({ command, context })),
    );
    if (isRefusal(results)) throw new RefusedError(withLines(results, lines));
    results.forEach((result, index) => this.metrics.command(commands[index]!, result));
    const revision = Math.max(...results.map((result) => (isRefusal(result) ? -1 : result.revision)));
    if (results.length > 0) void reply.header(LEDGER_REVISION, `${ledgerKey(name)}@${revision}`);
    void reply.header('content-type', NDJSON).send(answerLines(results, lines));
  }
}

function bodyOf(request: FastifyRequest): Readable {
  if (request.body === undefined || request.body === null) throw refusedError('UNSUPPORTED_MEDIA_TYPE', `commands are ${NDJSON}`);
  return request.body as Readable;
}

/** Who sends these relies on them, and a stream has no use for them: each line has its own. */
function refuseHeadersOfOneCommand({ headers }: FastifyRequest): void {
  if (headers['idempotency-key'] !== undefined) throw refusedError('MALFORMED', 'Idempotency-Key: each line has its own `key`');
  if (headers['if-match'] !== undefined) throw refusedError('MALFORMED', 'If-Match: each line has its own `expectedVersion`');
}
