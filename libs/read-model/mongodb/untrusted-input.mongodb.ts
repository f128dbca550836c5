import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '#domain';
import { openMongo } from '#mongodb';
import { AppliedLedger, byId, type Stores } from '../../../test/support/read-model/applied-ledger.js';
import { temporaryDatabases } from '../../../test/support/mongodb/database.js';
import type { BindingFilter } from '../src/port.js';
import { openMongoReadModel, type MongoReadModel } from './index.js';

const newUrl = temporaryDatabases();
let readModel: MongoReadModel;
let stores: Stores;
beforeAll(async () => {
  const mongo = await openMongo(newUrl());
  readModel = await openMongoReadModel(mongo, { readTail: () => Promise.resolve([]) });
  stores = { write: readModel, read: readModel };
  await mongo.close();
});
afterAll(() => readModel.close());

/** What a query language would make something of. All of them are ids and values that a user may have. */
const TEXTS = [
  '$gt',
  '$ne',
  '$where',
  '{"$gt":""}',
  '{"$ne":null}',
  '[$ne]=1',
  "'; return true; var a='",
  '1; sleep(1000)',
  '.*',
  '^',
  '/a/i',
  'a.b.$[]',
  '$$ROOT',
  '{$expr:{$eq:[1,1]}}',
  'null',
  'true',
  '0',
  '__proto__',
  'constructor',
  '%00',
  '\\u0000',
  '*',
  ' ',
  '"',
];
/** What gets past a check of types that was forgotten somewhere. */
const STRUCTURES: unknown[] = [
  { $gt: '' },
  { $ne: null },
  { $regex: '.*' },
  { $in: ['A'] },
  { $where: 'true' },
  { $exists: true },
  ['A'],
  [{ $gt: '' }],
  /A/,
  new Date(0),
  Buffer.from('A'),
  undefined,
  () => 'A',
  Symbol('A'),
  10n,
  { toString: () => 'A' },
  { _bsontype: 'ObjectId' },
  { in: ['A'] },
  { below: 'z' },
];

describe('text of users', () => {
  it('is what it says, in ids, in indexed data and in cursors', async () => {
    const ledger = await AppliedLedger.open(stores, { indexes: ['colour', '$where'], cardinality: 'many' });
    for (const text of TEXTS) ledger.bind(text, `to ${text}`, { data: { colour: text } });
    await ledger.apply();
    for (const text of TEXTS) {
      const [expected] = ledger.live().filter(({ recordId }) => recordId === text);
      expect(await readModel.findByExternalId(ledger.name, text)).toBeUndefined();
      expect(await readModel.findByExternalId(ledger.name, `to ${text}`)).toEqual(expected);
      expect((await readModel.findByRecordIds(ledger.name, [text])).bindings).toEqual([expected]);
      expect((await readModel.list(ledger.name, { data: { colour: text } }, 10)).items).toEqual([expected]);
      expect((await readModel.list(ledger.name, { data: { $where: text } }, 10)).items).toEqual([]);
      expect((await readModel.list(ledger.name, { recordId: text }, 10)).items).toEqual([expected]);
    }
    const all = (await readModel.findByRecordIds(ledger.name, TEXTS)).bindings;
    expect(byId(all)).toEqual(byId(ledger.live()));
  });

  it('never gets into a query as anything but text', async () => {
    const ledger = await AppliedLedger.open(stores, { indexes: ['colour'] });
    ledger.bind('A', 'A', { data: { colour: 'A' } });
    await ledger.apply();
    const { name } = ledger;
    for (const structure of STRUCTURES) {
      const value = structure as string;
      const none = { recordIds: [], externalIds: [], bindingIds: [], scopedKeys: [] };
      for (const ask of [
        () => readModel.findByExternalId(name, value),
        () => readModel.findByExternalIds(name, [value]),
        () => readModel.findByRecordIds(name, [value]),
        () => readModel.findOfLocalRecord('product', value, true),
        () => readModel.findOfLocalRecord(value, 'A', true),
        () => readModel.readForDecision(name, { ...none, bindingIds: [value] }),
        () => readModel.readForDecision(name, { ...none, recordIds: [value] }),
        () => readModel.catalogDocument('backend', value),
      ]) {
        const found = await ask().catch((error: unknown) => error);
        // Refused before anything is asked, or without effect: never an answer that it brought about.
        if (found instanceof Error) expect(found.message).toMatch(/broken invariant/);
        else expect([undefined, [], { bindings: [], revision: -1 }]).toContainEqual(found);
      }
      for (const field of ['recordId', 'externalId', 'syncedBefore', 'createdBefore', 'syncedAfter'] as const) {
        if (structure === undefined) continue;
        const listed = await readModel.list(name, { [field]: value } as BindingFilter, 10).catch((error: unknown) => error);
        expect(listed, `${field}: ${typeof structure}`).toBeInstanceOf(Error);
      }
    }
  });
});

describe('what users keep', () => {
  it('comes back as it was stored: names, order, numbers and all', async () => {
    const ledger = await AppliedLedger.open(stores);
    const numbers = fc.oneof(
      fc.integer(),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.constant(2 ** 53),
      fc.constant(1e300),
    );
    const value = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        fc.string({ unit: 'grapheme' }),
        numbers,
        fc.boolean(),
        fc.constant(null),
        fc.array(tie('value'), { maxLength: 4 }),
        fc.dictionary(fc.string({ maxLength: 6 }), tie('value'), { maxKeys: 5, noNullPrototype: true }),
      ),
    })).value;
    const data = fc.dictionary(fc.string({ maxLength: 8 }), value, { maxKeys: 8, noNullPrototype: true });
    const samples = fc.sample(data, { numRuns: 200, seed: 7 }).map((each) => JSON.parse(JSON.stringify(each)) as JsonObject);
    const stored = samples.map((each, index) => ({ binding: ledger.bind(`r${index}`, `e${index}`, { data: each }), each }));
    await ledger.apply();
    for (const { binding, each } of stored) {
      const found = await readModel.findById(ledger.name, binding.id);
      // Data is merged when it is bound; members that are null are then none.
      expect(JSON.stringify(found?.data)).toBe(JSON.stringify(binding.data));
      if (!Object.values(each).includes(null)) expect(Object.keys(found?.data ?? {}).length).toBe(Object.keys(each).length);
    }
  });
});
