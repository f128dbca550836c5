import { existsSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EventStoreError, type EventStore } from '#event-store';
import { lockFolder, MEMORY, migrate, openDatabase, requireSchema, SqliteError, type SqliteDatabase } from '#sqlite';
import { NoAppender, ThreadAppender, type Appender } from './appender.js';
import { ChangeSignal } from './change-signal.js';
import { EVENTS_SCHEMA, LEDGER_FILE } from './schema.js';
import { SqliteEventStore } from './sqlite-event-store.js';
import { WorkerAppender } from './worker-appender.js';

export { LEDGER_FILE } from './schema.js';

/** The projection reads everything once, in the order in which it was written: it never comes back to a page. */
const READING_CACHE_KIB = 2_048;

export interface SqliteEventStoreOptions {
  /** The data folder, or `:memory:` for a store that is gone when it is closed. */
  folder: string;
  /** Follows what another thread or process writes. Takes no lock and starts no thread; appends are refused. */
  readOnly?: boolean;
  /**
   * `worker` (the default for a folder): flushes to the disk never block the calling thread. `thread`: each append blocks
   * until it is on the disk; needs no compiled worker, so this is for tests from the sources.
   */
  appendIn?: 'worker' | 'thread';
  /** The compiled append worker, for a program that does not run from its build. */
  appendWorker?: URL;
  /** Stamps what is appended, in milliseconds since 1970. */
  clock?: () => number;
}

/**
 * Opens the embedded event store, which takes the data folder for this process.
 * @throws {EventStoreError} `IN_USE` when another process has the folder, `UNAVAILABLE` when the store cannot be used.
 */
export async function openSqliteEventStore(options: SqliteEventStoreOptions): Promise<EventStore> {
  try {
    if (options.folder === MEMORY) return openInMemory(options);
    return options.readOnly ? openForReading(options) : await openFolder(options);
  } catch (error) {
    if (!(error instanceof SqliteError)) throw error;
    throw new EventStoreError(error.code === 'IN_USE' ? 'IN_USE' : 'UNAVAILABLE', error.message, { cause: error });
  }
}

function openInMemory({ clock = Date.now }: SqliteEventStoreOptions): EventStore {
  const changes = new ChangeSignal();
  const db = openDatabase(MEMORY);
  migrate(db, EVENTS_SCHEMA);
  const appender = new ThreadAppender(db, () => changes.announce());
  return new SqliteEventStore({ db, appender, changes, clock, release: () => undefined });
}

function openForReading({ folder, clock = Date.now }: SqliteEventStoreOptions): EventStore {
  const file = join(folder, LEDGER_FILE);
  if (!existsSync(file)) throw new EventStoreError('UNAVAILABLE', `There is no ledger in ${folder}`);
  const db = openDatabase(file, { readOnly: true, cacheKiB: READING_CACHE_KIB });
  try {
    requireSchema(db, EVENTS_SCHEMA);
  } catch (error) {
    db.close();
    throw error;
  }
  const appender = new NoAppender();
  const changes = new ChangeSignal(realpathSync(file));
  return new SqliteEventStore({ db, appender, changes, clock, release: () => undefined });
}

async function openFolder(options: SqliteEventStoreOptions): Promise<EventStore> {
  const { folder, clock = Date.now } = options;
  const lock = lockFolder(folder);
  let db: SqliteDatabase | undefined;
  try {
    const path = join(folder, LEDGER_FILE);
    db = openDatabase(path);
    migrate(db, EVENTS_SCHEMA);
    const file = realpathSync(path);
    const changes = new ChangeSignal(file);
    const appender = await openAppender(options, db, file, changes);
    return new SqliteEventStore({ db, appender, changes, clock, release: () => lock.release() });
  } catch (error) {
    db?.close();
    lock.release();
    throw error;
  }
}

async function openAppender(
  { appendIn = 'worker', appendWorker = new URL('./append-worker.js', import.meta.url) }: SqliteEventStoreOptions,
  db: SqliteDatabase,
  file: string,
  changes: ChangeSignal,
): Promise<Appender> {
  if (appendIn === 'thread') return new ThreadAppender(db, () => changes.announce());
  if (!existsSync(fileURLToPath(appendWorker))) {
    throw new EventStoreError('UNAVAILABLE', `There is no ${appendWorker.href}: build first, or append in the thread`);
  }
  return WorkerAppender.open(file, appendWorker);
}
