import { databaseClass } from './driver.js';

export type SqlValue = null | number | bigint | string | Uint8Array;

/** What is used of a prepared statement. `Row` is what the SQL text promises; nothing checks it. */
export interface SqliteStatement<Row = unknown> {
  run(...parameters: SqlValue[]): { changes: number | bigint; lastInsertRowid: number | bigint };
  get(...parameters: SqlValue[]): Row | undefined;
  all(...parameters: SqlValue[]): Row[];
  iterate(...parameters: SqlValue[]): IterableIterator<Row>;
  /** Rows come as arrays in the order of the columns, which is nearly twice as fast as objects. */
  setReturnArrays(enabled: boolean): void;
}

/** What is used of a connection: `node:sqlite` and `@photostructure/sqlite` both have it. */
export interface SqliteDatabase {
  readonly isOpen: boolean;
  readonly isTransaction: boolean;
  exec(sql: string): void;
  prepare<Row = unknown>(sql: string): SqliteStatement<Row>;
  close(): void;
}

export interface OpenDatabaseOptions {
  /** The file must exist. Nothing is written, the journal mode is left as it is. */
  readOnly?: boolean;
  /** `FULL`: an acknowledged commit survives a loss of power. `NORMAL`: the newest ones may be lost, nothing is torn. */
  synchronous?: 'FULL' | 'NORMAL';
  /** How long a statement waits for another connection's lock before it fails. It blocks the thread. */
  busyTimeoutMs?: number;
  /** Page cache of this connection. */
  cacheKiB?: number;
  /** Of the pages of a database that is made now; one that is there keeps its own. */
  pageBytes?: number;
}

export const MEMORY = ':memory:';
export const DEFAULT_BUSY_TIMEOUT_MS = 5_000;
export const DEFAULT_CACHE_KIB = 8_192;
/** A write-ahead log that grew past this, because a reader held it open, is cut back afterwards. */
const WAL_SIZE_LIMIT_BYTES = 64 * 1_024 * 1_024;

export type SqliteErrorCode = 'IN_USE' | 'UNUSABLE' | 'NEWER_SCHEMA' | 'OLDER_SCHEMA';

/** Why a database or a data folder cannot be opened. Failures of single statements are SQLite's own errors. */
export class SqliteError extends Error {
  override readonly name = 'SqliteError';
  constructor(
    readonly code: SqliteErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Opens a file in write-ahead mode, or `MEMORY`. */
export function openDatabase(path: string, options: OpenDatabaseOptions = {}): SqliteDatabase {
  let db: SqliteDatabase | undefined;
  try {
    db = connect(path, options);
    if (!options.readOnly) useWriteAheadLog(db, path);
    return db;
  } catch (error) {
    if (db?.isOpen) db.close();
    if (error instanceof SqliteError) throw error;
    throw new SqliteError('UNUSABLE', `The database ${path} cannot be opened: ${messageOf(error)}`, { cause: error });
  }
}

/** Opens a connection and leaves the journal mode alone. */
export function connect(path: string, options: OpenDatabaseOptions = {}): SqliteDatabase {
  const db = new (databaseClass())(path, { readOnly: options.readOnly ?? false });
  try {
    setPragma(db, 'busy_timeout', options.busyTimeoutMs ?? DEFAULT_BUSY_TIMEOUT_MS);
    setPragma(db, 'synchronous', options.synchronous ?? 'FULL');
    if (options.pageBytes !== undefined) setPragma(db, 'page_size', options.pageBytes);
    setPragma(db, 'cache_size', -(options.cacheKiB ?? DEFAULT_CACHE_KIB));
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function useWriteAheadLog(db: SqliteDatabase, path: string): void {
  const mode = setPragma(db, 'journal_mode', 'WAL');
  if (mode !== 'wal' && mode !== 'memory') {
    throw new SqliteError('UNUSABLE', `The file system of ${path} cannot hold a write-ahead log (journal mode ${String(mode)})`);
  }
  setPragma(db, 'journal_size_limit', WAL_SIZE_LIMIT_BYTES);
}

/** Reads a pragma's single value. */
export function pragma(db: SqliteDatabase, name: string): SqlValue | undefined {
  const row = db.prepare<Record<string, SqlValue>>(`PRAGMA ${name}`).get();
  return row === undefined ? undefined : Object.values(row)[0];
}

/** Sets a pragma and returns what SQLite answers, which for some is the value now in force. */
export function setPragma(db: SqliteDatabase, name: string, value: string | number): SqlValue | undefined {
  return pragma(db, `${name} = ${value}`);
}

/** Runs `work` in one write transaction: all of it is committed, or none and the error is thrown on. */
export function transaction<T>(db: SqliteDatabase, work: () => T): T {
  db.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    db.exec('COMMIT');
    return result;
  } catch (error) {
    // Some errors (a full disk among them) have rolled back already.
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

/**
 * Moves everything from the write-ahead log into the database's own file. Closing alone does not do it with every driver: one
 * that cannot finalize its statements keeps the connection half open until they are collected.
 */
export function checkpoint(db: SqliteDatabase): void {
  pragma(db, 'wal_checkpoint(TRUNCATE)');
}

/** The primary result codes that callers tell apart (https://www.sqlite.org/rescode.html). */
export const SQLITE_BUSY = 5;
export const SQLITE_FULL = 13;
export const SQLITE_CONSTRAINT = 19;

/** SQLite's primary result code of an error, or `undefined` when it is not SQLite's. */
export function resultCode(error: unknown): number | undefined {
  const code = error instanceof Error && 'errcode' in error ? error.errcode : undefined;
  return typeof code === 'number' ? code & 0xff : undefined;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
