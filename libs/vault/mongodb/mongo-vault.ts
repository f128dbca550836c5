import { randomUUID } from 'node:crypto';
import type { Collection } from 'mongodb';
import { isDuplicateKey, isUnavailable, messageOf, type MongoConnection } from '#mongodb';
import {
  VaultError,
  type ExpectedRevision,
  type ListOptions,
  type PutResult,
  type Vault,
  type VaultDocument,
  type VaultKey,
} from '#vault';
import { requireContent, requireListLimit } from '../src/arguments.js';
import { VAULT } from './schema.js';

interface StoredDocument {
  _id: string;
  kind: string;
  id: string;
  version: string;
  revision: string;
  content: string;
}

/** What is put must survive a loss of power, also where a majority is one server. */
const DURABLE = { writeConcern: { w: 'majority', journal: true } } as const;
/** How often a put looks again when others put and delete the same document at the same moment. */
const MAX_LOOKS = 100;

/** The port on one collection. Each put changes one document in one step. */
export class MongoVault implements Vault {
  readonly #mongo: MongoConnection;
  readonly #documents: Collection<StoredDocument>;
  #open = true;

  constructor(mongo: MongoConnection) {
    this.#mongo = mongo;
    this.#documents = mongo.db.collection<StoredDocument>(VAULT, DURABLE);
  }

  get(key: VaultKey): Promise<VaultDocument | undefined> {
    return this.#run(async () => {
      const found = await this.#find(key);
      return found === null ? undefined : { content: found.content, revision: found.revision };
    });
  }

  async put(key: VaultKey, content: string, expected?: ExpectedRevision): Promise<PutResult> {
    requireContent(content);
    const put = { revision: randomUUID(), content };
    return this.#run(async () => {
      for (let look = 0; look < MAX_LOOKS; look += 1) {
        if (expected !== null && (await this.#replace(key, put, expected))) return { ok: true, revision: put.revision };
        if (typeof expected !== 'string' && (await this.#insert(key, put))) return { ok: true, revision: put.revision };
        if (expected === undefined) continue;
        return { ok: false, actual: (await this.#find(key))?.revision ?? null };
      }
      throw new VaultError('UNAVAILABLE', 'The document of the vault was put and deleted by others all the time');
    });
  }

  delete(key: VaultKey): Promise<boolean> {
    return this.#run(async () => (await this.#documents.deleteOne({ _id: { $eq: idOf(key) } })).deletedCount === 1);
  }

  deleteAll(kind: string, id: string): Promise<number> {
    return this.#run(async () => (await this.#documents.deleteMany({ kind: { $eq: kind }, id: { $eq: id } })).deletedCount);
  }

  async list(kind: string, { limit, after }: ListOptions): Promise<VaultKey[]> {
    requireListLimit(limit);
    return this.#run(async () => {
      const found: VaultKey[] = [];
      // First what is left of the versions of that id, then the ids behind it: each a stretch of the index.
      if (after !== undefined)
        found.push(
          ...(await this.#listed({ kind: { $eq: kind }, id: { $eq: after.id }, version: { $gt: after.version } }, limit)),
        );
      const behind = after === undefined ? {} : { id: { $gt: after.id } };
      if (found.length < limit) found.push(...(await this.#listed({ kind: { $eq: kind }, ...behind }, limit - found.length)));
      return found;
    });
  }

  async ping(): Promise<void> {
    await this.#run(() => this.#mongo.db.command({ ping: 1 }));
  }

  async close(): Promise<void> {
    this.#open = false;
    await this.#mongo.close();
  }

  #find(key: VaultKey): Promise<StoredDocument | null> {
    return this.#documents.findOne({ _id: { $eq: idOf(key) } });
  }

  async #replace(key: VaultKey, put: VaultDocument, expected: string | undefined): Promise<boolean> {
    const at = expected === undefined ? {} : { revision: { $eq: expected } };
    return (await this.#documents.updateOne({ _id: { $eq: idOf(key) }, ...at }, { $set: put })).matchedCount === 1;
  }

  async #insert({ kind, id, version }: VaultKey, put: VaultDocument): Promise<boolean> {
    try {
      await this.#documents.insertOne({ _id: idOf({ kind, id, version }), kind, id, version, ...put });
      return true;
    } catch (error) {
      if (isDuplicateKey(error)) return false;
      throw error;
    }
  }

  #listed(filter: Parameters<Collection<StoredDocument>['find']>[0], limit: number): Promise<VaultKey[]> {
    const options = { sort: { kind: 1, id: 1, version: 1 }, limit, batchSize: limit } as const;
    return this.#documents.find(filter, options).project<VaultKey>({ _id: 0, kind: 1, id: 1, version: 1 }).toArray();
  }

  async #run<T>(work: () => Promise<T>): Promise<T> {
    if (!this.#open) throw new VaultError('CLOSED', 'The vault is closed');
    try {
      return await work();
    } catch (error) {
      if (!isUnavailable(error)) throw error;
      throw new VaultError('UNAVAILABLE', `The vault cannot be used: ${messageOf(error, this.#mongo.url)}`, { cause: error });
    }
  }
}

function idOf({ kind, id, version }: VaultKey): string {
  return JSON.stringify([kind, id, version]);
}
