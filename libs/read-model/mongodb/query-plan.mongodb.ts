import type { CommandStartedEvent, Document } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ledgerKey } from '#domain';
import { openMongo, type MongoConnection } from '#mongodb';
import { AppliedLedger, secondsAfterStart } from '../../../test/support/read-model/applied-ledger.js';
import { temporaryDatabases } from '../../../test/support/mongodb/database.js';
import type { BindingFilter, LocatedBinding } from '../src/port.js';
import { openMongoReadModel, type MongoReadModel } from './index.js';
import { BINDINGS } from './schema.js';

const newUrl = temporaryDatabases();
/** Bindings of each kind: many enough that a query which looks through them all is noticed. */
const MANY = 300;

let mongo: MongoConnection;
let readModel: MongoReadModel;
let ledger: AppliedLedger;
let asked: Document[] = [];

/** Every kind of binding, and of keys that several former bindings had. */
async function fill(of: AppliedLedger): Promise<void> {
  for (let index = 0; index < MANY; index += 1) {
    of.at = secondsAfterStart(index);
    const data = { colour: index % 2 ? 'red' : 'blue' };
    of.bind(`p${index}`);
    of.bind(`b${index}`, `e${index}`, { data });
    of.bind(`n${index}`, `never ${index}`, { syncDate: null });
    of.bind(`u${index}`, `former ${index}`, { data });
    of.do({ op: 'unbind', recordId: `u${index}` });
    of.run({ op: 'sync', recordId: 'b0' });
    of.bind('again', 'again');
    of.do({ op: 'unbind', recordId: 'again' });
  }
  await of.apply();
}

beforeAll(async () => {
  mongo = await openMongo(newUrl(), { monitorCommands: true });
  readModel = await openMongoReadModel(mongo, { readTail: () => Promise.resolve([]), knowledgeMs: 60_000 });
  const stores = { write: readModel, read: readModel };
  ledger = await AppliedLedger.open(stores, { indexes: ['colour'], localModel: 'product' });
  const other = await AppliedLedger.open(stores, { localModel: 'product' }, { ...ledger.name, model: 'shop.order' });
  await fill(ledger);
  await fill(other);
  mongo.db.client.on('commandStarted', ({ command }: CommandStartedEvent) => asked.push(command));
});
afterAll(async () => {
  await readModel.close();
  await mongo.close();
});

const READING = ['find', 'count', 'aggregate', 'delete', 'update'];

/** What was asked of the database meanwhile, as questions that can be explained. */
async function questionsOf(work: () => Promise<unknown>): Promise<Document[]> {
  asked = [];
  await work();
  return asked
    .filter((command) => READING.some((name) => name in command))
    .flatMap(({ lsid: _l, $clusterTime: _c, $db: _d, readConcern: _r, writeConcern: _w, txnNumber: _t, ...command }) => {
      const changes = (command['deletes'] ?? command['updates'] ?? []) as Document[];
      if (changes.length === 0) return [command];
      return changes.map(({ q }) => ({ find: command['delete'] ?? command['update'], filter: q as Document }));
    });
}

interface Plan {
  stages: string[];
  keys: number;
  documents: number;
  returned: number;
}

async function explained(question: Document): Promise<Plan> {
  const answer = await mongo.db.command({ explain: question, verbosity: 'executionStats' });
  const { totalKeysExamined, totalDocsExamined, nReturned } = answer['executionStats'] as Record<string, number>;
  const stages = [...JSON.stringify(answer['queryPlanner']).matchAll(/"stage":"([A-Z_]+)"/g)].map(([, stage]) => stage as string);
  return { stages, keys: totalKeysExamined ?? NaN, documents: totalDocsExamined ?? NaN, returned: nReturned ?? NaN };
}

/** A search for several keys may look once more for each than it finds. */
function listedKeys(question: Document): number {
  return [...JSON.stringify(question).matchAll(/"\$in":\[([^\]]*)\]/g)].reduce(
    (sum, [, list]) => sum + (list as string).split(',').length,
    0,
  );
}

async function expectIndexed(work: () => Promise<unknown>): Promise<void> {
  const questions = await questionsOf(work);
  expect(questions.length).toBeGreaterThan(0);
  for (const question of questions) {
    const plan = await explained(question);
    const told = JSON.stringify({ question, plan });
    expect(
      plan.stages.filter((stage) => stage === 'COLLSCAN'),
      told,
    ).toEqual([]);
    expect(
      plan.stages.some((stage) => /^(IXSCAN|IDHACK|EXPRESS_.*|COUNT_SCAN|EOF)$/.test(stage)),
      told,
    ).toBe(true);
    // One more may be seen not to match: the end of a stretch, a guard, or the one binding that has the key but not the state.
    expect(plan.keys, told).toBeLessThanOrEqual(plan.returned + listedKeys(question) + 1);
    expect(plan.documents, told).toBeLessThanOrEqual(plan.returned + 1);
  }
}

const LISTED: BindingFilter[] = [
  {},
  { state: 'pending' },
  { state: 'unbound' },
  { recordId: 'b4' },
  { externalId: 'e4' },
  { externalId: 'former 4', state: 'unbound' },
  { recordId: 'u4', state: 'unbound' },
  { syncedBefore: secondsAfterStart(200) },
  { syncedBefore: secondsAfterStart(200), state: 'unbound' },
  { syncedAfter: secondsAfterStart(100), syncedBefore: secondsAfterStart(200) },
  { createdBefore: secondsAfterStart(200) },
  { createdBefore: secondsAfterStart(200), state: 'pending' },
  { createdBefore: secondsAfterStart(200), state: 'unbound' },
  { data: { colour: 'red' } },
];

describe('every search is led by an index to what it finds, and looks at nothing else', () => {
  it.each(LISTED)('a listing by %j, page by page', async (filter) => {
    let cursor: string | undefined;
    await expectIndexed(async () => {
      for (let page = 0; page < 3; page += 1) {
        const found = await readModel.list(ledger.name, filter, 20, cursor);
        expect(found.items.length).toBeGreaterThan(0);
        if (found.nextCursor === null) return;
        cursor = found.nextCursor;
      }
    });
  });

  it('lookups, for a decision and for an answer', async () => {
    const [bound] = ledger.live().filter(({ recordId }) => recordId === 'b1');
    const keys = Array.from({ length: 50 }, (_, index) => index);
    const [records, externals] = [keys.map((index) => `b${index}`), keys.map((index) => `e${index}`)];
    await expectIndexed(async () => {
      expect(await readModel.findByExternalId(ledger.name, 'e1')).toBeDefined();
      expect((await readModel.findByExternalIds(ledger.name, [...externals, 'again', 'none'])).bindings).toHaveLength(50);
      expect((await readModel.findByRecordIds(ledger.name, [...records, 'again', 'none'])).bindings).toHaveLength(50);
      expect(await readModel.findById(ledger.name, bound?.id ?? '')).toBeDefined();
      const decision = { recordIds: records, externalIds: externals, bindingIds: [bound?.id ?? ''], scopedKeys: ['k'] };
      expect((await readModel.readForDecision(ledger.name, decision)).bindings).toHaveLength(50);
      expect(await readModel.newestSyncDate(ledger.name)).toBe(secondsAfterStart(MANY - 1));
      expect(await readModel.findOfLocalRecord('product', 'again', true)).toHaveLength(MANY * 2);
      expect(await readModel.findOfLocalRecord('product', 'b1', false)).toHaveLength(2);
    });
  });

  it('the bindings of a record in all ledgers, page by page, however many there are behind the page', async () => {
    const all = await readModel.findOfLocalRecord('product', 'again', true);
    for (const limit of [1, 7, 50]) {
      const paged: LocatedBinding[] = [];
      await expectIndexed(async () => {
        // From the end of the first ledger into the second one.
        for (let from = MANY - 20; from < MANY + 20; from += limit) {
          const last = all[from - 1] as LocatedBinding;
          const after = { ledger: ledgerKey(last), id: last.id };
          paged.push(...(await readModel.findOfLocalRecord('product', 'again', true, { limit, after })));
        }
      });
      expect(paged).toEqual(all.slice(MANY - 20, MANY - 20 + paged.length));
      expect(paged.length).toBeGreaterThanOrEqual(40);
      const finds = asked.filter(({ find }) => find === BINDINGS);
      expect(finds.every((find) => find['limit'] <= limit)).toBe(true);
    }
  });

  it('the history of a binding, of a record and of an external id', async () => {
    const [busy] = ledger.live().filter(({ recordId }) => recordId === 'b0');
    await expectIndexed(async () => {
      expect((await readModel.history(ledger.name, { bindingId: busy?.id ?? '' }, 50, 20)).revisions).toHaveLength(20);
      expect((await readModel.history(ledger.name, { recordId: 'u7' }, -1, 20)).revisions).toHaveLength(2);
      expect((await readModel.history(ledger.name, { externalId: 'again' }, 100, 5)).revisions).toHaveLength(5);
      const revision = ledger.revision - 1;
      expect((await readModel.statesAt(ledger.name, { bindingId: busy?.id ?? '' }, revision)).bindings).toHaveLength(1);
      expect((await readModel.statesAt(ledger.name, { externalId: 'e3' }, revision)).bindings).toHaveLength(1);
    });
  });

  it('applying a batch, with its checkpoint, and forgetting idempotency keys', async () => {
    ledger.at = secondsAfterStart(MANY + 1);
    ledger.do({ op: 'sync', recordId: 'b0' });
    ledger.bind('one more', 'one more', { data: { colour: 'green' } });
    const batch = ledger.takeBatch();
    await expectIndexed(() => readModel.apply(batch));
    await expectIndexed(() => readModel.forgetIdempotency('2001-01-01T00:00:00.000Z', 10));
  });

  it('the catalog, the ledgers and the position', async () => {
    for (let index = 0; index < 30; index += 1)
      await readModel.saveCatalog('backend', { id: `b${index + 10}`, revision: 1, document: {} });
    await expectIndexed(async () => {
      expect(await readModel.catalogDocuments('backend', 'b15', 5)).toHaveLength(5);
      await readModel.catalogDocument('backend', 'b15');
      await readModel.saveCatalog('backend', { id: 'b15', revision: 2, document: {} });
      await readModel.savePosition('1');
      await readModel.position();
      expect(await readModel.ledgerDocuments()).toHaveLength(2);
    });
  });

  it('dropping a generation', async () => {
    await readModel.beginGeneration(ledger.name);
    await expectIndexed(() => readModel.dropGeneration(ledger.name, 'none'));
    const { building } = await readModel.rebuildState(ledger.name);
    expect(building?.generation).toBe('2');
  });

  it('and one that is not would be noticed', async () => {
    const plan = await explained({ find: BINDINGS, filter: { data: { $eq: '{}' } } });
    expect(plan.stages).toContain('COLLSCAN');
  });
});
