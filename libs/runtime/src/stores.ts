/** Opens the stores that the configuration names: the embedded ones, or EventStoreDB and MongoDB. */
import type { EventStore, Revision } from '#event-store';
import { openSqliteEventStore } from '#event-store/sqlite';
import { DEFAULT_LIMITS, readLedgerEvent, StreamNames } from '#ledger';
import type { MongoConnection } from '#mongodb';
import type { ReadModel } from '#read-model';
import type { MongoReadModelOptions } from '#read-model/mongodb';
import { openSqliteReadModel, READ_MODEL_FILE } from '#read-model/sqlite';
import type { Vault } from '#vault';
import { openSqliteVault } from '#vault/sqlite';
import { DEFAULT_DATA_FOLDER, LedgerConfigError, type LedgerConfig } from './config.js';

export interface Stores {
  store: EventStore;
  readModel: ReadModel;
  vault: Vault;
  /** Told once the read model was found to be made of these events. */
  checked?(): Promise<void>;
  /** Where a thread of its own finds them to project: without it, the thread that asks does. */
  elsewhere?: StoresElsewhere | undefined;
}

/** How another thread opens the same event store and read model, each of either kind. */
export type StoresElsewhere = ({ folder: string } | { eventStoreUrl: string }) & ({ folder: string } | { mongodbUrl: string });

export interface OpenStores extends Stores {
  /** Where the thread that projects finds them; `undefined` when it is this one. */
  elsewhere: StoresElsewhere | undefined;
  /** What an operator does about a read model that does not belong to the events. */
  remedy: string;
}

interface Closable {
  close(): Promise<void>;
}

const MEMORY = ':memory:';

/** @throws with a message for the operator. */
export async function openStores(config: LedgerConfig): Promise<OpenStores> {
  const { stores, data = DEFAULT_DATA_FOLDER, threads, eventStoreUrl, mongodbUrl } = config;
  const elsewhere = (where: StoresElsewhere) => (threads === 'none' ? undefined : where);
  if (stores !== undefined) return { ...stores, elsewhere: stores.elsewhere, remedy: 'make the read model anew' };
  if (eventStoreUrl === undefined || mongodbUrl === undefined) {
    const remedy =
      `"ledger rebuild --data ${data}" makes anew what differs; ` +
      `or delete ${READ_MODEL_FILE} there, and the next start makes all of it anew from the events`;
    return {
      ...(await openEmbedded(data, threads)),
      elsewhere: data === MEMORY ? undefined : elsewhere({ folder: data }),
      remedy,
    };
  }
  const remedy =
    '"ledger rebuild", with the same EVENTSTORE_URL and MONGODB_URL, makes anew what differs; ' +
    'or drop the collections of the read model in that database, but not the vault: they are made anew';
  return {
    ...(await openDistributed(eventStoreUrl, mongodbUrl, config)),
    elsewhere: elsewhere({ eventStoreUrl, mongodbUrl }),
    remedy,
  };
}

/** What the thread that projects needs. It checks nothing that the main thread has checked. */
export async function openElsewhere(where: StoresElsewhere, prefix: string): Promise<Pick<Stores, 'store' | 'readModel'>> {
  const store =
    'eventStoreUrl' in where
      ? await (await distributedAdapters()).openEventStoreDb({ url: where.eventStoreUrl, check: false })
      : await openSqliteEventStore({ folder: where.folder, readOnly: true });
  if (!('mongodbUrl' in where)) return { store, readModel: await openSqliteReadModel({ folder: where.folder }) };
  const { openMongo, openMongoReadModel } = await distributedAdapters();
  const mongo = await openMongo(where.mongodbUrl);
  const readModel = await openMongoReadModel(mongo, { readTail: tailReader(store, new StreamNames(prefix)) });
  await mongo.close();
  return { store, readModel };
}

export async function closeAll(closable: readonly Closable[]): Promise<void> {
  for (const each of closable) await each.close();
}

async function openEmbedded(folder: string, threads: LedgerConfig['threads']): Promise<Stores> {
  const store = await openSqliteEventStore({ folder, appendIn: threads === 'none' ? 'thread' : 'worker' });
  const opened: Closable[] = [store];
  try {
    const vault = await openSqliteVault({ folder });
    opened.unshift(vault);
    return { store, vault, readModel: await openSqliteReadModel(folder === MEMORY ? { memory: true } : { folder }) };
  } catch (error) {
    await closeAll(opened);
    throw error;
  }
}

/** Both at once, so that what is wrong with either is said soon. */
async function openDistributed(eventStoreUrl: string, mongodbUrl: string, config: LedgerConfig): Promise<Stores> {
  const { streamPrefix, limits } = config;
  const { openEventStoreDb, openMongo, problemOfConnectionString } = await distributedAdapters();
  const problem = problemOfConnectionString(eventStoreUrl);
  if (problem !== undefined) throw new LedgerConfigError(`EVENTSTORE_URL: ${problem}`);
  const [store, mongo] = await Promise.allSettled([
    openEventStoreDb({ url: eventStoreUrl, streamPrefix, clockToleranceMs: limits?.clockToleranceMs }),
    openMongo(mongodbUrl),
  ]);
  const opened: Closable[] = [store, mongo].flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  try {
    if (store.status === 'rejected') throw named('EVENTSTORE_URL', store.reason);
    if (mongo.status === 'rejected') throw named('MONGODB_URL', mongo.reason);
    const stores = await openInMongo(store.value, mongo.value, new StreamNames(streamPrefix), opened);
    // Each of them holds the connection for itself.
    await mongo.value.close();
    return stores;
  } catch (error) {
    await closeAll(opened.toReversed());
    throw error;
  }
}

/** Whoever reads what is wrong learns which setting it is about. The error stays the same one, with its class and its code. */
function named(variable: string, reason: unknown): unknown {
  if (reason instanceof Error) reason.message = `${variable}: ${reason.message}`;
  return reason;
}

/** The read model and the vault in a database. `opened` gets what is to be closed when something goes wrong. */
export async function openInMongo(
  store: EventStore,
  mongo: MongoConnection,
  streams: StreamNames,
  opened: Closable[],
): Promise<Stores> {
  const { openMongoReadModel, openMongoVault } = await distributedAdapters();
  const vault = await openMongoVault(mongo);
  opened.push(vault);
  const [first] = await store.readStream(streams.types(), { limit: 1 });
  const installation = { streamPrefix: streams.prefix, identity: first?.id };
  const readModel = await openMongoReadModel(mongo, { readTail: tailReader(store, streams), installation });
  opened.push(readModel);
  return { store, vault, readModel, checked: () => readModel.claim(installation) };
}

/** Loaded when they are needed: with the embedded store the program starts without them. */
async function distributedAdapters() {
  const [eventStore, mongo, readModel, vault] = await Promise.all([
    import('#event-store/eventstoredb'),
    import('#mongodb'),
    import('#read-model/mongodb'),
    import('#vault/mongodb'),
  ]);
  return { ...eventStore, ...mongo, ...readModel, ...vault };
}

const TAIL_PAGE_EVENTS = 1_000;

/** The events of a ledger behind a revision, up to its end, as far as a writer would hold them: for answers while a batch is being applied. */
export function tailReader(store: EventStore, streams: StreamNames): MongoReadModelOptions['readTail'] {
  return async (ledger, after) => {
    const events = [];
    for (let from: Revision = after; ;) {
      const page = await store.readStream(streams.ledger(ledger), { after: from, limit: TAIL_PAGE_EVENTS });
      events.push(...page.map(readLedgerEvent));
      if (page.length < TAIL_PAGE_EVENTS) return events;
      if (events.length > DEFAULT_LIMITS.tailEvents) return undefined;
      from = page.at(-1)?.revision ?? from;
    }
  };
}
