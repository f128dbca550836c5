import fc from 'fast-check';
import type { Db } from 'mongodb';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openMongo, type MongoConnection } from '#mongodb';
import { DocumentServer } from '../../../test/model/simulation/document-store.js';
import { temporaryDatabases } from '../../../test/support/mongodb/database.js';
import type { BulkWrite, Condition, StoredDocument, Where } from '../src/stepwise.js';
import { MongoDocumentStore } from './document-store.js';
import { Session } from './errors.js';
import { LEASE_MS, MongoLease } from './lease.js';

const newUrl = temporaryDatabases();
const THINGS = 'things';
let mongo: MongoConnection;
let session: Session;
let store: MongoDocumentStore;
beforeAll(async () => {
  mongo = await openMongo(newUrl());
  session = new Session(mongo.share());
  store = new MongoDocumentStore(session);
});
afterAll(async () => {
  await session.close();
  await mongo.close();
});
beforeEach(async () => {
  await mongo.db.collection(THINGS).deleteMany({});
});

/** A session in which something happens to the documents right before a call of a collection. */
function before(call: 'deleteMany' | 'updateOne', happen: () => Promise<void>): Session {
  const db = new Proxy(mongo.db, {
    get: (target, name) =>
      name !== 'collection'
        ? (Reflect.get(target, name) as unknown)
        : (collection: string) =>
            new Proxy(target.collection(collection), {
              get: (documents, method) =>
                method !== call
                  ? (Reflect.get(documents, method) as { bind?(self: object): unknown }).bind?.(documents)
                  : async (...args: unknown[]) => {
                      await happen();
                      return (Reflect.get(documents, method) as (...of: unknown[]) => unknown).apply(documents, args);
                    },
            }),
  }) as Db;
  return new Session({ ...mongo, db });
}

describe('the document store', () => {
  it('does with random documents and conditions what the model’s store does', async () => {
    const scalar = fc.constantFrom<string | number | null>('a', 'b', '', 0, 1, 2, 10, null);
    const number = fc.constantFrom(0, 1, 2, 10);
    const condition = fc.oneof<fc.Arbitrary<Condition>[]>(
      scalar,
      fc.array(fc.constantFrom('a', 'b', '', 0, 1, 10), { maxLength: 3 }).map((values) => ({ in: values })),
      fc.oneof(number, fc.constantFrom('a', 'b')).map((below) => ({ below })),
      number.map((atMost) => ({ atMost })),
      number.map((above) => ({ above })),
      fc.tuple(number, number).map(([above, atMost]) => ({ above, atMost })),
    );
    const where = fc.dictionary(fc.constantFrom('one', 'two'), condition, { noNullPrototype: true }) as fc.Arbitrary<Where>;
    const fields = fc.record({ one: scalar, two: scalar }, { requiredKeys: [] });
    const documents = fc.uniqueArray(fc.tuple(fc.constantFrom('x', 'y', 'z'), fields), { selector: ([id]) => id, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(documents, fc.array(where, { minLength: 4, maxLength: 4 }), fields, async (stored, wheres, set) => {
        const model = new DocumentServer();
        await mongo.db.collection(THINGS).deleteMany({});
        for (const [_id, of] of stored) {
          expect(await store.insert(THINGS, { _id, ...of })).toBe(model.insert(THINGS, { _id, ...of }));
        }
        const byId = (found: StoredDocument[]) => found.toSorted((a, b) => (a._id < b._id ? -1 : 1));
        for (const each of wheres) {
          expect(byId(await store.find(THINGS, each))).toEqual(byId(model.matching(THINGS, each)));
          expect(byId(await (await store.search(THINGS, each))())).toEqual(byId(model.matching(THINGS, each)));
        }
        const [first = {}, second = {}] = wheres;
        const change = { ...set, three: 1 };
        expect(await store.update(THINGS, 'x', first, { set: change })).toBe(model.update(THINGS, 'x', first, change));
        expect(await store.remove(THINGS, second, 10)).toBe(
          model.matching(THINGS, second).filter(({ _id }) => model.remove(THINGS, _id, second)).length,
        );
        expect(byId(await store.find(THINGS, {}))).toEqual(byId(model.matching(THINGS, {})));
      }),
      { numRuns: 60 },
    );
  });

  it('says of each write of a bulk whether it was done, and which ids were taken', async () => {
    await store.insert(THINGS, { _id: 'old', version: 1 });
    await store.insert(THINGS, { _id: 'new', version: 5 });
    const write = (id: string, version: number, upsert: boolean): BulkWrite => {
      return { id, where: { version: { below: version } }, set: { version }, upsert };
    };
    const writes = [
      write('old', 3, false),
      write('new', 3, false),
      write('none', 3, false),
      write('new', 3, true),
      write('fresh', 3, true),
    ];
    expect(await store.bulk(THINGS, writes)).toEqual({ written: 2, duplicates: [3] });
    const versions = (await store.find(THINGS, {})).map(({ _id, version }) => `${_id}${String(version)}`).sort();
    expect(versions).toEqual(['fresh3', 'new5', 'old3']);
  });

  it('raises a number only if it is higher', async () => {
    await store.insert(THINGS, { _id: 'a', number: 5, successor: null });
    for (const number of [3, 9, 7])
      expect(await store.update(THINGS, 'a', { successor: null }, { raise: { number } })).toBe(true);
    expect(await store.get(THINGS, 'a')).toEqual({ _id: 'a', number: 9, successor: null });
    expect(await store.update(THINGS, 'a', { successor: '2' }, { raise: { number: 20 } })).toBe(false);
  });

  it('does not remove what has changed since it was found', async () => {
    for (const id of ['a', 'b']) await store.insert(THINGS, { _id: id, at: 1 });
    const renewing = before('deleteMany', async () => {
      await store.update(THINGS, 'a', {}, { set: { at: 100 } });
    });
    expect(await new MongoDocumentStore(renewing).remove(THINGS, { at: { below: 10 } }, 10)).toBe(1);
    expect(await store.find(THINGS, {})).toEqual([{ _id: 'a', at: 100 }]);
  });

  it('lets one of many insert an id, and one of many change it from what it was', async () => {
    const many = Array.from({ length: 20 }, (_, index) => index);
    const inserted = await Promise.all(many.map((by) => store.insert(THINGS, { _id: 'one', by })));
    expect(inserted.filter(Boolean)).toHaveLength(1);
    await store.update(THINGS, 'one', {}, { set: { checkpoint: 7 } });
    const moved = await Promise.all(
      many.map((by) => store.update(THINGS, 'one', { checkpoint: 7 }, { set: { checkpoint: 8, by } })),
    );
    expect(moved.filter(Boolean)).toHaveLength(1);
  });
});

describe('the lease', () => {
  it('is held by one, passes to another only when the holder was not heard of for its time, and back never by itself', async () => {
    let now = 0;
    const [a, b] = [new MongoLease(session, () => now), new MongoLease(session, () => now)];
    expect([await a.hold(), await b.hold(), await a.hold()]).toEqual([true, false, true]);
    now += LEASE_MS - 1;
    expect(await b.hold()).toBe(false);
    now += LEASE_MS;
    // It was heard of in between: the time begins again.
    expect(await a.hold()).toBe(true);
    expect(await b.hold()).toBe(false);
    now += LEASE_MS;
    expect(await b.hold()).toBe(true);
    expect([await a.hold(), await b.hold()]).toEqual([false, true]);
    await a.release();
    expect(await a.hold()).toBe(false);
    await b.release();
    expect([await a.hold(), await b.hold()]).toEqual([true, false]);
    await a.release();
  });

  it('is taken by one of many that ask at the same moment', async () => {
    const leases = Array.from({ length: 10 }, () => new MongoLease(session, () => 0));
    const held = await Promise.all(leases.map((lease) => lease.hold()));
    expect(held.filter(Boolean)).toHaveLength(1);
  });
});
