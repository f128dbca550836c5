/** The embedded read model: answers in `read-model.sqlite`, which may be deleted at any time and is then projected anew. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { MEMORY, messageOf, migrate, openDatabase, pragma, setPragma, SqliteError, type SqliteDatabase } from '#sqlite';
import { ReadModelError } from '../src/port.js';
import { toReadModelError } from './errors.js';
import { SqliteReadModel } from './read-model.js';
import { READ_MODEL_FILE, READ_MODEL_SCHEMA } from './schema.js';

export { SqliteReadModel } from './read-model.js';
export { READ_MODEL_FILE } from './schema.js';

export interface SqliteReadModelOptions {
  /** How long a write waits for another connection's; it blocks the thread meanwhile. */
  busyTimeoutMs?: number;
  /** Page cache of this connection. One that writes a large read model wants its two indexes of keys in it. */
  cacheKiB?: number;
}

const DEFAULT_CACHE_KIB = 24_576;
/** In bulk nearly every page changes that is written: with larger ones there are fewer to be split, and to be copied into the log. */
const PAGE_BYTES = 8_192;
/** Pages that change often, and in bulk nearly all do, are written back once for many commits. */
const LOG_BYTES_BETWEEN_CHECKPOINTS = 65_536_000;

/**
 * Opens the read model in a data folder, or one in memory. Several may be open on one folder, each in a thread of its own:
 * what one has applied, the others see with their next read.
 * @throws {ReadModelError} `UNAVAILABLE` when the database cannot be used, or a newer version of this program wrote it.
 */
export async function openSqliteReadModel(
  at: { folder: string } | { memory: true },
  options: SqliteReadModelOptions = {},
): Promise<SqliteReadModel> {
  let db: SqliteDatabase | undefined;
  try {
    db = open('folder' in at ? fileIn(at.folder) : MEMORY, options);
    migrate(db, READ_MODEL_SCHEMA);
    return new SqliteReadModel(db);
  } catch (error) {
    db?.close();
    if (!(error instanceof SqliteError)) throw toReadModelError(error);
    throw new ReadModelError('UNAVAILABLE', error.message, { cause: error });
  }
}

function open(path: string, { busyTimeoutMs, cacheKiB = DEFAULT_CACHE_KIB }: SqliteReadModelOptions): SqliteDatabase {
  const db = openDatabase(path, { synchronous: 'NORMAL', busyTimeoutMs, cacheKiB, pageBytes: PAGE_BYTES });
  // A file that is there keeps the pages that it was made with.
  setPragma(db, 'wal_autocheckpoint', Math.round(LOG_BYTES_BETWEEN_CHECKPOINTS / Number(pragma(db, 'page_size'))));
  return db;
}

function fileIn(folder: string): string {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw new ReadModelError('UNAVAILABLE', `The data folder ${folder} cannot be used: ${messageOf(error)}`, { cause: error });
  }
  return join(folder, READ_MODEL_FILE);
}
