import type { SqlValue, SqliteStatement } from '#sqlite';
import { orderOf, type Place } from '../src/filter.js';
import type { BindingFilter } from '../src/port.js';
import type { BindingRow } from './codec.js';
import type { ExternalHashes } from './external-hash.js';
import type { Statements } from './statements.js';

/**
 * So many recently synchronized bindings are sorted by id for each step. When there are more, a walk by id meets them often
 * enough.
 */
const MAX_SORTED = 5_000;

/** Reads rows behind a place, in the listing's order: all that match are among them. */
export type ListSource = (place: Place, limit: number) => BindingRow[];

/** Picks the index that leaves the least to be looked through. */
export class ListSources {
  constructor(
    private readonly statements: Statements,
    private readonly externalHashes: ExternalHashes,
  ) {}

  sourceOf(ledger: number, filter: BindingFilter): ListSource {
    const unbound = filter.state === 'unbound' ? 1 : 0;
    return (
      this.ofOneKey(ledger, unbound, filter) ?? this.byDate(ledger, unbound, filter) ?? this.inOrderOfIds(ledger, unbound, filter)
    );
  }

  private ofOneKey(ledger: number, unbound: number, { externalId, recordId, ...rest }: BindingFilter): ListSource | undefined {
    const { statements } = this;
    const key =
      externalId === undefined ? [recordId] : [JSON.stringify(this.externalHashes.ofAny([externalId], ledger)), externalId];
    if (key[0] === undefined) return undefined;
    const by = externalId === undefined ? ('listRecord' as const) : ('listExternalId' as const);
    switch (orderOf(rest)) {
      case 'id':
        return afterId(statements[`${by}ById`], ledger, unbound, ...(key as SqlValue[]));
      case 'syncDate':
        return afterDate(statements[`${by}BySyncDate`], ledger, unbound, ...(key as SqlValue[]));
      case 'createdAt':
        return afterDate(statements[`${by}ByCreation`], ledger, unbound, ...(key as SqlValue[]));
    }
  }

  private byDate(ledger: number, unbound: number, filter: BindingFilter): ListSource | undefined {
    const { statements } = this;
    const { syncedBefore, syncedAfter, createdBefore, state } = filter;
    if (syncedBefore !== undefined) {
      const source = afterDate(statements.listBySyncDate, ledger, unbound, syncedBefore);
      return syncedAfter === undefined ? source : (place, limit) => source(later(place, syncedAfter), limit);
    }
    if (createdBefore === undefined) return undefined;
    return state === 'pending'
      ? afterDate(statements.listPendingByCreation, ledger, createdBefore)
      : afterDate(statements.listByCreation, ledger, unbound, createdBefore);
  }

  private inOrderOfIds(ledger: number, unbound: number, { data = {}, state, syncedAfter }: BindingFilter): ListSource {
    const { statements } = this;
    if (unbound === 0) {
      const [indexes = '[]'] = statements.ledgerIndexes.get(ledger) ?? [];
      const fields = JSON.parse(indexes) as string[];
      const indexed = Object.entries(data).find(([field]) => fields.includes(field));
      if (indexed !== undefined) return afterId(statements.listField, ledger, ...indexed);
    }
    if (state === 'pending') return afterId(statements.listPendingById, ledger);
    if (syncedAfter !== undefined && this.fewSyncedAfter(ledger, unbound, syncedAfter)) {
      return afterId(statements.listSyncedAfter, ledger, unbound, syncedAfter);
    }
    return afterId(statements.listById, ledger, unbound);
  }

  private fewSyncedAfter(ledger: number, unbound: number, syncedAfter: string): boolean {
    const [count = 0] = this.statements.countSyncedAfter.get(ledger, unbound, syncedAfter, MAX_SORTED + 1) ?? [];
    return count <= MAX_SORTED;
  }
}

function afterId(statement: SqliteStatement<BindingRow>, ...values: SqlValue[]): ListSource {
  return ({ id }, limit) => statement.all(...values, id, limit);
}

function afterDate(statement: SqliteStatement<BindingRow>, ...values: SqlValue[]): ListSource {
  return ({ date, id }, limit) => statement.all(...values, date, id, limit);
}

/** A character after all those of ids. */
const BEHIND_ALL_IDS = '\u{10FFFF}';

/** The place, or the end of everything up to `date` if it lies before that. */
function later(place: Place, date: string): Place {
  return place.date <= date ? { date, id: BEHIND_ALL_IDS } : place;
}
