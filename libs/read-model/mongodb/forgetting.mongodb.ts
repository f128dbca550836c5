import { afterAll, beforeAll, expect, it } from 'vitest';
import { openMongo, type MongoConnection } from '#mongodb';
import { temporaryDatabases } from '../../../test/support/mongodb/database.js';
import { AppliedLedger, newName } from '../../../test/support/read-model/applied-ledger.js';
import { replayed } from '../../../test/support/read-model/generations.js';
import type { Where } from '../src/stepwise.js';
import { StepwiseReadModel } from '../src/stepwise.js';
import type { MongoDocument } from './codec.js';
import { MongoDocumentStore } from './document-store.js';
import { Session } from './errors.js';
import { openMongoReadModel, type MongoReadModel } from './index.js';
import { BINDINGS, HISTORY, KEYS, LEDGERS } from './schema.js';

const newUrl = temporaryDatabases();
let mongo: MongoConnection;
let session: Session;
let readModel: MongoReadModel;
beforeAll(async () => {
  mongo = await openMongo(newUrl());
  session = new Session(mongo.share());
  readModel = await openMongoReadModel(mongo, { readTail: () => Promise.resolve([]) });
});
afterAll(async () => {
  await readModel.close();
  await session.close();
  await mongo.close();
});

/** A process that is killed when it comes to its next removal. */
class KilledStore extends MongoDocumentStore {
  constructor(private removals: number) {
    super(session);
  }

  override remove(collection: string, where: Where, limit: number): Promise<number> {
    this.removals -= 1;
    return this.removals < 0 ? Promise.reject(new Error('killed')) : super.remove(collection, where, limit);
  }
}

/** Everything that there is of a ledger, by its generation: the names of the collections. */
async function left({ backend, model }: AppliedLedger['name']): Promise<Record<string, string[]>> {
  const found: Record<string, string[]> = {};
  for (const collection of [LEDGERS, BINDINGS, HISTORY, KEYS]) {
    const ids = { _id: { $gte: `${backend}/${model} `, $lt: `${backend}/${model}!` } };
    for (const { _id } of await mongo.db.collection<MongoDocument>(collection).find(ids).toArray()) {
      const of = (found[_id.split(' ')[1] as string] ??= []);
      if (!of.includes(collection)) of.push(collection);
    }
  }
  return found;
}

async function full(): Promise<AppliedLedger> {
  const ledger = await AppliedLedger.open({ write: readModel, read: readModel });
  const binding = ledger.bind('1', 'A');
  ledger.do({ op: 'unbind', recordId: '1' });
  const answer = { outcome: 'created', binding, revision: 1 } as const;
  ledger.remember({ scopedKey: newName('key'), request: 'r', answer, at: ledger.at });
  await ledger.apply();
  await readModel.beginGeneration(ledger.name);
  await readModel.apply(replayed(ledger, '2', -1, 2));
  return ledger;
}

it('forgets a ledger to the last document, also when it is killed at any point and done again', async () => {
  let ended = false;
  for (let removals = 0; !ended; removals += 1) {
    const ledger = await full();
    const before = await left(ledger.name);
    expect(before).toEqual({ '1': [LEDGERS, BINDINGS, HISTORY, KEYS], '2': [LEDGERS, BINDINGS, HISTORY] });
    const tools = { readTail: () => Promise.resolve([]), clock: () => performance.now(), knowledgeMs: 5_000 };
    const killed = new StepwiseReadModel({ ...tools, documents: new KilledStore(removals) });
    ended = await killed.forgetLedger(ledger.name).then(
      () => true,
      () => false,
    );
    await readModel.forgetLedger(ledger.name);
    const { generation } = await readModel.openLedger(ledger.name);
    expect(await left(ledger.name), `killed at removal ${removals}`).toEqual({ [generation]: [LEDGERS] });
  }
});
