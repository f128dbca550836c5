import type { LedgerName } from '#domain';
import { transaction, type SqliteDatabase } from '#sqlite';
import {
  ReadModelError,
  type ApplyResult,
  type LedgerBatch,
  type OpenedLedger,
  type RebuildableReadModel,
  type RebuildState,
} from '../src/port.js';
import { BatchWriter } from './batch-writer.js';
import { toReadModelError } from './errors.js';
import { ExternalHashes } from './external-hash.js';
import { SqliteGenerations } from './generations.js';
import { KnownNumbers } from './known-numbers.js';
import { prepareStatements, type Statements } from './statements.js';

export const POSITION = 'position';

/** One connection: what is applied to the generations of ledgers, and which of them a lookup is to ask. */
export class SqliteConnection implements RebuildableReadModel {
  protected readonly statements: Statements;
  protected readonly current: KnownNumbers;
  protected readonly externalHashes: ExternalHashes;
  private readonly writer: BatchWriter;
  private readonly generations: SqliteGenerations;
  private closed = false;

  constructor(private readonly db: SqliteDatabase) {
    this.statements = prepareStatements(db);
    this.generations = new SqliteGenerations(db, this.statements);
    this.current = new KnownNumbers(this.statements);
    this.externalHashes = new ExternalHashes(this.statements);
    this.writer = new BatchWriter(db, this.statements, this.generations, this.externalHashes);
  }

  async openLedger(ledger: LedgerName): Promise<OpenedLedger> {
    const there = this.read(() => this.generations.opened(ledger));
    if (there !== undefined) return there;
    // Another connection may be first: then there is nothing to be made.
    this.run(() => this.generations.create(ledger));
    return this.read(() => this.generations.opened(ledger)) as OpenedLedger;
  }

  async apply(batch: LedgerBatch): Promise<ApplyResult> {
    return this.run(() => this.writer.apply(batch));
  }

  async applyAll(batches: readonly LedgerBatch[]): Promise<ApplyResult[]> {
    return this.run(() => this.writer.applyAll(batches));
  }

  async rebuildState(ledger: LedgerName): Promise<RebuildState> {
    return this.read(() => this.generations.rebuildState(ledger));
  }

  async beginGeneration(ledger: LedgerName): Promise<void> {
    this.run(() => this.generations.begin(ledger));
  }

  async followGeneration(ledger: LedgerName): Promise<boolean> {
    return this.run(() => this.generations.follow(ledger));
  }

  async switchGeneration(ledger: LedgerName): Promise<void> {
    this.run(() => this.generations.switchOver(ledger));
  }

  async dropGeneration(ledger: LedgerName, former: string): Promise<void> {
    await this.generations.drop(ledger, former, (work) => this.run(work));
    this.current.forget(ledger);
  }

  async forgetLedger(ledger: LedgerName): Promise<void> {
    await this.generations.forget(ledger, (work) => this.run(work));
    this.current.forget(ledger);
  }

  async forgetCatalog(): Promise<void> {
    this.run(() =>
      transaction(this.db, () => {
        this.statements.deleteCatalog.run();
        this.statements.saveFact.run(POSITION, '');
      }),
    );
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.db.close();
  }

  protected look<T>(ledger: LedgerName, nothing: T, find: (number: number) => T): T {
    return this.run(() => this.current.look(ledger, nothing, find));
  }

  /** Several reads of one state, though another connection writes meanwhile. */
  protected read<T>(work: () => T): T {
    return this.run(() => {
      this.statements.beginRead.run();
      try {
        return work();
      } finally {
        // Some errors have ended the transaction already.
        if (this.db.isTransaction) this.statements.endRead.run();
      }
    });
  }

  protected run<T>(work: () => T): T {
    if (this.closed) throw new ReadModelError('CLOSED', 'the read model is closed');
    try {
      return work();
    } catch (error) {
      throw toReadModelError(error);
    }
  }
}
