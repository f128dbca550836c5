import { pragma, setPragma, SqliteError, transaction, type SqliteDatabase } from './database.js';

export interface Schema {
  /** What the database holds, for messages: "the events". */
  name: string;
  /** Statements that lead from each version to the next; a new database is version 0. */
  steps: readonly string[];
}

/** Brings the database to the newest version. One that a newer program wrote is refused, not guessed at. */
export function migrate(db: SqliteDatabase, schema: Schema): void {
  if (versionOf(db, schema) === schema.steps.length) return;
  transaction(db, () => {
    // Read again under the write lock: another connection may have been first.
    for (const step of schema.steps.slice(versionOf(db, schema))) db.exec(step);
    setPragma(db, 'user_version', schema.steps.length);
  });
}

/** For a connection that cannot migrate: the database must have exactly the newest version. */
export function requireSchema(db: SqliteDatabase, schema: Schema): void {
  const version = versionOf(db, schema);
  if (version < schema.steps.length) {
    throw new SqliteError(
      'OLDER_SCHEMA',
      `The database of ${schema.name} has schema version ${version}, this program needs ${schema.steps.length}: start the program that writes it once`,
    );
  }
}

function versionOf(db: SqliteDatabase, schema: Schema): number {
  const version = Number(pragma(db, 'user_version'));
  if (version > schema.steps.length) {
    throw new SqliteError(
      'NEWER_SCHEMA',
      `The database of ${schema.name} has schema version ${version}, this program knows ${schema.steps.length}: it was written by a newer version, use that one`,
    );
  }
  return version;
}
