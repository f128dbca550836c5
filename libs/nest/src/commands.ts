/** Commands for `CommandBus`. Each answers a value: what it came to, or why it was refused. */
import { Command } from '@nestjs/cqrs';
import type { DefineBackendType, DefineBindingModel, LedgerName, Refusal, RegisterBackend } from '#domain';
import type { BackendAnswer, BackendTypeAnswer, BindingModelAnswer, LocatedAnswer, LocatedResult, RecordDeletion } from '#ledger';
import type { BindingResult, MoveResult } from './answers.js';
import type {
  BindInput,
  ChangeDataInput,
  CommandContext,
  CommandInput,
  MoveInput,
  RecordInput,
  SyncInput,
  UnbindInput,
} from './inputs.js';

/** A command of one ledger. */
abstract class LedgerCommand<Input, Result> extends Command<Result> {
  constructor(
    readonly ledger: LedgerName,
    readonly input: Input,
    readonly context: CommandContext = {},
  ) {
    super();
  }
}

/**
 * Binds a record to an external id: creates the binding, gives a pending one its external id, or, when just this pair is
 * bound already, moves its sync date. Refusals: `RECORD_ALREADY_BOUND` and `EXTERNAL_ID_TAKEN`, both with `holder`.
 */
export class BindCommand extends LedgerCommand<BindInput, BindingResult> {}

/** Says that a binding was synchronized. Refusals: `NOT_BOUND`, `BINDING_NOT_FOUND`, `AMBIGUOUS_RECORD`, `INVALID_SYNC_DATE`. */
export class SyncCommand extends LedgerCommand<SyncInput, BindingResult> {}

/** Merges a JSON merge patch into the binding's data. Refusals: `NOT_BOUND`, `BINDING_NOT_FOUND`, `INVALID_DATA`. */
export class ChangeDataCommand extends LedgerCommand<ChangeDataInput, BindingResult> {}

/** Ends a binding; what is not bound answers `unchanged`. Refusals: `AMBIGUOUS_RECORD`. */
export class UnbindCommand extends LedgerCommand<UnbindInput, LocatedResult> {}

/** Moves all bindings of a record, or one, to another record. Refusals: `RECORD_ALREADY_BOUND`, `BINDING_NOT_FOUND`. */
export class MoveCommand extends LedgerCommand<MoveInput, MoveResult> {}

/** Does all of at most 500 commands, or none: `BATCH_REFUSED`, whose `details.refusals` name each by its line. */
export class AtomicBatchCommand extends LedgerCommand<readonly CommandInput[], LocatedAnswer[] | Refusal> {}

/** The local record was deleted: unbinds it in every ledger of its local model. What was refused is named; repeating it is harmless. */
export class DeleteRecordCommand extends Command<RecordDeletion | Refusal> {
  constructor(
    readonly record: RecordInput & { reason?: string; key?: string },
    readonly context: CommandContext = {},
  ) {
    super();
  }
}

/** A definition that a start of the application may put each time: as it is already, it changes nothing. */
abstract class DefinitionCommand<Definition, Result> extends Command<Result> {
  constructor(
    readonly definition: Definition,
    readonly context: CommandContext = {},
  ) {
    super();
  }
}

/** Refusals: `VERSION_IN_USE`, `INVALID_SCHEMA`. */
export class DefineBackendTypeCommand extends DefinitionCommand<DefineBackendType, BackendTypeAnswer | Refusal> {}

/** Refusals: `BACKEND_TYPE_NOT_FOUND`, `INVALID_SCHEMA`, `MODEL_CHANGE_VIOLATED` with examples. */
export class DefineModelCommand extends DefinitionCommand<DefineBindingModel, BindingModelAnswer | Refusal> {}

/** Refusals: `BACKEND_EXISTS`, `BACKEND_TYPE_NOT_FOUND`, `UNKNOWN_VERSION`, `INVALID_SETTINGS`, `INVALID_LOCATION`. */
export class RegisterBackendCommand extends DefinitionCommand<RegisterBackend, BackendAnswer | Refusal> {}
