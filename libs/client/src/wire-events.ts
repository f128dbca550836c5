/** Events of a ledger as the HTTP API has them. */
import type { BindingState, Direction, RemovalCause } from './wire-bindings.js';
import type { Id, JsonObject } from './values.js';

export type BindingEventType =
  | 'BindingCreated'
  | 'ExternalIdAssigned'
  | 'ExternalIdReplaced'
  | 'SyncDateUpdated'
  | 'BindingDataChanged'
  | 'BindingMoved'
  | 'BindingRemoved';

export type ControlEventType = 'LedgerOpened' | 'LedgerRulesChanged' | 'LedgerPaused' | 'LedgerResumed' | 'LedgerClosed';

interface EventEnvelope {
  id: string;
  /** Where it stands in the whole store; opaque. */
  position: string;
  /** Where it stands in its ledger: 0 for the first. */
  revision: number;
  backend: string;
  model: string;
  localModel: string | null;
  direction?: Direction;
  reason?: string;
  /** When it was recorded: UTC with milliseconds; never goes backwards in a ledger. */
  at: string;
  actor: string;
  onBehalfOf?: string;
  correlationId: string;
  causationId?: string;
  /** SHA-256, hex, over the previous event's hash and this event. */
  hash: string;
}

/** Something happened to a binding: its identity after the event, and what the event changed. */
export interface BindingEvent extends EventEnvelope {
  type: BindingEventType;
  bindingId: string;
  version: number;
  recordId: string;
  externalId: string | null;
  state: BindingState;
  syncDate?: string | null;
  /** The whole new data, never a patch. */
  data?: JsonObject;
  previousRecordId?: string;
  previousExternalId?: string | null;
  previousState?: BindingState;
  cause?: RemovalCause;
}

/** Something happened to the ledger itself. */
export interface ControlEvent extends EventEnvelope {
  type: ControlEventType;
}

export type LedgerEvent = BindingEvent | ControlEvent;

/** An event of a history, with the sync date and the data that it replaced. */
export type HistoryEvent = BindingEvent & { previousSyncDate?: string | null; previousData?: JsonObject };

/** Which events of all ledgers: each member names one value, or several of which one must fit. Without members all of them. */
export interface EventFilter {
  backend?: string | readonly string[] | undefined;
  model?: string | readonly string[] | undefined;
  type?: BindingEventType | readonly BindingEventType[] | undefined;
  /** The record after the event, or the one that the binding was moved away from. */
  recordId?: Id | readonly Id[] | undefined;
  /** Removals only. */
  cause?: RemovalCause | readonly RemovalCause[] | undefined;
  direction?: Direction | readonly Direction[] | undefined;
  actor?: string | readonly string[] | undefined;
  correlationId?: string | readonly string[] | undefined;
}

/** A page of the events of all ledgers. */
export interface EventsPage {
  items: BindingEvent[];
  /** The `after` of the next page; it moves on although nothing fits. Keep it when the page is done with. */
  nextPosition: string;
  /** Nothing was behind this page when it was read. */
  caughtUp: boolean;
}

export interface EventsQuery {
  /** Events after this revision (exclusive). Default: from the first. */
  after?: number;
  /** Items a page. */
  limit?: number;
  /** A page waits up to this long for an event when there is none, in milliseconds. */
  waitMs?: number;
}
