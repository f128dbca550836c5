import type { Binding, LedgerName } from '#domain';
import type { BindingPage, CatalogDocument, CatalogKind, LedgerDocument, LocatedBinding, ReadModel } from '#read-model';
import { StepwiseReadModel, type DocumentStore, type StepwiseTools, type StoredDocument, type Where } from '#read-model/stepwise';

const PROGRESS = 'progress';
const CATALOG = 'catalog';
const LIVE = { in: ['pending', 'bound'] };

/** The stepwise read model with the queries that need none of its protocol, as the model test asks them. */
export class SimulatedReadModel extends StepwiseReadModel implements ReadModel {
  private readonly store: DocumentStore;

  constructor(tools: StepwiseTools) {
    super(tools);
    this.store = tools.documents;
  }

  async position(): Promise<string> {
    return ((await this.store.get(PROGRESS, 'position'))?.['position'] as string | undefined) ?? '';
  }

  async savePosition(position: string): Promise<void> {
    if (await this.store.update(PROGRESS, 'position', {}, { set: { position } })) return;
    await this.store.insert(PROGRESS, { _id: 'position', position });
  }

  async saveCatalog(kind: CatalogKind, document: CatalogDocument): Promise<void> {
    const id = `${kind} ${document.id}`;
    const older = { revision: { below: document.revision } };
    const set = { kind, ...document };
    if (await this.store.update(CATALOG, id, older, { set })) return;
    if (!(await this.store.insert(CATALOG, { _id: id, ...set }))) await this.store.update(CATALOG, id, older, { set });
  }

  async catalogDocument(kind: CatalogKind, id: string): Promise<CatalogDocument | undefined> {
    const found = await this.store.get(CATALOG, `${kind} ${id}`);
    return found === undefined ? undefined : catalogDocument(found);
  }

  async catalogDocuments(kind: CatalogKind, after: string | undefined, limit: number): Promise<CatalogDocument[]> {
    const found = (await this.store.find(CATALOG, { kind })).map(catalogDocument);
    return found
      .toSorted((a, b) => (a.id < b.id ? -1 : 1))
      .filter(({ id }) => after === undefined || id > after)
      .slice(0, limit);
  }

  async ledgerDocuments(): Promise<LedgerDocument[]> {
    const pointers = await this.store.find('generations', {});
    const ledgers = pointers.map(({ _id }) => _id.split('/') as [string, string]);
    const documents = await Promise.all(ledgers.map(([backend, model]) => this.ledgerDocument({ backend, model })));
    return documents.filter((document) => document !== undefined);
  }

  /** One page, the first; the model's ledgers are small. */
  async list(ledger: LedgerName): Promise<BindingPage> {
    return { items: await this.current(ledger, { state: LIVE }), nextCursor: null };
  }

  async newestSyncDate(ledger: LedgerName): Promise<string | null> {
    const dates = (await this.current(ledger, { state: LIVE })).map(({ syncDate }) => syncDate);
    return dates.reduce((newest, date) => (date !== null && (newest === null || date > newest) ? date : newest), null);
  }

  findOfLocalRecord(): Promise<LocatedBinding[]> {
    return Promise.reject(new Error('the model test does not look across ledgers'));
  }

  forgetCatalog(): Promise<void> {
    return Promise.reject(new Error('the model test exchanges no stores'));
  }

  ping(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** Of the generation that is current before and after. */
  private async current(ledger: LedgerName, where: Where): Promise<Binding[]> {
    for (;;) {
      const generation = (await this.generations.pointer(ledger))?.current;
      if (generation === undefined) return [];
      const found = await this.store.find('bindings', { ...ledger, generation, ...where });
      if ((await this.generations.pointer(ledger))?.current === generation) return found.map(bindingOf);
    }
  }
}

function catalogDocument({ id, revision, document }: StoredDocument): CatalogDocument {
  return { id, revision, document } as unknown as CatalogDocument;
}

function bindingOf({ _id, backend: _b, model: _m, generation: _g, createdRevision: _c, ...fields }: StoredDocument): Binding {
  return fields as unknown as Binding;
}
