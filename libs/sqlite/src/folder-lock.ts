import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { connect, messageOf, resultCode, SQLITE_BUSY, SqliteError, type SqliteDatabase } from './database.js';

export interface FolderLock {
  readonly folder: string;
  release(): void;
}

const LOCK_FILE = 'lock.sqlite';
/** A process that is just going away gets this long. */
const LOCK_WAIT_MS = 250;
/** A connection that nothing refers to would be collected, and its lock with it. */
const held = new Set<SqliteDatabase>();

/**
 * Takes the data folder for this process, for as long as the process lives or until it is released. The lock stands on a
 * file of its own, so any thread of the process can open the databases beside it; the operating system drops it with the
 * process, however that ends. A program must not read `lock.sqlite` itself: closing the file would drop the lock.
 * @throws {SqliteError} `IN_USE` when it is taken, `UNUSABLE` when the folder cannot be written.
 */
export function lockFolder(folder: string): FolderLock {
  const db = takeLock(folder);
  held.add(db);
  return {
    folder,
    release: () => {
      if (!held.delete(db)) return;
      // Closing alone would keep the lock until the driver has collected its statements.
      db.exec('ROLLBACK');
      db.close();
    },
  };
}

function takeLock(folder: string): SqliteDatabase {
  let db: SqliteDatabase | undefined;
  try {
    mkdirSync(folder, { recursive: true });
    db = connect(join(folder, LOCK_FILE), { busyTimeoutMs: LOCK_WAIT_MS });
    db.exec('BEGIN EXCLUSIVE');
    return db;
  } catch (error) {
    if (db?.isOpen) db.close();
    throw resultCode(error) === SQLITE_BUSY ? inUse(folder, error) : unusable(folder, error);
  }
}

function inUse(folder: string, cause: unknown): SqliteError {
  return new SqliteError(
    'IN_USE',
    `The data folder ${folder} is in use: stop what has it open, or name another folder with LEDGER_DATA`,
    { cause },
  );
}

function unusable(folder: string, cause: unknown): SqliteError {
  return new SqliteError('UNUSABLE', `The data folder ${folder} cannot be used: ${messageOf(cause)}`, { cause });
}
