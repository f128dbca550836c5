import { MongoClient, type Db, type MongoClientOptions } from 'mongodb';
import { messageOf } from './errors.js';

/** A read or write that takes longer has failed. */
export const MAX_OPERATION_MS = 10_000;
const DEFAULT_DATABASE = 'binding_ledger';
const SELECT_TIMEOUT_MS = 2_500;
const HEARTBEAT_MS = 2_000;
const MAX_CONNECTIONS = 50;

/** The database cannot be used, and why. The message has nothing of the URL's password. */
export class MongoConnectionError extends Error {
  override readonly name = 'MongoConnectionError';
}

/** For tests and measurements: every command is told of. */
export type MongoOptions = Pick<MongoClientOptions, 'monitorCommands'>;

/** One client for a whole process, shared by whatever keeps something in the database: the last one closes it. */
export interface MongoConnection {
  readonly db: Db;
  readonly url: string;
  /** Another user of the connection. */
  share(): MongoConnection;
  /** This user is done with it. */
  close(): Promise<void>;
}

/**
 * Connects, with majority reads and writes on the primary. The URL's path names the database.
 * @throws {MongoConnectionError} when the URL is wrong, the server cannot be reached, or it does not let the user in.
 */
export async function openMongo(url: string, options: MongoOptions = {}): Promise<MongoConnection> {
  let client: MongoClient | undefined;
  try {
    client = new MongoClient(url, {
      appName: 'binding-ledger',
      serverSelectionTimeoutMS: SELECT_TIMEOUT_MS,
      connectTimeoutMS: SELECT_TIMEOUT_MS,
      socketTimeoutMS: MAX_OPERATION_MS,
      waitQueueTimeoutMS: MAX_OPERATION_MS,
      heartbeatFrequencyMS: HEARTBEAT_MS,
      maxPoolSize: MAX_CONNECTIONS,
      readPreference: 'primary',
      readConcern: { level: 'majority' },
      writeConcern: { w: 'majority', wtimeoutMS: MAX_OPERATION_MS },
      ignoreUndefined: true,
      ...options,
    });
    await client.connect();
    const db = client.db(databaseOf(client, url));
    await db.command({ ping: 1 });
    return shared(client, db, url);
  } catch (error) {
    await client?.close().catch(() => undefined);
    throw new MongoConnectionError(`MongoDB cannot be used: ${messageOf(error, url)}`);
  }
}

function databaseOf(client: MongoClient, url: string): string {
  const named = /^[a-z+]+:\/\/[^/]*\/[^?]/.test(url);
  return named ? client.options.dbName : DEFAULT_DATABASE;
}

function shared(client: MongoClient, db: Db, url: string): MongoConnection {
  let users = 0;
  const user = (): MongoConnection => {
    let open = true;
    users += 1;
    return {
      db,
      url,
      share: user,
      close: async () => {
        if (!open) return;
        open = false;
        users -= 1;
        if (users === 0) await client.close();
      },
    };
  };
  return user();
}
