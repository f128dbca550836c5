import { transaction, SqliteError, type SqliteDatabase } from '#sqlite';

/** The events' file: both must survive, and be backed up, together. */
export const LEDGER_FILE = 'ledger.sqlite';

/**
 * Leads the vault's tables from each version to the next. They stand in the events' file, whose `user_version` says how new
 * the events' tables are; so the vault keeps its version in a table of its own.
 */
const STEPS: readonly string[] = [
  `CREATE TABLE vault (
     kind TEXT NOT NULL,
     id TEXT NOT NULL,
     version TEXT NOT NULL,
     revision TEXT NOT NULL,
     content BLOB NOT NULL
   );
   CREATE UNIQUE INDEX vault_by_key ON vault (kind, id, version);`,
];

export function migrateVault(db: SqliteDatabase): void {
  transaction(db, () => {
    db.exec('CREATE TABLE IF NOT EXISTS vault_schema (version INTEGER NOT NULL)');
    const version = db.prepare<{ version: number }>('SELECT version FROM vault_schema').get()?.version ?? 0;
    if (version > STEPS.length) {
      throw new SqliteError(
        'NEWER_SCHEMA',
        `The vault has schema version ${version}, this program knows ${STEPS.length}: it was written by a newer version, use that one`,
      );
    }
    if (version === STEPS.length) return;
    for (const step of STEPS.slice(version)) db.exec(step);
    db.exec('DELETE FROM vault_schema');
    db.prepare('INSERT INTO vault_schema (version) VALUES (?)').run(STEPS.length);
  });
}
