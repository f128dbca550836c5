import { setImmediate as breath } from 'node:timers/promises';
import { ledgerKey, type Binding, type LedgerName } from '#domain';
import type { SqliteDatabase, SqliteStatement } from '#sqlite';
import { revisionsOf, statesAt, type HistoryQuestion } from '../src/history.js';
import { readPage } from '../src/page.js';
import { PageSteps } from '../src/page-size.js';
import type {
  BindingFilter,
  BindingPage,
  BindingText,
  CatalogDocument,
  CatalogKind,
  DecisionKeys,
  DecisionState,
  FoundBindings,
  HistoryKey,
  HistoryPage,
  LedgerDocument,
  LocalRecordPage,
  LocatedBinding,
  ReadModel,
  StatesAt,
} from '../src/port.js';
import { bindingOf, type BindingRow, type BindingTextRow } from './codec.js';
import { POSITION, SqliteConnection } from './connection.js';
import { catalogDocumentOf, documentOf, recordOf, type LedgerRow } from './documents.js';
import { SqliteHistorySource } from './history.js';
import { ListSources } from './list-source.js';

const LEDGERS_PER_STEP = 500;

/** The read model on one connection. Everything runs in the calling thread; several connections may share a file. */
export class SqliteReadModel extends SqliteConnection implements ReadModel {
  private readonly sources: ListSources;
  /** The document that was read last, and what the file was like then. */
  private newest: { name: string; other?: number; own?: number; document?: LedgerDocument } | undefined;

  constructor(db: SqliteDatabase) {
    super(db);
    this.sources = new ListSources(this.statements, this.externalHashes);
  }

  // ── For the projector ──

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
    const { recordIds, externalIds, bindingIds, scopedKeys } = keys;
    // Nearly all commands of a first import look for nothing but the document.
    const alone = recordIds.length + externalIds.length + bindingIds.length + scopedKeys.length === 0;
    if (alone) return { document: this.run(() => this.currentDocument(ledger)), bindings: [], idempotency: [] };
    return this.read(() => {
      const [number, row] = this.currentRow(ledger);
      if (number === undefined) return { document: undefined, bindings: [], idempotency: [] };
      const { liveByRecordIds, byIds } = this.statements;
      const found = new Map<string, BindingRow>();
      for (const binding of allOf(liveByRecordIds, keys.recordIds, number)) found.set(binding[0], binding);
      for (const binding of this.liveByExternalIds(keys.externalIds, number)) found.set(binding[0], binding);
      for (const binding of allOf(byIds, keys.bindingIds, number)) found.set(binding[0], binding);
      const idempotency = allOf(this.statements.rememberedKeys, keys.scopedKeys, number).map(recordOf);
      return { document: documentOf(row), bindings: [...found.values()].map(bindingOf), idempotency };
    });
  }

  /** It is read once for as long as nobody changes the file: a look whether somebody did costs a fraction. */
  private currentDocument(ledger: LedgerName): LedgerDocument | undefined {
    const [other] = this.statements.otherChanges.get() ?? [];
    const [own] = this.statements.ownChanges.get() ?? [];
    const { newest } = this;
    if (newest?.other === other && newest?.own === own && newest?.name === ledgerKey(ledger)) return newest.document;
    const [number, row] = this.currentRow(ledger);
    const document = number === undefined ? undefined : documentOf(row);
    this.newest = { name: ledgerKey(ledger), other, own, document };
    return document;
  }

  private currentRow(ledger: LedgerName): [undefined, undefined] | [number: number, row: LedgerRow] {
    const name = ledgerKey(ledger);
    const readAt = this.current.clock();
    const [number, ...row] = this.statements.currentLedger.get(name) ?? [];
    if (number === undefined) return [undefined, undefined];
    this.current.learn(name, number, readAt);
    return [number, row as LedgerRow];
  }

  // ── For queries ──

  async ledgerDocument(ledger: LedgerName): Promise<LedgerDocument | undefined> {
    return this.look(ledger, undefined, (number) => {
      const row = this.statements.ledger.get(number);
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
    return this.look(ledger, undefined, (number) => {
      // One period after the other, from the first on: a binding that gets another place meanwhile gets a later one.
      for (const hash of this.externalHashes.ofAny([externalId], number)) {
        const row = this.statements.liveByExternalId.get(hash, number, externalId);
        if (row !== undefined) return bindingOf(row);
      }
      return undefined;
    });
  }

  async findByExternalIds(ledger: LedgerName, externalIds: readonly string[]): Promise<FoundBindings> {
    return this.find(ledger, (number) => this.liveByExternalIds(externalIds, number));
  }

  async findByRecordIds(ledger: LedgerName, recordIds: readonly string[]): Promise<FoundBindings> {
    return this.find(ledger, (number) => allOf(this.statements.liveByRecordIds, recordIds, number));
  }

  async findById(ledger: LedgerName, bindingId: string): Promise<Binding | undefined> {
    return this.look(ledger, undefined, (number) => {
      const row = this.statements.byId.get(number, bindingId);
      return row === undefined ? undefined : bindingOf(row);
    });
  }

  async findOfLocalRecord(
    localModel: string,
    recordId: string,
    includeUnbound: boolean,
    { limit, after = { ledger: '', id: '' } }: LocalRecordPage = { limit: -1 },
  ): Promise<LocatedBinding[]> {
    return this.run(() => {
      const readAt = this.current.clock();
      const rows = this.statements.ofLocalRecord.all(recordId, includeUnbound ? 1 : 0, localModel, after.ledger, after.id, limit);
      return rows.map(([...row]) => {
        const number = row.pop() as number;
        const model = row.pop() as string;
        const backend = row.pop() as string;
        this.current.learn(ledgerKey({ backend, model }), number, readAt);
        return { ...bindingOf(row as unknown as BindingRow), backend, model, localModel };
      });
    });
  }

  async list(ledger: LedgerName, filter: BindingFilter, limit: number, cursor?: string): Promise<BindingPage> {
    return readPage(ledger, filter, limit, cursor, (place, rows) =>
      this.read(() =>
        this.current.look<Binding[]>(ledger, [], (number) => this.sources.sourceOf(number, filter)(place, rows).map(bindingOf)),
      ),
    );
  }

  async listTexts(ledger: LedgerName, unbound: boolean, afterId: string, limit: number): Promise<BindingText[]> {
    const texts: BindingText[] = [];
    for (const steps = new PageSteps(limit); ;) {
      const wanted = Math.min(steps.rows, limit - texts.length);
      const after = texts.at(-1)?.id ?? afterId;
      const rows = this.look<BindingTextRow[]>(ledger, [], (number) =>
        this.statements.listTexts.all(number, unbound ? 1 : 0, after, wanted),
      );
      let bytes = 0;
      for (const row of rows) {
        texts.push({ id: row[0], text: row[1] });
        bytes += row[1].length;
      }
      steps.took(bytes);
      steps.read(bytes);
      if (rows.length < wanted || texts.length >= limit || steps.full) return texts;
      await breath();
    }
  }

  async newestSyncDate(ledger: LedgerName): Promise<string | null> {
    return this.look<string | null>(ledger, null, (number) => {
      const newest = this.statements.newestSyncDate.get(number)?.[0];
      return newest === undefined || newest === '' ? null : newest;
    });
  }

  async history(ledger: LedgerName, key: HistoryKey, after: number, limit: number): Promise<HistoryPage> {
    const { found, upTo } = await this.ofThePast(ledger, key, (source, question) => revisionsOf(source, question, after, limit));
    return { revisions: found, upTo };
  }

  async statesAt(ledger: LedgerName, key: HistoryKey, revision: number): Promise<StatesAt> {
    const { found, upTo } = await this.ofThePast(ledger, key, async (source, question) =>
      revision > question.checkpoint ? [] : statesAt(source, question, revision),
    );
    return { bindings: found, upTo };
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

  /** Finds live bindings, and the revision at which they were so together. */
  private find(ledger: LedgerName, rowsOf: (number: number) => BindingRow[]): FoundBindings {
    return this.read(() =>
      this.current.look<FoundBindings>(ledger, { bindings: [], revision: -1 }, (number) => {
        const [revision = -1] = this.statements.ledgerCheckpoint.get(number) ?? [];
        return { bindings: rowsOf(number).map(bindingOf), revision };
      }),
    );
  }

  private liveByExternalIds(externalIds: readonly string[], ledger: number): BindingRow[] {
    const wanted = new Set(externalIds);
    const rows = allOf(this.statements.liveByExternalHashes, this.externalHashes.ofAny(wanted, ledger), ledger);
    return rows.filter(([, , externalId]) => wanted.has(externalId as string));
  }

  private async ofThePast<T>(
    ledger: LedgerName,
    key: HistoryKey,
    ask: (source: SqliteHistorySource, question: HistoryQuestion<number>) => Promise<T[]>,
  ): Promise<{ found: T[]; upTo: number }> {
    const run = <R>(work: () => R) => this.run(work);
    return this.current.search<{ found: T[]; upTo: number }>(ledger, { found: [], upTo: -1 }, run, (number) =>
      new SqliteHistorySource(this.statements, number, this.externalHashes, run).answer(key, ask),
    );
  }
}

/** All rows of the keys in a ledger. A key that comes twice must not find twice. */
function allOf<Row>(statement: SqliteStatement<Row>, keys: readonly (string | number)[], ledger: number): Row[] {
  return keys.length === 0 ? [] : statement.all(JSON.stringify([...new Set(keys)]), ledger);
}
