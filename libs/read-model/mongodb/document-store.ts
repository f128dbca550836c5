import { setImmediate as nextTurn } from 'node:timers/promises';
import { BSON, MongoBulkWriteError, type AnyBulkWriteOperation, type Collection, type FindOptions } from 'mongodb';
import { isDuplicateKey } from '#mongodb';
import type { BulkResult, BulkWrite, DocumentStore, Fields, Order, StoredDocument, Where } from '../src/stepwise.js';
import { changeOf, decode, encode, type MongoDocument } from './codec.js';
import type { Session } from './errors.js';
import { guardOf, searchOf } from './filters.js';

/** Answers come in one piece up to so many documents; a cursor is asked again for more. */
const DOCUMENTS_AT_ONCE = 2_000;
const DUPLICATE_KEY = 11_000;
const { deserialize } = BSON;
const PARTS_AT_ONCE = 4;
const WRITES_IN_PART = 100;

/** Nothing here takes more than one document to be changed in one step, so a server without transactions will do. */
export class MongoDocumentStore implements DocumentStore {
  constructor(private readonly session: Session) {}

  get(collection: string, id: string): Promise<StoredDocument | undefined> {
    return this.session.run(async () => {
      const found = await this.collection(collection).findOne({ _id: { $eq: id } });
      return found === null ? undefined : decode(collection, found);
    });
  }

  find(collection: string, where: Where, limit = 0, order?: Order): Promise<StoredDocument[]> {
    return this.session.run(async () => {
      const { filter, hint } = searchOf(collection, where);
      const options: FindOptions = { limit, batchSize: limit || DOCUMENTS_AT_ONCE };
      if (hint !== undefined) options.hint = hint;
      if (order !== undefined) options.sort = { [order.by]: order.descending ? -1 : 1 };
      const found = await this.collection(collection).find(filter, options).toArray();
      return found.map((document) => decode(collection, document));
    });
  }

  search(collection: string, where: Where): Promise<() => Promise<StoredDocument[]>> {
    return this.session.run(async () => {
      const { filter, hint } = searchOf(collection, where);
      const options: FindOptions = { batchSize: DOCUMENTS_AT_ONCE, raw: true, ...(hint === undefined ? {} : { hint }) };
      const found = (await this.collection(collection).find(filter, options).toArray()) as unknown as Uint8Array[];
      return async () => {
        // What else was asked for gets out first.
        await nextTurn();
        return found.map((bytes) => decode(collection, deserialize(bytes) as MongoDocument));
      };
    });
  }

  insert(collection: string, document: StoredDocument): Promise<boolean> {
    return this.session.run(async () => {
      try {
        await this.collection(collection).insertOne(encode(collection, document) as MongoDocument);
        return true;
      } catch (error) {
        if (isDuplicateKey(error)) return false;
        throw error;
      }
    });
  }

  update(
    collection: string,
    id: string,
    where: Where,
    { set = {}, raise = {} }: { set?: Fields; raise?: Record<string, number> },
  ): Promise<boolean> {
    return this.session.run(async () => {
      const change = { ...changeOf(collection, set), ...(Object.keys(raise).length > 0 ? { $max: raise } : {}) };
      const { matchedCount } = await this.collection(collection).updateOne({ ...guardOf(where), _id: { $eq: id } }, change);
      return matchedCount === 1;
    });
  }

  /** In several parts at once: so the server works on one while another is made ready, and on all of its processors. */
  bulk(collection: string, writes: readonly BulkWrite[]): Promise<BulkResult> {
    return this.session.run(async () => {
      const size = Math.max(WRITES_IN_PART, Math.ceil(writes.length / PARTS_AT_ONCE));
      const parts: Promise<PromiseSettledResult<BulkResult>>[] = [];
      for (let start = 0; start < writes.length; start += size) {
        // Between two parts the first gets out: the driver sends nothing while this goes on.
        if (start > 0) await nextTurn();
        parts.push(settled(this.part(collection, writes.slice(start, start + size))));
      }
      const result: BulkResult = { written: 0, duplicates: [] };
      for (const [index, part] of (await Promise.all(parts)).entries()) {
        if (part.status === 'rejected') throw part.reason;
        result.written += part.value.written;
        for (const place of part.value.duplicates) result.duplicates.push(place + index * size);
      }
      return result;
    });
  }

  private async part(collection: string, writes: readonly BulkWrite[]): Promise<BulkResult> {
    const operations = writes.map((write) => operationOf(collection, write));
    try {
      const { insertedCount, matchedCount } = await this.collection(collection).bulkWrite(operations, { ordered: false });
      return { written: insertedCount + matchedCount, duplicates: [] };
    } catch (error) {
      if (!(error instanceof MongoBulkWriteError)) throw error;
      return resultOf(error);
    }
  }

  remove(collection: string, where: Where, limit: number): Promise<number> {
    return this.session.run(async () => {
      const documents = this.collection(collection);
      const { filter, hint } = searchOf(collection, where);
      const options = { limit, batchSize: limit, projection: { _id: 1 }, ...(hint === undefined ? {} : { hint }) };
      const found = await documents.find(filter, options).toArray();
      if (found.length === 0) return 0;
      // The condition again: what was found may have been changed since.
      const among = { $and: [filter, { _id: { $in: found.map(({ _id }) => _id) } }] };
      return (await documents.deleteMany(among)).deletedCount;
    });
  }

  private collection(name: string): Collection<MongoDocument> {
    return this.session.db.collection<MongoDocument>(name);
  }
}

/**
 * What is to be inserted where it is not there yet is first taken for new: it nearly always is, and an insert costs half of
 * what an upsert does. Where the id is taken, the caller repeats it as an update.
 */
function operationOf(collection: string, { id, where, set, also, upsert }: BulkWrite): AnyBulkWriteOperation<MongoDocument> {
  if (upsert) return { insertOne: { document: encode(collection, set, also, { _id: id }) as MongoDocument } };
  return { updateOne: { filter: { ...guardOf(where), _id: { $eq: id } }, update: changeOf(collection, set, also) } };
}

/** Waits for it without throwing, whenever it is that it ends. */
async function settled<T>(work: Promise<T>): Promise<PromiseSettledResult<T>> {
  const [result] = await Promise.allSettled([work]);
  return result;
}

function resultOf(error: MongoBulkWriteError): BulkResult {
  const errors = Array.isArray(error.writeErrors) ? error.writeErrors : [error.writeErrors];
  if (errors.length === 0 || errors.some(({ code }) => code !== DUPLICATE_KEY)) throw error;
  const { insertedCount, matchedCount } = error.result;
  return { written: insertedCount + matchedCount, duplicates: errors.map(({ index }) => index) };
}
