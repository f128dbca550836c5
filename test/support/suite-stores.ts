/** The stores of the suite that runs: the end-to-end tests run on each of them, as they stand. */
import { randomBytes } from 'node:crypto';
import { openEventStoreDb } from '#event-store/eventstoredb';
import { openSqliteReadModel } from '#read-model/sqlite';
import type { LedgerConfig } from '#runtime';
import { openSqliteVault } from '#vault/sqlite';
import { eventStoreNode, type EventStoreNode } from './eventstoredb-node.js';
import { dropDatabase, newDatabaseUrl } from './mongodb/database.js';
import { openMongoStores } from './mongodb/stores.js';

export interface SuiteStores {
  config: Pick<LedgerConfig, 'stores' | 'streamPrefix'>;
  /** After the ledger has closed the stores. */
  release(): Promise<void>;
}

/** `undefined` for the embedded store in memory. */
export async function storesOfSuite(): Promise<SuiteStores | undefined> {
  if (process.env['SUITE'] === 'mongodb') return onMongoDb();
  return process.env['SUITE'] === 'eventstore' ? onEventStoreDb() : undefined;
}

let node: Promise<EventStoreNode> | undefined;
let users = 0;

/** All servers of a test file share a node, each with streams of its own. What can be made anew is in memory. */
async function onEventStoreDb(): Promise<SuiteStores> {
  users += 1;
  node ??= eventStoreNode();
  const streamPrefix = `e2e${randomBytes(4).toString('hex')}-`;
  const store = await openEventStoreDb({ url: (await node).url, streamPrefix });
  const readModel = await openSqliteReadModel({ memory: true });
  const vault = await openSqliteVault({ folder: ':memory:' });
  return {
    config: { stores: { store, readModel, vault }, streamPrefix },
    release: async () => {
      users -= 1;
      if (users > 0) return;
      const unused = node;
      node = undefined;
      await (await unused)?.stop();
    },
  };
}

/** Each server has a database of its own, beside an event store in memory. */
async function onMongoDb(): Promise<SuiteStores> {
  const url = newDatabaseUrl();
  const stores = await openMongoStores(url);
  return { config: { stores }, release: () => dropDatabase(url) };
}
