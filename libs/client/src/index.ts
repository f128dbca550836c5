/** Typed client of the binding ledger's HTTP API. Start at `BindingLedgerClient`; for sync jobs in Odoo's words, at `Binder`. */
export type { VerifyOptions } from './audit.js';
export type { RebuildOptions } from './rebuild.js';
export { Binder, type BinderBindOptions } from './binder.js';
export type { Backends, BackendTypes, Models } from './catalog.js';
export { BindingLedgerClient, type Health } from './client.js';
export { MAX_LENGTH_IN_FLIGHT, MAX_LINES_IN_FLIGHT } from './command-feed.js';
export type { CommandStreamOptions } from './command-stream.js';
export { isLedgerError, LedgerError } from './errors.js';
export type { ApiErrorCode, ClientErrorCode, LedgerErrorCode, Problem } from './errors.js';
export type { Ledger, LookupOptions } from './ledger.js';
export type { Listing } from './listing.js';
export type { CallOptions, ClientOptions, ReadOptions, WriteOptions } from './options.js';
export type { Subscribers } from './subscribers.js';
export type { LocalRecord, RecordBindingsQuery } from './records.js';
export type { RetryNotice, RetryOptions } from './retry.js';
export type {
  EventObserver,
  EventSubscription,
  EventsPageOptions,
  ReconnectNotice,
  SubscribeOptions,
  Unsubscribable,
} from './subscription.js';
export type { Id, Instant, JsonObject, JsonValue } from './values.js';
export type * from './wire-audit.js';
export type * from './wire-rebuild.js';
export type * from './wire-bindings.js';
export type * from './wire-catalog.js';
export type * from './wire-commands.js';
export type * from './wire-events.js';
export type * from './wire-subscribers.js';
