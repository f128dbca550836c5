/** Bindings and ledgers as the HTTP API has them. */
import type { Id, Instant, JsonObject, JsonValue } from './values.js';

/** `pending`: without an external id yet; `bound`; `unbound`: a former binding, kept as an answer to questions. */
export type BindingState = 'pending' | 'bound' | 'unbound';
export type Direction = 'import' | 'export';
export type RemovalCause = 'requested' | 'recordDeleted' | 'missingInBackend' | 'takenOver' | 'merged' | 'succeeded';

export interface Binding {
  id: string;
  backend: string;
  model: string;
  /** The model of the local record, such as `res.partner`; `null` where the binding model names none. */
  localModel: string | null;
  recordId: string;
  /** `null` while the binding is pending. */
  externalId: string | null;
  /** When it was last synchronized: UTC with milliseconds; `null` if never. */
  syncDate: string | null;
  data: JsonObject;
  state: BindingState;
  /** 1 at its creation, one more with each event; what `expectedVersion` is compared with. */
  version: number;
  /** The ledger's revision at which its last event stands. */
  revision: number;
  createdAt: string;
  updatedAt: string;
  unboundAt?: string;
  cause?: RemovalCause;
  reason?: string;
}

/** The binding that a call means, named by exactly one of the three. By record it must be the record's only one in the ledger. */
export type BindingTarget = { bindingId: Id } | { recordId: Id } | { externalId: Id };

interface BindFields {
  /** Default: now, when an external id is given; `null`: none. */
  syncDate?: Instant | null;
  /** JSON merge patch (RFC 7396) onto the binding's data. */
  data?: JsonObject;
  direction?: Direction;
  /** When the record is bound to another external id: `refuse` (default, `RECORD_ALREADY_BOUND`) or `replace`. */
  ifBound?: 'refuse' | 'replace';
  /**
   * When another record holds the external id: `refuse` (default, `EXTERNAL_ID_TAKEN`), `return` (outcome `taken` with
   * the holder's binding) or `takeOver` (removes the holder's binding and names it in `displaced`).
   */
  ifTaken?: 'refuse' | 'return' | 'takeOver';
}

/** Binds a record; without external id its binding is pending. With `bindingId` in the record's place, that very binding. */
export type BindRequest = BindFields & ({ recordId: Id; externalId?: Id } | { bindingId: Id; externalId: Id });

export interface SyncRequest {
  /** Default: now. A date that is not newer than the binding's answers `unchanged` and applies no data either. */
  syncDate?: Instant;
  /** JSON merge patch. */
  data?: JsonObject;
  /** Set the date although it is not newer; recorded as such. */
  force?: boolean;
  direction?: Direction;
}

export interface UnbindRequest {
  /** Default: `requested`. */
  cause?: 'requested' | 'missingInBackend';
}

/** From one record to another: all bindings of `fromRecordId` in the ledger, or the one binding. */
export type MoveRequest = { fromRecordId: Id; toRecordId: Id } | { bindingId: Id; toRecordId: Id };

export type Outcome = 'created' | 'assigned' | 'replaced' | 'synced' | 'changed' | 'unchanged' | 'taken' | 'unbound' | 'moved';

/** What a write of one binding came to. */
export interface WriteAnswer<O extends Outcome = Outcome, B extends Binding | null = Binding> {
  outcome: O;
  binding: B;
  /** The ledger's revision at which this is true; a read with `atLeast: revision` sees it. */
  revision: number;
}

export interface BindAnswer extends WriteAnswer<
  'created' | 'assigned' | 'replaced' | 'synced' | 'changed' | 'unchanged' | 'taken'
> {
  /** The binding that a take-over removed. */
  displaced?: Binding;
}
export type SyncAnswer = WriteAnswer<'synced' | 'changed' | 'unchanged'>;
export type ChangeDataAnswer = WriteAnswer<'changed' | 'unchanged'>;
/** `unchanged`: nothing was bound. */
export type UnbindAnswer = WriteAnswer<'unbound' | 'unchanged', Binding | null>;

export interface MoveAnswer {
  outcome: 'moved' | 'unchanged';
  bindings: Binding[];
  revision: number;
}

/** Filters of a listing. Default: live bindings (pending and bound), by id. */
export interface BindingFilter {
  recordId?: Id;
  externalId?: Id;
  state?: BindingState;
  /** Synchronized before this instant or never: never synchronized ones first, then the oldest. */
  syncedBefore?: Instant;
  syncedAfter?: Instant;
  createdBefore?: Instant;
  /** By data fields that the model declares as indexed; others are refused `FIELD_NOT_INDEXED`. */
  data?: Record<string, Exclude<JsonValue, JsonValue[] | JsonObject | null>>;
  /** Items a page, at most 1,000. */
  limit?: number;
  /** The ledger as it was at an instant, or at `revision:<n>`; only for `stream()`. */
  asOf?: Instant;
}

/** The revision that an answer of the past was given for, and when its event was recorded; -1 and `null` before the first event. */
export interface Moment {
  revision: number;
  at: string | null;
}

/** The answer to a lookup; `asOf` says of which revision, where it was asked for the past. */
export interface LookedUpBinding extends Binding {
  asOf?: Moment;
}

export interface RecordBindingsAsOf {
  items: Binding[];
  /** The instant that was asked for, and the revision that was used of each ledger (`<backend>/<model>`). */
  asOf: { at: string; revisions: Record<string, number> };
}

export interface Page<T> {
  items: T[];
  /** Where the next page begins; `null` after the last. */
  nextCursor: string | null;
}

/** Ids to look up, of one kind, at most 1,000. */
export type LookupRequest = { externalIds: Id[] } | { recordIds: Id[] };

export interface LookupAnswer {
  /** By the id that was asked for. Several bindings only by record, where the model's cardinality is `many`. */
  found: Record<string, Binding[]>;
  missing: string[];
}

export interface LedgerStatus {
  state: 'unopened' | 'open' | 'paused' | 'closed';
  /** Counts of bindings; pending ones are among the live. */
  live: number;
  pending: number;
  unbound: number;
  newestSyncDate: string | null;
  /** Revision of the ledger's newest event, and of the newest that reads see. */
  headRevision: number;
  projectedRevision: number;
  headPosition: string | null;
}

/** Kept outside, it proves later that nothing up to `revision` was changed. */
export interface Digest {
  /** `<backend>/<model>` */
  ledger: string;
  revision: number;
  /** SHA-256, hex, of the chain up to the revision. */
  hash: string;
  at: string;
}

/** What the deletion of a local record unbound. */
export interface RecordDeletionAnswer {
  unbound: Binding[];
  refused: { ledger: string; code: string; detail: string }[];
  /** Of each ledger in which something was unbound, what a read must include to see it. */
  revisions: { ledger: string; revision: number }[];
}
