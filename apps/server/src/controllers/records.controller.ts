import { Controller, Delete, Get, Inject, Param, Query } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { isRefusal } from '#domain';
import type { RecordDeletion } from '#ledger';
import { BindingsOfRecordQuery, DeleteRecordCommand, OPENED_LEDGER } from '#nest';
import type { LocatedBinding } from '#read-model';
import type { OpenedLedger } from '#runtime';
import { bindingList, idTextSchema, recordBindingsQuery, recordDeletionAnswer } from '#schemas';
import { TheChange, type ChangeCall } from '../http/parameters.js';
import { orThrow, refusedError } from '../http/problem.js';
import { Read, Write } from '../openapi/endpoint.js';
import { awaitAll } from './across.js';

type BindingsQuery = z.output<typeof recordBindingsQuery>;

/** Local records, across all ledgers. */
@ApiTags('Records')
@Controller('v1/records/:localModel/:recordId')
export class RecordsController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(QueryBus) private readonly queries: QueryBus,
    @Inject(OPENED_LEDGER) private readonly opened: OpenedLedger,
  ) {}

  @Get('bindings')
  @Read({
    summary: 'Every live binding of a record, on all backends',
    answers: { 200: bindingList },
    codes: ['BACKEND_NOT_FOUND', 'MODEL_NOT_FOUND', 'MODEL_BACKEND_MISMATCH', 'INVALID_ID', 'NOT_YET_PROJECTED'],
  })
  async bindings(
    @Param('localModel', { schema: idTextSchema }) localModel: string,
    @Param('recordId', { schema: idTextSchema }) recordId: string,
    @Query({ schema: recordBindingsQuery }) { backendType, includeUnbound = false, atLeast = [], timeout }: BindingsQuery,
  ): Promise<{ items: LocatedBinding[] }> {
    await awaitAll(this.opened.queries, atLeast, timeout);
    const items = orThrow(await this.queries.execute(new BindingsOfRecordQuery({ localModel, recordId }, includeUnbound)));
    return { items: backendType === undefined ? items : await this.onBackendsOfType(backendType, items) };
  }

  @Delete()
  @Write({
    summary: 'The record was deleted: unbind it everywhere',
    description: 'With the cause `recordDeleted`. Repeating it is harmless.',
    answers: { 200: recordDeletionAnswer },
    codes: ['PARTLY_UNBOUND', 'INVALID_ID'],
  })
  async deleted(
    @Param('localModel', { schema: idTextSchema }) localModel: string,
    @Param('recordId', { schema: idTextSchema }) recordId: string,
    @TheChange() { options, context }: ChangeCall,
  ): Promise<RecordDeletion> {
    const deletion = orThrow(
      await this.commands.execute(new DeleteRecordCommand({ localModel, recordId, reason: options.reason }, context)),
    );
    const { unbound, refused } = deletion;
    if (refused.length === 0) return deletion;
    throw refusedError('PARTLY_UNBOUND', `${refused.length} ledgers refused: repeat it when they take changes again`, {
      details: { unbound, refused },
    });
  }

  private async onBackendsOfType(type: string, bindings: readonly LocatedBinding[]): Promise<LocatedBinding[]> {
    const ids = [...new Set(bindings.map(({ backend }) => backend))];
    const views = await Promise.all(ids.map((id) => this.opened.backends.get(id)));
    const wanted = new Set(views.flatMap((view) => (!isRefusal(view) && view.type === type ? [view.id] : [])));
    return bindings.filter(({ backend }) => wanted.has(backend));
  }
}
