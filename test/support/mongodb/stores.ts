/** The read model and the vault in MongoDB, beside an embedded event store. */
import type { EventStore } from '#event-store';
import { openSqliteEventStore } from '#event-store/sqlite';
import { StreamNames } from '#ledger';
import { openMongo } from '#mongodb';
import type { Stores } from '#runtime';
import { closeAll, openInMongo } from '../../../libs/runtime/src/stores.js';

/** `folder`: where the events are, if not in memory. */
export async function openMongoStores(url: string, folder = ':memory:', streamPrefix = ''): Promise<Stores> {
  const store: EventStore = await openSqliteEventStore({ folder, appendIn: 'thread' });
  const opened: { close(): Promise<void> }[] = [store];
  try {
    const mongo = await openMongo(url);
    opened.push(mongo);
    const stores = await openInMongo(store, mongo, new StreamNames(streamPrefix), opened);
    await mongo.close();
    return stores;
  } catch (error) {
    await closeAll(opened.toReversed());
    throw error;
  }
}
