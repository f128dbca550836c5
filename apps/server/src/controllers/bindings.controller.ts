import { Body, Controller, Delete, Get, Inject, Param, Patch, Post, Query, Res } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import type { LedgerName } from '#domain';
import type { LocatedAnswer } from '#ledger';
import { BindCommand, ChangeDataCommand, FindBindingQuery, MoveCommand, SyncCommand, UnbindCommand } from '#nest';
import type { LocatedBinding } from '#read-model';
import {
  bindBody,
  bindingAnswer,
  bindThisBody,
  changeDataBody,
  commandAnswer,
  idTextSchema,
  moveAnswer,
  moveThisBody,
  optionalSyncBody,
  readQuery,
  unbindQuery,
} from '#schemas';
import { freshnessOf, TheLedger, TheUnbind, TheWrite, type UnbindCall, type WriteCall } from '../http/parameters.js';
import { orThrow } from '../http/problem.js';
import { LedgerRead, LedgerWrite } from '../openapi/endpoint.js';
import { CommandAnswers } from './command-answers.js';

const OF_BIND = [
  'RECORD_ALREADY_BOUND',
  'EXTERNAL_ID_TAKEN',
  'AMBIGUOUS_RECORD',
  'TOO_MANY_BINDINGS',
  'INVALID_ID',
  'INVALID_SYNC_DATE',
  'INVALID_DATA',
] as const;
const OF_BINDING = ['BINDING_NOT_FOUND', 'NOT_BOUND', 'INVALID_ID'] as const;

/** The bindings of one ledger, by their own ids. */
@ApiTags('Bindings')
@Controller('v1/backends/:backend/models/:model/bindings')
export class BindingsController {
  constructor(
    @Inject(CommandAnswers) private readonly answers: CommandAnswers,
    @Inject(QueryBus) private readonly queries: QueryBus,
  ) {}

  @Post()
  @LedgerWrite({
    summary: 'Bind a record to an external id',
    description:
      'Creates the binding, gives a pending one its external id, or, when just this pair is bound already, moves its sync date. Without `externalId` the binding is pending.',
    answers: { 200: commandAnswer, 201: commandAnswer },
    codes: OF_BIND,
    body: true,
  })
  async bind(
    @TheWrite() { ledger, options, context }: WriteCall,
    @Body({ schema: bindBody }) body: z.output<typeof bindBody>,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<LocatedAnswer> {
    return this.answers.of('bind', reply, new BindCommand(ledger, { ...body, ...options }, context));
  }

  @Get(':bindingId')
  @LedgerRead({
    summary: 'A binding, also an unbound one',
    answers: { 200: bindingAnswer },
    codes: ['BINDING_NOT_FOUND', 'INVALID_ID'],
  })
  async find(
    @TheLedger() ledger: LedgerName,
    @Param('bindingId', { schema: idTextSchema }) bindingId: string,
    @Query({ schema: readQuery }) query: z.output<typeof readQuery>,
  ): Promise<LocatedBinding> {
    return orThrow(await this.queries.execute(new FindBindingQuery(ledger, bindingId, freshnessOf(query))));
  }

  @Patch(':bindingId')
  @LedgerWrite({
    summary: 'Merge a patch into the data',
    answers: { 200: commandAnswer },
    codes: [...OF_BINDING, 'INVALID_DATA'],
    body: true,
  })
  async changeData(
    @TheWrite() { ledger, options, context }: WriteCall,
    @Param('bindingId', { schema: idTextSchema }) bindingId: string,
    @Body({ schema: changeDataBody }) body: z.output<typeof changeDataBody>,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<LocatedAnswer> {
    return this.answers.of('changeData', reply, new ChangeDataCommand(ledger, { bindingId, ...body, ...options }, context));
  }

  @Post(':bindingId/bind')
  @LedgerWrite({
    summary: 'Give this binding an external id',
    answers: { 200: commandAnswer },
    codes: [...OF_BINDING, ...OF_BIND],
    body: true,
  })
  async bindThis(
    @TheWrite() { ledger, options, context }: WriteCall,
    @Param('bindingId', { schema: idTextSchema }) bindingId: string,
    @Body({ schema: bindThisBody }) body: z.output<typeof bindThisBody>,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<LocatedAnswer> {
    return this.answers.of('bind', reply, new BindCommand(ledger, { bindingId, ...body, ...options }, context));
  }

  @Post(':bindingId/sync')
  @LedgerWrite({
    summary: 'Say that it was synchronized',
    answers: { 200: commandAnswer },
    codes: [...OF_BINDING, 'INVALID_SYNC_DATE', 'INVALID_DATA'],
    body: true,
  })
  async sync(
    @TheWrite() { ledger, options, context }: WriteCall,
    @Param('bindingId', { schema: idTextSchema }) bindingId: string,
    @Body({ schema: optionalSyncBody }) body: z.output<typeof optionalSyncBody>,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<LocatedAnswer> {
    return this.answers.of('sync', reply, new SyncCommand(ledger, { bindingId, ...body, ...options }, context));
  }

  @Post(':bindingId/move')
  @LedgerWrite({
    summary: 'Move it to another record',
    answers: { 200: moveAnswer },
    codes: [...OF_BINDING, 'RECORD_ALREADY_BOUND', 'TOO_MANY_BINDINGS'],
    body: true,
  })
  async move(
    @TheWrite() { ledger, options, context }: WriteCall,
    @Param('bindingId', { schema: idTextSchema }) bindingId: string,
    @Body({ schema: moveThisBody }) body: z.output<typeof moveThisBody>,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<LocatedAnswer> {
    return this.answers.of('move', reply, new MoveCommand(ledger, { bindingId, ...body, ...options }, context));
  }

  @Delete(':bindingId')
  @LedgerWrite({ summary: 'Unbind it', answers: { 200: commandAnswer }, codes: ['INVALID_ID'], query: unbindQuery })
  async unbind(
    @TheUnbind() { ledger, options, context }: UnbindCall,
    @Param('bindingId', { schema: idTextSchema }) bindingId: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<LocatedAnswer> {
    return this.answers.of('unbind', reply, new UnbindCommand(ledger, { bindingId, ...options }, context));
  }
}
