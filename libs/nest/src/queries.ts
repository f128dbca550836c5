/** Queries for `QueryBus`. Each answers a value: what was asked for, or why there is no such answer. */
import { Query } from '@nestjs/cqrs';
import type { LedgerName, Refusal } from '#domain';
import type { Freshness, LedgerStatusView, LookupResult } from '#ledger';
import type { LocatedBinding } from '#read-model';
import type { BindingsPage } from './answers.js';
import type { FilterInput, Id, LookupInput, PageInput, RecordInput } from './inputs.js';

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

/** Every live binding of a local record, on all backends; with `includeUnbound` former ones too. */
export class BindingsOfRecordQuery extends Query<LocatedBinding[] | Refusal> {
  constructor(
    readonly record: RecordInput,
    readonly includeUnbound = false,
  ) {
    super();
  }
}
