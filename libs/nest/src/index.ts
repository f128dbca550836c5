/** The binding ledger for NestJS. Start at `BindingLedgerModule`. */
export {
  isRefusal,
  type Binding,
  type BindingState,
  type DefineBackendType,
  type DefineBindingModel,
  type Direction,
  type LedgerName,
  type Refusal,
  type RefusalCode,
  type RegisterBackend,
} from '#domain';
export type { DigestPage, LedgerAudit, VerifyOptions, VerifyReport } from '#audit';
export type { EventStore } from '#event-store';
export type {
  BackendAnswer,
  BackendService,
  BackendTypeAnswer,
  BindingAsOf,
  BindingLedger,
  BindingModelAnswer,
  BindingModelView,
  CatalogService,
  Digest,
  EventView,
  Freshness,
  HistoryEvent,
  HistoryPageView,
  LedgerQueries,
  LedgerStatusView,
  LocatedAnswer,
  LocatedRefusal,
  LocatedResult,
  LookupResult,
  Moment,
  PastQueries,
  RecordAsOf,
  RecordDeletion,
} from '#ledger';
export type { LocatedBinding, ReadModel } from '#read-model';
export { LedgerConfigError, type LedgerConfig, type LedgerHealth, type OpenedLedger, type Rebuilds } from '#runtime';
export type { BindingAnswer, BindingResult, BindingsPage, MoveAnswer, MoveResult } from './answers.js';
export { Binder, Binders, type BinderBindOptions, type BinderReadOptions } from './binder.js';
export type { CommandOfStream, CommandSource } from './command-stream.js';
export * from './commands.js';
export type {
  AsOfInput,
  BindInput,
  ChangeDataInput,
  CommandContext,
  CommandInput,
  FilterInput,
  HistoryInput,
  Id,
  Instant,
  LookupInput,
  MoveInput,
  PageInput,
  RecordInput,
  SyncInput,
  UnbindInput,
} from './inputs.js';
export { isLedgerError, LedgerError, type LedgerErrorCode, type LedgerProblem } from './ledger-error.js';
export { LedgerService, MAX_ATOMIC_COMMANDS } from './ledger.service.js';
export { PastService } from './past.service.js';
export { LedgerEvents, type LiveEvent, type LiveFilter } from './live-events.js';
export { binderToken, BindingLedgerModule, InjectBinder, type BinderFeature } from './module.js';
export { MAX_WAITING_VALUES, oneAtATime, ReactionTooSlow } from './one-at-a-time.js';
export { BINDING_LEDGER_OPTIONS, OPENED_LEDGER, type BindingLedgerAsyncOptions, type BindingLedgerOptions } from './options.js';
export * from './queries.js';
export { BindingSubscriber, type SubscriberMethod } from './subscriber.decorator.js';
export { Subscribers } from './subscribers.js';
export {
  DEFAULT_SUBSCRIBER_LIMITS,
  type HandlerContext,
  type OperationRefusal,
  type OperationResult,
  type ParkedBinding,
  type ParkedEvent,
  type ResetResult,
  type SubscribeFrom,
  type SubscriberDefinition,
  type SubscriberFilter,
  type SubscriberLimits,
  type SubscriberView,
} from '#subscriptions';
export type { BindingEventView } from '#ledger';
