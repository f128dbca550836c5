import { Controller, Delete, Get, Inject, Param, Query, Res } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import { isRefusal } from '#domain';
import type { AsOf, LocalRecordKey, RecordAsOf, RecordDeletion } from '#ledger';
import { DeleteRecordCommand, OPENED_LEDGER } from '#nest';
import type { LocatedBinding } from '#read-model';
import type { OpenedLedger } from '#runtime';
import { idTextSchema, MAX_PAGE, pastRecordQuery, recordBindingsAnswer, recordDeletionAnswer } from '#schemas';
import { LEDGER_REVISION } from '../http/headers.js';
import { TheChange, type ChangeCall } from '../http/parameters.js';
import { orThrow, refusedError } from '../http/problem.js';
import { Read, Write } from '../openapi/endpoint.js';
import { awaitAll } from './across.js';
import type { Page } from './page.js';

const MAX_HEADER_LENGTH = 4_000;
type BindingsQuery = z.output<typeof pastRecordQuery>;

/** Local records, across all ledgers. */
@ApiTags('Records')
@Controller('v1/records/:localModel/:recordId')
export class RecordsController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(OPENED_LEDGER) private readonly opened: OpenedLedger,
  ) {}

  @Get('bindings')
  @Read({
    summary: 'Every live binding of a record, on all backends',
    description:
      'By ledger and id. A page ends early when its bindings have much data, or when some are on backends of other types. As of an instant all of them are on one page.',
    answers: { 200: recordBindingsAnswer },
    codes: ['BACKEND_NOT_FOUND', 'MODEL_NOT_FOUND', 'MODEL_BACKEND_MISMATCH', 'INVALID_ID', 'NOT_YET_PROJECTED'],
  })
  async bindings(
    @Param('localModel', { schema: idTextSchema }) localModel: string,
    @Param('recordId', { schema: idTextSchema }) recordId: string,
    @Query({ schema: pastRecordQuery }) query: BindingsQuery,
  ): Promise<Page<LocatedBinding> & Partial<RecordAsOf>> {
    const { backendType, includeUnbound = false, atLeast = [], timeout, limit = MAX_PAGE, cursor, asOf } = query;
    await awaitAll(this.opened.queries, atLeast, timeout);
    if (asOf !== undefined) return this.bindingsAsOf({ localModel, recordId }, asOf, query);
    const record = { localModel, recordId, includeUnbound };
    const { items, nextCursor } = orThrow(await this.opened.queries.ofLocalRecord(record, { limit, cursor }));
    return { items: backendType === undefined ? items : await this.onBackendsOfType(backendType, items), nextCursor };
  }

  @Delete()
  @Write({
    summary: 'The record was deleted: unbind it everywhere',
    description:
      'With the cause `recordDeleted`. Repeating it is harmless. `Ledger-Revision` names each ledger in which something was unbound, with commas between them.',
    answers: { 200: recordDeletionAnswer },
    codes: ['PARTLY_UNBOUND', 'INVALID_ID'],
  })
  async deleted(
    @Param('localModel', { schema: idTextSchema }) localModel: string,
    @Param('recordId', { schema: idTextSchema }) recordId: string,
    @TheChange() { options, context }: ChangeCall,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<RecordDeletion> {
    const deletion = orThrow(await this.commands.execute(new DeleteRecordCommand({ localModel, recordId, ...options }, context)));
    const { unbound, refused, revisions } = deletion;
    const header = revisions.map(({ ledger, revision }) => `${ledger}@${revision}`).join(',');
    // Most readers of HTTP take no longer headers; the body says the same.
    if (header !== '' && header.length <= MAX_HEADER_LENGTH) void reply.header(LEDGER_REVISION, header);
    if (refused.length === 0) return deletion;
    const details = { unbound, refused, revisions };
    // Once something was unbound, that is what the caller has to know, whatever the refusals are.
    if (unbound.length === 0 && refused.some(({ code }) => code === 'IDEMPOTENCY_KEY_REUSED'))
      throw refusedError('IDEMPOTENCY_KEY_REUSED', 'the idempotency key was used for another request', { details });
    throw refusedError('PARTLY_UNBOUND', `${refused.length} ledgers refused: repeat it when they take changes again`, {
      details,
    });
  }

  private async bindingsAsOf(
    record: LocalRecordKey,
    asOf: AsOf,
    { backendType, includeUnbound, limit, cursor }: BindingsQuery,
  ): Promise<Page<LocatedBinding> & RecordAsOf> {
    if ('revision' in asOf) throw refusedError('MALFORMED', 'asOf is an instant here: each ledger has its own revisions');
    if (includeUnbound === true || limit !== undefined || cursor !== undefined)
      throw refusedError('MALFORMED', 'asOf answers live bindings, all on one page: leave out includeUnbound, limit and cursor');
    const { items, asOf: used } = orThrow(await this.opened.past.bindingsOfRecord(record, asOf.at));
    const wanted = backendType === undefined ? items : await this.onBackendsOfType(backendType, items);
    return { items: wanted, nextCursor: null, asOf: used };
  }

  private async onBackendsOfType(type: string, bindings: readonly LocatedBinding[]): Promise<LocatedBinding[]> {
    const ids = [...new Set(bindings.map(({ backend }) => backend))];
    const views = await Promise.all(ids.map((id) => this.opened.backends.get(id)));
    const wanted = new Set(views.flatMap((view) => (!isRefusal(view) && view.type === type ? [view.id] : [])));
    return bindings.filter(({ backend }) => wanted.has(backend));
  }
}
