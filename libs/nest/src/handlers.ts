/** What is done for each command and query: one row each, of which the handlers are made that Nest wants. */
import { Inject, type Type } from '@nestjs/common';
import { CommandHandler, QueryHandler, type Command, type CommandResult, type Query, type QueryResult } from '@nestjs/cqrs';
import { withBinding, withBindings } from './answers.js';
import {
  AtomicBatchCommand,
  BindCommand,
  ChangeDataCommand,
  DefineBackendTypeCommand,
  DefineModelCommand,
  DeleteRecordCommand,
  MoveCommand,
  RegisterBackendCommand,
  SyncCommand,
  UnbindCommand,
} from './commands.js';
import { LedgerService } from './ledger.service.js';
import { PastService } from './past.service.js';
import {
  BindingsOfRecordAsOfQuery,
  BindingsOfRecordQuery,
  FindBindingQuery,
  HistoryQuery,
  LedgerDigestQuery,
  LedgerDigestsQuery,
  LedgerStatusQuery,
  ListBindingsQuery,
  LookupQuery,
  RecordHistoryQuery,
  ToExternalAsOfQuery,
  ToExternalQuery,
  ToInternalAsOfQuery,
  ToInternalQuery,
  VerifyLedgerQuery,
} from './queries.js';

type Constructor<T> = new (...args: never[]) => T;

function onCommand<C extends Command<unknown>>(
  type: Constructor<C>,
  run: (service: LedgerService, command: C) => Promise<CommandResult<C>>,
): Type {
  @CommandHandler(type)
  class Handler {
    constructor(@Inject(LedgerService) private readonly service: LedgerService) {}
    execute(command: C): Promise<CommandResult<C>> {
      return run(this.service, command);
    }
  }
  return Handler;
}

function onQuery<Q extends Query<unknown>>(
  type: Constructor<Q>,
  run: (service: LedgerService, query: Q) => Promise<QueryResult<Q>>,
): Type {
  return queryHandler(type, LedgerService, run);
}

function onPastQuery<Q extends Query<unknown>>(
  type: Constructor<Q>,
  run: (service: PastService, query: Q) => Promise<QueryResult<Q>>,
): Type {
  return queryHandler(type, PastService, run);
}

function queryHandler<Q extends Query<unknown>, S>(
  type: Constructor<Q>,
  token: Type<S>,
  run: (service: S, query: Q) => Promise<QueryResult<Q>>,
): Type {
  @QueryHandler(type)
  class Handler {
    constructor(@Inject(token) private readonly service: S) {}
    execute(query: Q): Promise<QueryResult<Q>> {
      return run(this.service, query);
    }
  }
  return Handler;
}

export const HANDLERS: Type[] = [
  onCommand(BindCommand, async (service, { ledger, input, context }) =>
    withBinding(await service.execute(ledger, { ...input, op: 'bind' }, context)),
  ),
  onCommand(SyncCommand, async (service, { ledger, input, context }) =>
    withBinding(await service.execute(ledger, { ...input, op: 'sync' }, context)),
  ),
  onCommand(ChangeDataCommand, async (service, { ledger, input, context }) =>
    withBinding(await service.execute(ledger, { ...input, op: 'changeData' }, context)),
  ),
  onCommand(UnbindCommand, (service, { ledger, input, context }) => service.execute(ledger, { ...input, op: 'unbind' }, context)),
  onCommand(MoveCommand, async (service, { ledger, input, context }) =>
    withBindings(await service.execute(ledger, { ...input, op: 'move' }, context)),
  ),
  onCommand(AtomicBatchCommand, (service, { ledger, input, context }) => service.executeAtomic(ledger, input, context)),
  onCommand(DeleteRecordCommand, (service, { record, context }) => service.deleteRecord(record, context)),
  onCommand(DefineBackendTypeCommand, (service, { definition, context }) => service.defineType(definition, context)),
  onCommand(DefineModelCommand, (service, { definition, context }) => service.defineModel(definition, context)),
  onCommand(RegisterBackendCommand, (service, { definition, context }) => service.registerBackend(definition, context)),

  onQuery(ToInternalQuery, (service, { ledger, externalId, freshness }) => service.toInternal(ledger, externalId, freshness)),
  onQuery(ToExternalQuery, (service, { ledger, recordId, freshness }) => service.toExternal(ledger, recordId, freshness)),
  onQuery(FindBindingQuery, (service, { ledger, bindingId, freshness }) => service.binding(ledger, bindingId, freshness)),
  onQuery(LookupQuery, (service, { ledger, ids, freshness }) => service.lookup(ledger, ids, freshness)),
  onQuery(ListBindingsQuery, (service, { ledger, filter, page, freshness }) => service.list(ledger, filter, page, freshness)),
  onQuery(LedgerStatusQuery, (service, { ledger, freshness }) => service.status(ledger, freshness)),
  onQuery(LedgerDigestQuery, (service, { ledger }) => service.digest(ledger)),
  onQuery(LedgerDigestsQuery, (service, { page }) => service.digests(page)),
  onQuery(VerifyLedgerQuery, (service, { ledger, options }) => service.verify(ledger, options)),
  onPastQuery(HistoryQuery, (past, { ledger, of, page, freshness }) => past.history(ledger, of, page, freshness)),
  onPastQuery(RecordHistoryQuery, (past, { record, page }) => past.historyOfRecord(record, page)),
  onPastQuery(ToInternalAsOfQuery, (past, { ledger, externalId, asOf, freshness }) =>
    past.toInternal(ledger, externalId, asOf, freshness),
  ),
  onPastQuery(ToExternalAsOfQuery, (past, { ledger, recordId, asOf, freshness }) =>
    past.toExternal(ledger, recordId, asOf, freshness),
  ),
  onPastQuery(BindingsOfRecordAsOfQuery, (past, { record, at }) => past.bindingsOfRecord(record, at)),
  onQuery(BindingsOfRecordQuery, (service, { record, includeUnbound }) => service.bindingsOfRecord(record, includeUnbound)),
];
