import type { Collection } from 'mongodb';
import type { JsonObject, LedgerName } from '#domain';
import { isDuplicateKey } from '#mongodb';
import { readPage } from '../src/page.js';
import type {
  BindingFilter,
  BindingPage,
  CatalogDocument,
  CatalogKind,
  LedgerDocument,
  LocalRecordPage,
  LocatedBinding,
  ProjectionLease,
  ReadModel,
} from '../src/port.js';
import { StepwiseReadModel, type ReadTail } from '../src/stepwise.js';
import { toLedgerDocument, withoutSuccessor } from '../src/stepwise-documents.js';
import { decode, scopeOf, type MongoDocument } from './codec.js';
import { MongoDocumentStore } from './document-store.js';
import type { Session } from './errors.js';
import { scalar } from './filters.js';
import { claim, type Installation } from './installation.js';
import { IndexedData } from './indexed-data.js';
import { MongoLease } from './lease.js';
import { areFewSyncedAfter, readBehind, walkOf } from './list-source.js';
import { LocalRecords } from './local-record.js';
import { BINDINGS, BY, CATALOG, FACTS, LEDGERS, POINTERS } from './schema.js';

const LEDGERS_PER_STEP = 500;
const POSITION = 'position';

export interface MongoReadModelTools {
  readTail: ReadTail;
  knowledgeMs: number;
  clock(): number;
}

/** The stepwise read model in MongoDB, with the queries that need none of its protocol. */
export class MongoReadModel extends StepwiseReadModel implements ReadModel {
  private readonly clock: () => number;
  private readonly localRecords: LocalRecords;

  constructor(
    private readonly session: Session,
    tools: MongoReadModelTools,
  ) {
    const documents = new MongoDocumentStore(session);
    super({ ...tools, documents, extras: new IndexedData(session, () => this.generations) });
    this.clock = tools.clock;
    this.localRecords = new LocalRecords(session, () => this.generations);
  }

  async position(): Promise<string> {
    const fact = await this.session.run(() => this.collection(FACTS).findOne({ _id: { $eq: POSITION } }));
    return (fact?.['value'] as string | undefined) ?? '';
  }

  async savePosition(position: string): Promise<void> {
    await this.session.run(() =>
      this.upserting(() =>
        this.collection(FACTS).updateOne({ _id: { $eq: POSITION } }, { $set: { value: scalar(position) } }, { upsert: true }),
      ),
    );
  }

  async saveCatalog(kind: CatalogKind, { id, revision, document }: CatalogDocument): Promise<void> {
    const older = { _id: { $eq: scalar(id) as string }, revision: { $lte: scalar(revision) } };
    const change = { $set: { revision, document: JSON.stringify(document) } };
    await this.session.run(async () => {
      try {
        await this.collection(CATALOG[kind]).updateOne(older, change, { upsert: true });
      } catch (error) {
        // One that is not older is there, or came in between: the latter may still be older than this one.
        if (!isDuplicateKey(error)) throw error;
        await this.collection(CATALOG[kind]).updateOne(older, change);
      }
    });
  }

  async forgetCatalog(): Promise<void> {
    await this.session.run(async () => {
      for (const collection of Object.values(CATALOG)) await this.collection(collection).deleteMany({});
      // Last, so that what is interrupted is done again.
      await this.collection(FACTS).deleteOne({ _id: { $eq: POSITION } });
    });
  }

  async catalogDocument(kind: CatalogKind, id: string): Promise<CatalogDocument | undefined> {
    const found = await this.session.run(() => this.collection(CATALOG[kind]).findOne({ _id: { $eq: scalar(id) as string } }));
    return found === null ? undefined : catalogDocumentOf(found);
  }

  async catalogDocuments(kind: CatalogKind, after: string | undefined, limit: number): Promise<CatalogDocument[]> {
    const filter = { _id: { $gt: scalar(after ?? '') as string } };
    const options = { sort: { _id: 1 } as const, limit, batchSize: limit };
    return (await this.session.run(() => this.collection(CATALOG[kind]).find(filter, options).toArray())).map(catalogDocumentOf);
  }

  async ledgerDocuments(): Promise<LedgerDocument[]> {
    const documents: LedgerDocument[] = [];
    for (let after = ''; ;) {
      const filter = { _id: { $gt: after } };
      const options = { sort: { _id: 1 } as const, limit: LEDGERS_PER_STEP, batchSize: LEDGERS_PER_STEP };
      const pointers = await this.session.run(() => this.collection(POINTERS).find(filter, options).toArray());
      const ids = pointers.map(({ _id, current }) => `${_id} ${current as string}`);
      const read = () =>
        this.collection(LEDGERS)
          .find({ _id: { $in: ids } }, { batchSize: ids.length || 1 })
          .toArray();
      const found = new Map((await this.session.run(read)).map((document) => [document._id, document]));
      for (const [index, id] of ids.entries()) {
        const document = found.get(id);
        // Without its document a generation was switched from and dropped since the pointer was read.
        const now =
          document === undefined
            ? await this.ledgerDocument(nameOf(pointers[index]?._id as string))
            : withoutSuccessor(toLedgerDocument(decode(LEDGERS, document)));
        if (now !== undefined) documents.push(now);
      }
      if (pointers.length < LEDGERS_PER_STEP) return documents;
      after = pointers.at(-1)?._id as string;
    }
  }

  findOfLocalRecord(
    localModel: string,
    recordId: string,
    includeUnbound: boolean,
    page?: LocalRecordPage,
  ): Promise<LocatedBinding[]> {
    return this.localRecords.find({ localModel, recordId, includeUnbound }, page);
  }

  list(ledger: LedgerName, filter: BindingFilter, limit: number, cursor?: string): Promise<BindingPage> {
    return readPage(ledger, filter, limit, cursor, (place, rows) =>
      this.inCurrent(
        ledger,
        [],
        async (scope, indexes) => {
          const few = filter.syncedBefore === undefined && (await areFewSyncedAfter(this.collection(BINDINGS), scope, filter));
          return readBehind(this.collection(BINDINGS), walkOf(scope, filter, indexes, few), place, rows);
        },
        filter.data !== undefined,
      ),
    );
  }

  newestSyncDate(ledger: LedgerName): Promise<string | null> {
    return this.inCurrent(ledger, null, async (scope) => {
      const options = { sort: { syncDate: -1 } as const, hint: BY.syncDate, projection: { syncDate: 1 } };
      const newest = await this.collection(BINDINGS).findOne({ scope: { $eq: scope }, live: { $eq: true } }, options);
      return (newest?.['syncDate'] as string | undefined) || null;
    });
  }

  claim(installation: Installation): Promise<void> {
    return this.session.run(() => claim(this.session.db, installation));
  }

  lease(): ProjectionLease {
    return new MongoLease(this.session, this.clock);
  }

  async ping(): Promise<void> {
    await this.session.run(() => this.session.db.command({ ping: 1 }));
  }

  close(): Promise<void> {
    return this.session.close();
  }

  /** Looks in the generation that is current, and again when that may have been dropped, or its indexes changed, meanwhile. */
  private async inCurrent<T>(
    ledger: LedgerName,
    none: T,
    look: (scope: string, indexes: readonly string[]) => Promise<T>,
    byIndexes = false,
  ): Promise<T> {
    for (;;) {
      const known = await this.generations.knownCurrent(ledger);
      if (known === undefined) return none;
      const indexes = async () => (byIndexes ? (await this.ledgerDocument(ledger))?.state.rules.indexes : undefined) ?? [];
      const before = await indexes();
      const found = await this.session.run(() => look(scopeOf({ ...ledger, generation: known.generation }), before));
      const after = before.length === 0 ? before : await indexes();
      if (this.generations.isYoung(known) && before.every((field) => after.includes(field))) return found;
    }
  }

  /** An upsert of what somebody else inserts at the same moment is repeated: then it is there. */
  private async upserting(write: () => Promise<unknown>): Promise<void> {
    try {
      await write();
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
      await write();
    }
  }

  private collection(name: string): Collection<MongoDocument> {
    return this.session.db.collection<MongoDocument>(name);
  }
}

function nameOf(key: string): LedgerName {
  const slash = key.indexOf('/');
  return { backend: key.slice(0, slash), model: key.slice(slash + 1) };
}

function catalogDocumentOf({ _id, revision, document }: MongoDocument): CatalogDocument {
  return { id: _id, revision: revision as number, document: JSON.parse(document as string) as JsonObject };
}
