import { Body, Controller, Delete, Get, Inject, Param, Post, Req, Res } from '@nestjs/common';
import { ApiParam, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import type { LocatedAnswer } from '#ledger';
import { MoveCommand, OPENED_LEDGER, SyncCommand, UnbindCommand } from '#nest';
import type { OpenedLedger } from '#runtime';
import {
  commandAnswer,
  idTextSchema,
  lookedUpAnswer,
  lookupQuery,
  moveAnswer,
  moveBody,
  optionalSyncBody,
  unbindQuery,
} from '#schemas';
import { toExternal, toInternal } from '../http/lookup-routes.js';
import { TheUnbind, TheWrite, type UnbindCall, type WriteCall } from '../http/parameters.js';
import { LedgerRead, LedgerWrite } from '../openapi/endpoint.js';
import { CommandAnswers } from './command-answers.js';

type SyncBody = z.output<typeof optionalSyncBody>;
const OF_SYNC = ['NOT_BOUND', 'INVALID_ID', 'INVALID_SYNC_DATE', 'INVALID_DATA'] as const;

/** The bindings of one ledger, by the ids that they bind: `to_internal`, `to_external`, and what is done by either. */
@ApiTags('Bindings')
@Controller('v1/backends/:backend/models/:model')
export class TargetsController {
  constructor(
    @Inject(CommandAnswers) private readonly answers: CommandAnswers,
    @Inject(OPENED_LEDGER) private readonly opened: OpenedLedger,
  ) {}

  @Get('external/:externalId')
  @ApiParam({ name: 'externalId', schema: { type: 'string' } })
  @LedgerRead({
    summary: 'to_internal: the live binding of an external id',
    answers: { 200: lookedUpAnswer },
    codes: ['NOT_BOUND', 'INVALID_ID'],
    query: lookupQuery,
  })
  async toInternal(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    await toInternal(this.opened, request, reply);
  }

  @Get('records/:recordId')
  @ApiParam({ name: 'recordId', schema: { type: 'string' } })
  @LedgerRead({
    summary: 'to_external: the live binding of a record, also a pending one',
    answers: { 200: lookedUpAnswer },
    codes: ['NOT_BOUND', 'AMBIGUOUS_RECORD', 'INVALID_ID'],
    query: lookupQuery,
  })
  async toExternal(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    await toExternal(this.opened, request, reply);
  }

  @Post('external/:externalId/sync')
  @LedgerWrite({ summary: 'Say that it was synchronized', answers: { 200: commandAnswer }, codes: OF_SYNC, body: true })
  async syncExternal(
    @TheWrite() { ledger, options, context }: WriteCall,
    @Param('externalId', { schema: idTextSchema }) externalId: string,
    @Body({ schema: optionalSyncBody }) body: SyncBody,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<LocatedAnswer> {
    return this.answers.of('sync', reply, new SyncCommand(ledger, { externalId, ...body, ...options }, context));
  }

  @Post('records/:recordId/sync')
  @LedgerWrite({
    summary: 'Say that it was synchronized',
    answers: { 200: commandAnswer },
    codes: [...OF_SYNC, 'AMBIGUOUS_RECORD'],
    body: true,
  })
  async syncRecord(
    @TheWrite() { ledger, options, context }: WriteCall,
    @Param('recordId', { schema: idTextSchema }) recordId: string,
    @Body({ schema: optionalSyncBody }) body: SyncBody,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<LocatedAnswer> {
    return this.answers.of('sync', reply, new SyncCommand(ledger, { recordId, ...body, ...options }, context));
  }

  @Delete('external/:externalId')
  @LedgerWrite({ summary: 'Unbind it', answers: { 200: commandAnswer }, codes: ['INVALID_ID'], query: unbindQuery })
  async unbindExternal(
    @TheUnbind() { ledger, options, context }: UnbindCall,
    @Param('externalId', { schema: idTextSchema }) externalId: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<LocatedAnswer> {
    return this.answers.of('unbind', reply, new UnbindCommand(ledger, { externalId, ...options }, context));
  }

  @Delete('records/:recordId')
  @LedgerWrite({
    summary: 'Unbind it',
    answers: { 200: commandAnswer },
    codes: ['INVALID_ID', 'AMBIGUOUS_RECORD'],
    query: unbindQuery,
  })
  async unbindRecord(
    @TheUnbind() { ledger, options, context }: UnbindCall,
    @Param('recordId', { schema: idTextSchema }) recordId: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<LocatedAnswer> {
    return this.answers.of('unbind', reply, new UnbindCommand(ledger, { recordId, ...options }, context));
  }

  @Post('move')
  @LedgerWrite({
    summary: 'Move all bindings of a record to another record',
    answers: { 200: moveAnswer },
    codes: ['RECORD_ALREADY_BOUND', 'TOO_MANY_BINDINGS', 'INVALID_ID'],
    body: true,
  })
  async move(
    @TheWrite() { ledger, options, context }: WriteCall,
    @Body({ schema: moveBody }) body: z.output<typeof moveBody>,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Omit<LocatedAnswer, 'binding'>> {
    const { binding: _, ...answer } = await this.answers.of(
      'move',
      reply,
      new MoveCommand(ledger, { ...body, ...options }, context),
    );
    return answer;
  }
}
