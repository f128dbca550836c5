import { randomUUID } from 'node:crypto';
import { setImmediate as breath } from 'node:timers/promises';
import { ledgerKey, UNOPENED, type LedgerName } from '#domain';
import { transaction, type SqliteDatabase } from '#sqlite';
import type { LedgerBatch, OpenedLedger, RebuildState } from '../src/port.js';
import { documentOf, type LedgerRow, type Role } from './documents.js';
import type { Statements } from './statements.js';

/** Rows that one transaction deletes at most: others wait for it. */
const DELETED_AT_ONCE = 1_000;

/**
 * The generations of ledgers. A rebuild makes one beside the current one; when it has caught up, every batch is applied to it
 * first; then it becomes the current one, and the former is kept up until it is dropped. Each change is one transaction.
 */
export class SqliteGenerations {
  constructor(
    private readonly db: SqliteDatabase,
    private readonly statements: Statements,
  ) {}

  /** Makes the first generation where there is none. */
  create(ledger: LedgerName): void {
    this.insert('current', ledger);
  }

  /** All that are to be kept up; to be called where nothing changes meanwhile. */
  opened(ledger: LedgerName): OpenedLedger | undefined {
    const current = this.document('current', ledger);
    if (current === undefined) return undefined;
    const [next, former] = [this.document('next', ledger), this.document('former', ledger)];
    return {
      ...documentOf(current),
      ...(next !== undefined && { next: documentOf(next) }),
      ...(former !== undefined && { former: documentOf(former) }),
    };
  }

  /** Whether another generation is to have the batch before the one that it is for. */
  isTooEarly(role: Role, { ledger, to }: LedgerBatch): boolean {
    const before = role === 'current' ? 'next' : role === 'former' ? 'current' : undefined;
    if (before === undefined) return false;
    const [, , checkpoint] = this.statements.generation.get(before, ledgerKey(ledger)) ?? [];
    return checkpoint !== undefined && checkpoint < to;
  }

  rebuildState(ledger: LedgerName): RebuildState {
    const building = this.building(ledger);
    const former = this.document('former', ledger) ?? this.document('dropped', ledger);
    return {
      building: building === undefined ? undefined : documentOf(building),
      former: former === undefined ? null : documentOf(former).generation,
    };
  }

  begin(ledger: LedgerName): void {
    transaction(this.db, () => {
      if (this.document('current', ledger) === undefined) this.insert('current', ledger);
      const { building, former } = this.rebuildState(ledger);
      if (building === undefined && former === null) this.insert('building', ledger);
    });
  }

  follow(ledger: LedgerName): boolean {
    return transaction(this.db, () => {
      const name = ledgerKey(ledger);
      const building = this.statements.generation.get('building', name);
      if (building === undefined) return true;
      const [, , reached = -1] = this.statements.generation.get('current', name) ?? [];
      const [number, , checkpoint] = building;
      if (checkpoint < reached) return false;
      this.statements.setRole.run('next', number);
      return true;
    });
  }

  switchOver(ledger: LedgerName): void {
    transaction(this.db, () => {
      const name = ledgerKey(ledger);
      const next = this.statements.generation.get('next', name);
      const current = this.statements.generation.get('current', name);
      if (next === undefined || current === undefined) return;
      this.statements.setRole.run('former', current[0]);
      this.statements.setRole.run('current', next[0]);
    });
  }

  /** Whoever still applies to it leaves it from the first transaction on, so that none of its rows comes after it is gone. */
  async drop(ledger: LedgerName, generation: string, run: <T>(work: () => T) => T): Promise<void> {
    const number = run(() => this.markDropped(ledger, generation));
    if (number !== undefined) await this.delete(number, run);
  }

  /** All generations, in whatever state they are; the one that answers comes last. */
  async forget(ledger: LedgerName, run: <T>(work: () => T) => T): Promise<void> {
    for (const role of ['dropped', 'building', 'next', 'former', 'current'] as const) {
      const [number] = run(() => this.statements.generation.get(role, ledgerKey(ledger))) ?? [];
      if (number === undefined) continue;
      run(() => this.statements.setRole.run('dropped', number));
      await this.delete(number, run);
    }
  }

  private async delete(number: number, run: <T>(work: () => T) => T): Promise<void> {
    while (run(() => transaction(this.db, () => this.deleteSome(number))) > 0) await breath();
    run(() => this.statements.deleteLedger.run(number));
  }

  private markDropped(ledger: LedgerName, generation: string): number | undefined {
    return transaction(this.db, () => {
      const [found, role] = this.statements.ledgerProgress.get(ledgerKey(ledger), generation) ?? [];
      if (found === undefined || (role !== 'former' && role !== 'dropped')) return undefined;
      this.statements.setRole.run('dropped', found);
      return found;
    });
  }

  private building(ledger: LedgerName): LedgerRow | undefined {
    return this.document('building', ledger) ?? this.document('next', ledger);
  }

  private document(role: Role, ledger: LedgerName): LedgerRow | undefined {
    return this.statements.generationDocument.get(role, ledgerKey(ledger));
  }

  private insert(role: Role, ledger: LedgerName): void {
    const { backend, model } = ledger;
    const state = JSON.stringify(UNOPENED);
    this.statements.insertLedger.run(role, ledgerKey(ledger), backend, model, randomUUID(), -1, '', '', state);
  }

  /** Answers how many rows were deleted. */
  private deleteSome(ledger: number): number {
    const { bindingNumbers, deleteBinding, deleteFields, deleteKeys } = this.statements;
    const others = [deleteFields, deleteKeys].map((statement) => Number(statement.run(ledger, DELETED_AT_ONCE).changes));
    let left = DELETED_AT_ONCE;
    for (const [binding] of bindingNumbers.all(ledger, DELETED_AT_ONCE)) {
      left -= this.deleteHistory(binding, left) + 1;
      // With nothing left there may be more rows of this binding, which is needed to find them.
      if (left <= 0) break;
      deleteBinding.run(binding);
    }
    return others.reduce((sum, count) => sum + count, DELETED_AT_ONCE - left);
  }

  private deleteHistory(binding: number, limit: number): number {
    const revisions = this.statements.historyOf.all(binding, -1, Number.MAX_SAFE_INTEGER, limit);
    const [last] = revisions.at(-1) ?? [];
    if (last !== undefined) this.statements.deleteHistory.run(binding, last);
    return revisions.length;
  }
}
