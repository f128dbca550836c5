import { ledgerKey, type IdempotencyRecord } from '#domain';
import { transaction, type SqliteDatabase, type SqlValue } from '#sqlite';
import type { ApplyResult, BindingWrite, HistoryRow, LedgerBatch } from '../src/port.js';
import { isLiveRow, updatedRow, type BindingRow } from './codec.js';
import type { ExternalHashes } from './external-hash.js';
import { FieldIndex } from './field-index.js';
import type { SqliteGenerations } from './generations.js';
import { bitsOf } from './history.js';
import { NEW_BINDINGS_AT_ONCE, type Statements } from './statements.js';

/** A binding as it is stored, and the number of its row. */
type StoredRow = [...BindingRow, number: number];

/** Applies batches, each in one transaction: a reader sees all of it or nothing. */
export class BatchWriter {
  constructor(
    private readonly db: SqliteDatabase,
    private readonly statements: Statements,
    private readonly generations: SqliteGenerations,
    private readonly externalHashes: ExternalHashes,
  ) {}

  apply(batch: LedgerBatch): ApplyResult {
    return transaction(this.db, () => this.write(batch));
  }

  applyAll(batches: readonly LedgerBatch[]): ApplyResult[] {
    return transaction(this.db, () => batches.map((batch) => this.write(batch)));
  }

  private write(batch: LedgerBatch): ApplyResult {
    const progress = this.statements.ledgerProgress.get(ledgerKey(batch.ledger), batch.generation);
    if (progress === undefined) return 'superseded';
    const [ledger, role, checkpoint, indexes] = progress;
    if (role === 'dropped' || checkpoint !== batch.after || this.generations.isTooEarly(role, batch)) return 'superseded';
    this.writeBindings(ledger, batch, new FieldIndex(this.statements, ledger, JSON.parse(indexes) as string[]));
    for (const record of batch.idempotency) this.remember(ledger, record);
    this.writeLedger(ledger, batch);
    return 'applied';
  }

  private writeBindings(ledger: number, batch: LedgerBatch, fields: FieldIndex): void {
    const { indexes } = batch.state.rules;
    fields.drop(indexes);
    const stored = this.storedOf(ledger, batch.bindings);
    const numbers = new Map<string, number>();
    const created: BindingWrite[] = [];
    for (const write of batch.bindings) {
      if (isAsCreated(write)) created.push(write);
      else numbers.set(write.update.id, this.writeBinding(ledger, batch, write, stored.get(write.update.id), fields));
    }
    for (let start = 0; start < created.length; start += NEW_BINDINGS_AT_ONCE)
      this.writeCreated(ledger, batch, created.slice(start, start + NEW_BINDINGS_AT_ONCE), fields);
    for (const row of batch.history) this.writeHistory(ledger, batch, row, numbers.get(row.bindingId));
    fields.add(indexes);
  }

  /** Of what the batch changes. What it creates is not there, or the insertion finds that it is. */
  private storedOf(ledger: number, writes: readonly BindingWrite[]): Map<string, StoredRow> {
    const changed = writes.flatMap(({ createdRevision, update }) => (createdRevision === undefined ? [update.id] : []));
    return new Map(changed.length === 0 ? [] : this.storedByIds(ledger, changed).map((row) => [row[0], row]));
  }

  private storedByIds(ledger: number, ids: readonly string[]): StoredRow[] {
    return this.statements.storedByIds.all(JSON.stringify(ids), ledger);
  }

  /** Writes where the stored version is lower. Answers the binding's number. */
  private writeBinding(
    ledger: number,
    batch: LedgerBatch,
    write: BindingWrite,
    stored: StoredRow | undefined,
    fields: FieldIndex,
  ): number {
    const { createdRevision, update } = write;
    const storedVersion = stored?.[6] ?? 0;
    if (stored !== undefined && storedVersion >= update.version) return stored[13];
    if (stored === undefined && createdRevision === undefined)
      throw broken(batch, `binding ${update.id} is not there to be changed`);
    // The batch cannot have raised the version more often than it has events.
    if (update.version - storedVersion > batch.to - batch.after) {
      throw broken(batch, `binding ${update.id} goes from version ${storedVersion} to ${update.version}`);
    }
    const row = updatedRow(stored?.slice(0, -1) as BindingRow | undefined, update);
    if (stored === undefined) {
      const number = this.insertRow(ledger, createdRevision as number, row);
      if (number === undefined) return this.writeBinding(ledger, batch, write, this.storedByIds(ledger, [update.id])[0], fields);
      fields.replace(undefined, row);
      return number;
    }
    fields.replace(stored, row);
    this.updateRow(stored, row);
    return stored[13];
  }

  /** Writes bindings as they were created, many with one statement. Nothing more of the batch is of them, so nobody needs their numbers. */
  private writeCreated(ledger: number, batch: LedgerBatch, writes: readonly BindingWrite[], fields: FieldIndex): void {
    if (writes.length < NEW_BINDINGS_AT_ONCE) {
      for (const write of writes) this.writeBinding(ledger, batch, write, undefined, fields);
      return;
    }
    const rows = writes.map(({ update }) => updatedRow(undefined, update));
    const values: SqlValue[] = [];
    for (const row of rows) this.addNewRow(values, ledger, row);
    const all = Number(this.statements.insertNewBindings.run(...values).changes) === rows.length;
    for (const [index, row] of rows.entries()) {
      const stored = all ? row : this.storedByIds(ledger, [row[0]])[0];
      if (stored === undefined) this.writeBinding(ledger, batch, writes[index] as BindingWrite, undefined, fields);
      // One that was there before may be newer.
      else if (stored[7] === row[7]) fields.replace(undefined, row);
    }
  }

  /** Answers the number of the new row; none when the binding has one already. */
  private insertRow(ledger: number, createdRevision: number, row: BindingRow): number | undefined {
    const { insertBinding, insertNewBinding } = this.statements;
    const { changes, lastInsertRowid } =
      row[6] === 1 && row[7] === createdRevision
        ? insertNewBinding.run(...this.addNewRow([], ledger, row))
        : insertBinding.run(ledger, isLiveRow(row) ? 0 : 1, createdRevision, this.hashOf(row[2], row[7]), ...row);
    return changes === 0 ? undefined : Number(lastInsertRowid);
  }

  /** Adds what the statements for bindings as they were created take. */
  private addNewRow(values: SqlValue[], ledger: number, row: BindingRow): SqlValue[] {
    values.push(
      ledger,
      row[7],
      this.hashOf(row[2], row[7]),
      row[0],
      row[1],
      row[2],
      row[3],
      row[4],
      row[5],
      row[7],
      row[8],
      row[9],
    );
    return values;
  }

  private writeHistory(ledger: number, batch: LedgerBatch, row: HistoryRow, number: number | undefined): void {
    if (number === undefined)
      throw broken(batch, `revision ${row.revision} is of binding ${row.bindingId}, which it does not write`);
    const { revision, sets, formerRecordId = null, formerExternalId = null } = row;
    this.statements.insertHistory.run(number, revision, ledger, bitsOf(sets), formerRecordId, formerExternalId);
  }

  private updateRow(stored: StoredRow, row: BindingRow): void {
    const number = stored[13];
    const [, recordId, externalId, syncDate, data, state, version, revision, , updatedAt] = row;
    if (recordId !== stored[1] || externalId !== stored[2] || state !== stored[5]) {
      const columns = row.slice(1) as (string | number | null)[];
      this.statements.updateBinding.run(isLiveRow(row) ? 0 : 1, this.hashOf(externalId, revision), ...columns, number);
    } else if (syncDate !== stored[3]) {
      this.statements.syncBinding.run(syncDate, data, version, revision, updatedAt, number);
    } else {
      this.statements.touchBinding.run(data, version, revision, updatedAt, number);
    }
  }

  private hashOf(externalId: string | null, revision: number): number | null {
    return externalId === null ? null : this.externalHashes.of(externalId, revision);
  }

  private remember(ledger: number, { scopedKey, request, answer, at }: IdempotencyRecord): void {
    this.statements.rememberKey.run(ledger, scopedKey, request, JSON.stringify(answer), at);
  }

  private writeLedger(ledger: number, { to, hash, at, state }: LedgerBatch): void {
    const { localModel, indexes } = state.rules;
    this.statements.updateLedger.run(to, hash, at, localModel, JSON.stringify(indexes), JSON.stringify(state), ledger);
  }
}

function isAsCreated({ createdRevision, update }: BindingWrite): boolean {
  return update.version === 1 && update.revision === createdRevision;
}

function broken({ ledger, after, to }: LedgerBatch, what: string): Error {
  return new Error(`broken invariant: in ${ledgerKey(ledger)}, revisions ${after + 1} to ${to}, ${what}`);
}
