/** Queries for `QueryBus`. Each answers a value: what was asked for, or why there is no such answer. */
import { Query } from '@nestjs/cqrs';
import type { DigestPage, VerifyOptions, VerifyReport } from '#audit';
import type { LedgerName, Refusal } from '#domain';
import type {
  BindingAsOf,
  Digest,
  Freshness,
  HistoryPageView,
  LedgerStatusView,
  LocatedRefusal,
  LookupResult,
  RecordAsOf,
} from '#ledger';
import type { LocatedBinding } from '#read-model';
import type { BindingsPage } from './answers.js';
import type { AsOfInput, FilterInput, HistoryInput, Id, Instant, LookupInput, PageInput, RecordInput } from './inputs.js';

/**
 * The live binding that holds an external id. Refusals: `NOT_BOUND`. With `atLeast`, here as in all queries of a ledger, the
 * answer includes that revision (or `head`, all that was written before), or it is `NOT_YET_PROJECTED`.
 */
export class ToInternalQuery extends Query<LocatedBinding | Refusal> {
  constructor(
    readonly ledger: LedgerName,
    readonly externalId: Id,
    readonly freshness: Freshness = {},
  ) {
    super();
  }
}

/** The live binding of a record, also a pending one. Refusals: `NOT_BOUND`, `AMBIGUOUS_RECORD` with `candidates`. */
export class ToExternalQuery extends Query<LocatedBinding | Refusal> {
  constructor(
    readonly ledger: LedgerName,
    readonly recordId: Id,
    readonly freshness: Freshness = {},
  ) {
    super();
  }
}

/** A binding by its id, in any state. Refusals: `BINDING_NOT_FOUND`. */
export class FindBindingQuery extends Query<LocatedBinding | Refusal> {
  constructor(
    readonly ledger: LedgerName,
    readonly bindingId: string,
    readonly freshness: Freshness = {},
  ) {
    super();
  }
}

/** Live bindings by up to 1,000 external ids or record ids. Refusals: `TOO_LARGE`. */
export class LookupQuery extends Query<LookupResult | Refusal> {
  constructor(
    readonly ledger: LedgerName,
    readonly ids: LookupInput,
    readonly freshness: Freshness = {},
  ) {
    super();
  }
}

/** A page of bindings by filters; by default the live ones, by id. Refusals: `FIELD_NOT_INDEXED`. */
export class ListBindingsQuery extends Query<BindingsPage | Refusal> {
  constructor(
    readonly ledger: LedgerName,
    readonly filter: FilterInput = {},
    readonly page: PageInput = {},
    readonly freshness: Freshness = {},
  ) {
    super();
  }
}

/** The ledger's state, counts, freshness and head. */
export class LedgerStatusQuery extends Query<LedgerStatusView | Refusal> {
  constructor(
    readonly ledger: LedgerName,
    readonly freshness: Freshness = {},
  ) {
    super();
  }
}

/** The revision and the hash of a ledger's newest event, to keep elsewhere. */
export class LedgerDigestQuery extends Query<Digest | Refusal> {
  constructor(readonly ledger: LedgerName) {
    super();
  }
}

/** Digests of all ledgers, by ledger, a page after a cursor. */
export class LedgerDigestsQuery extends Query<DigestPage | Refusal> {
  constructor(readonly page: PageInput = {}) {
    super();
  }
}

/**
 * Recomputes a ledger from its events, and compares its read model with that; `ok` of the report says whether all is well.
 * It keeps all bindings of the ledger in memory, so a process does one at a time. Refusals: `BUSY`.
 */
export class VerifyLedgerQuery extends Query<VerifyReport | Refusal> {
  constructor(
    readonly ledger: LedgerName,
    readonly options: VerifyOptions = {},
  ) {
    super();
  }
}

/** Every live binding of a local record, on all backends; with `includeUnbound` former ones too. */
export class BindingsOfRecordQuery extends Query<LocatedBinding[] | Refusal> {
  constructor(
    readonly record: RecordInput,
    readonly includeUnbound = false,
  ) {
    super();
  }
}

/**
 * Every event of a binding, or of whatever was bound to a record or an external id, also long ago; each with the sync date and
 * the data that it replaced. Refusals: `BINDING_NOT_FOUND`.
 */
export class HistoryQuery extends Query<HistoryPageView | Refusal> {
  constructor(
    readonly ledger: LedgerName,
    readonly of: HistoryInput,
    readonly page: PageInput = {},
    readonly freshness: Freshness = {},
  ) {
    super();
  }
}

/** Every event of a local record, on all backends, in the order of the store. */
export class RecordHistoryQuery extends Query<HistoryPageView | Refusal> {
  constructor(
    readonly record: RecordInput,
    readonly page: PageInput = {},
  ) {
    super();
  }
}

/** The binding that held an external id at an instant or revision. Refusals: `NOT_BOUND`, `MALFORMED` for what is not certain yet. */
export class ToInternalAsOfQuery extends Query<BindingAsOf | LocatedRefusal> {
  constructor(
    readonly ledger: LedgerName,
    readonly externalId: Id,
    readonly asOf: AsOfInput,
    readonly freshness: Freshness = {},
  ) {
    super();
  }
}

/** The binding of a record at an instant or revision. Refusals: as above, and `AMBIGUOUS_RECORD` with `candidates`. */
export class ToExternalAsOfQuery extends Query<BindingAsOf | LocatedRefusal> {
  constructor(
    readonly ledger: LedgerName,
    readonly recordId: Id,
    readonly asOf: AsOfInput,
    readonly freshness: Freshness = {},
  ) {
    super();
  }
}

/** The live bindings of a local record on all backends, as they were at an instant. */
export class BindingsOfRecordAsOfQuery extends Query<RecordAsOf | Refusal> {
  constructor(
    readonly record: RecordInput,
    readonly at: Instant,
  ) {
    super();
  }
}
