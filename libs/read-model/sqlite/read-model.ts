import { randomUUID } from 'node:crypto';
import { setImmediate as breath } from 'node:timers/promises';
import { ledgerKey, UNOPENED, type Binding, type LedgerName } from '#domain';
import type { SqliteDatabase, SqliteStatement } from '#sqlite';
import {
  ReadModelError,
  type ApplyResult,
  type BindingFilter,
  type BindingPage,
  type CatalogDocument,
  type CatalogKind,
  type DecisionKeys,
  type DecisionState,
  type FoundBindings,
  type LedgerBatch,
  type LedgerDocument,
  type LocatedBinding,
  type OpenedLedger,
  type ReadModel,
} from '../src/port.js';
import { BatchWriter } from './batch-writer.js';
import { bindingOf, type BindingRow } from './codec.js';
import { catalogDocumentOf, documentOf, recordOf, type LedgerRow } from './documents.js';
import { toReadModelError } from './errors.js';
import { readPage } from './list.js';
import { ListSources } from './list-source.js';
import { prepareStatements, type Statements } from './statements.js';

const LEDGERS_PER_STEP = 500;
const POSITION = 'position';

/** The read model on one connection. Everything runs in the calling thread; several connections may share a file. */
export class SqliteReadModel implements ReadModel {
  private readonly statements: Statements;
  private readonly writer: BatchWriter;
  private readonly sources: ListSources;
  /** Numbers of ledgers never change, so they may be remembered whatever another connection does. */
  private readonly numbers = new Map<string, number>();
  private closed = false;

  constructor(private readonly db: SqliteDatabase) {
    this.statements = prepareStatements(db);
    this.writer = new BatchWriter(db, this.statements);
    this.sources = new ListSources(this.statements);
  }

  // ── For the projector ──

  async openLedger(ledger: LedgerName): Promise<OpenedLedger> {
    return this.run(() => {
      const name = ledgerKey(ledger);
      const there = this.statements.ledger.get(name);
      if (there !== undefined) return documentOf(there);
      this.statements.insertLedger.run(name, ledger.backend, ledger.model, randomUUID(), -1, '', '', JSON.stringify(UNOPENED));
      return documentOf(this.statements.ledger.get(name) as LedgerRow);
    });
  }

  async apply(batch: LedgerBatch): Promise<ApplyResult> {
    return this.run(() => this.writer.apply(batch));
  }

  async position(): Promise<string> {
    return this.run(() => this.statements.fact.get(POSITION)?.[0] ?? '');
  }

  async savePosition(position: string): Promise<void> {
    this.run(() => this.statements.saveFact.run(POSITION, position));
  }

  async forgetIdempotency(before: string, limit: number): Promise<number> {
    return this.run(() => Number(this.statements.forgetKeys.run(before, limit).changes));
  }

  async saveCatalog(kind: CatalogKind, { id, revision, document }: CatalogDocument): Promise<void> {
    this.run(() => this.statements.saveCatalog.run(kind, id, revision, JSON.stringify(document)));
  }

  // ── For the writer ──

  async readForDecision(ledger: LedgerName, keys: DecisionKeys): Promise<DecisionState> {
    return this.read(() => {
      const name = ledgerKey(ledger);
      const row = this.statements.ledger.get(name);
      const number = row === undefined ? undefined : this.numberOf(ledger);
      if (row === undefined || number === undefined) return { document: undefined, bindings: [], idempotency: [] };
      const { liveByRecordIds, liveByExternalIds, byIds } = this.statements;
      const found = new Map<string, BindingRow>();
      for (const binding of allOf(liveByRecordIds, keys.recordIds, number)) found.set(binding[0], binding);
      for (const binding of allOf(liveByExternalIds, keys.externalIds, number)) found.set(binding[0], binding);
      for (const binding of allOf(byIds, keys.bindingIds, number)) found.set(binding[0], binding);
      const idempotency = allOf(this.statements.rememberedKeys, keys.scopedKeys, number).map(recordOf);
      return { document: documentOf(row), bindings: [...found.values()].map(bindingOf), idempotency };
    });
  }

  // ── For queries ──

  async ledgerDocument(ledger: LedgerName): Promise<LedgerDocument | undefined> {
    return this.run(() => {
      const row = this.statements.ledger.get(ledgerKey(ledger));
      return row === undefined ? undefined : documentOf(row);
    });
  }

  async ledgerDocuments(): Promise<LedgerDocument[]> {
    const documents: LedgerDocument[] = [];
    for (let after = ''; ; await breath()) {
      const rows = this.run(() => this.statements.ledgersAfter.all(after, LEDGERS_PER_STEP));
      for (const row of rows) documents.push(documentOf(row));
      const last = rows.at(-1);
      if (last === undefined || rows.length < LEDGERS_PER_STEP) return documents;
      after = last[0];
    }
  }

  async findByExternalId(ledger: LedgerName, externalId: string): Promise<Binding | undefined> {
    return this.run(() => {
      const number = this.numberOf(ledger);
      const row = number === undefined ? undefined : this.statements.liveByExternalId.get(externalId, number);
      return row === undefined ? undefined : bindingOf(row);
    });
  }

  async findByExternalIds(ledger: LedgerName, externalIds: readonly string[]): Promise<FoundBindings> {
    return this.find(this.statements.liveByExternalIds, ledger, externalIds);
  }

  async findByRecordIds(ledger: LedgerName, recordIds: readonly string[]): Promise<FoundBindings> {
    return this.find(this.statements.liveByRecordIds, ledger, recordIds);
  }

  async findById(ledger: LedgerName, bindingId: string): Promise<Binding | undefined> {
    return this.run(() => {
      const number = this.numberOf(ledger);
      const row = number === undefined ? undefined : this.statements.byId.get(number, bindingId);
      return row === undefined ? undefined : bindingOf(row);
    });
  }

  async findOfLocalRecord(localModel: string, recordId: string, includeUnbound: boolean): Promise<LocatedBinding[]> {
    return this.run(() => {
      const rows = this.statements.ofLocalRecord.all(recordId, includeUnbound ? 1 : 0, localModel);
      return rows.map(([...row]) => {
        const model = row.pop() as string;
        const backend = row.pop() as string;
        return { ...bindingOf(row as unknown as BindingRow), backend, model, localModel };
      });
    });
  }

  async list(ledger: LedgerName, filter: BindingFilter, limit: number, cursor?: string): Promise<BindingPage> {
    return readPage(ledger, filter, limit, cursor, (place, rows) =>
      this.read(() => {
        const number = this.numberOf(ledger);
        return number === undefined ? [] : this.sources.sourceOf(number, filter)(place, rows).map(bindingOf);
      }),
    );
  }

  async newestSyncDate(ledger: LedgerName): Promise<string | null> {
    return this.run(() => {
      const number = this.numberOf(ledger);
      const newest = number === undefined ? undefined : this.statements.newestSyncDate.get(number)?.[0];
      return newest === undefined || newest === '' ? null : newest;
    });
  }

  async catalogDocument(kind: CatalogKind, id: string): Promise<CatalogDocument | undefined> {
    return this.run(() => {
      const row = this.statements.catalog.get(kind, id);
      return row === undefined ? undefined : catalogDocumentOf(row);
    });
  }

  async catalogDocuments(kind: CatalogKind, after: string | undefined, limit: number): Promise<CatalogDocument[]> {
    return this.run(() => this.statements.catalogAfter.all(kind, after ?? '', limit).map(catalogDocumentOf));
  }

  async ping(): Promise<void> {
    this.run(() => this.statements.fact.get(POSITION));
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.db.close();
  }

  /** Finds live bindings, and the revision at which they were so together. */
  private find(statement: SqliteStatement<BindingRow>, ledger: LedgerName, keys: readonly string[]): FoundBindings {
    return this.read(() => {
      const number = this.numberOf(ledger);
      if (number === undefined) return { bindings: [], revision: -1 };
      const [revision = -1] = this.statements.ledgerCheckpoint.get(number) ?? [];
      return { bindings: allOf(statement, keys, number).map(bindingOf), revision };
    });
  }

  private numberOf(ledger: LedgerName): number | undefined {
    const name = ledgerKey(ledger);
    const known = this.numbers.get(name);
    if (known !== undefined) return known;
    const number = this.statements.ledgerNumber.get(name)?.[0];
    if (number !== undefined) this.numbers.set(name, number);
    return number;
  }

  /** Several reads of one state, though another connection writes meanwhile. */
  private read<T>(work: () => T): T {
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

  private run<T>(work: () => T): T {
    if (this.closed) throw new ReadModelError('CLOSED', 'the read model is closed');
    try {
      return work();
    } catch (error) {
      throw toReadModelError(error);
    }
  }
}

/** All rows of the keys in a ledger. A key that comes twice must not find twice. */
function allOf<Row>(statement: SqliteStatement<Row>, keys: readonly string[], ledger: number): Row[] {
  return keys.length === 0 ? [] : statement.all(JSON.stringify([...new Set(keys)]), ledger);
}
