import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { VaultError, type Vault } from '#vault';
import { MEMORY, SqliteError, openDatabase, type SqliteDatabase } from '#sqlite';
import { LEDGER_FILE, migrateVault } from './schema.js';
import { SqliteVault } from './sqlite-vault.js';

export interface SqliteVaultOptions {
  /** The data folder, which this process must have taken by opening the event store in it; or `:memory:`. */
  folder: string;
}

/**
 * Opens the embedded vault, beside the events.
 * @throws {VaultError} `UNAVAILABLE` when it cannot be used.
 */
export async function openSqliteVault({ folder }: SqliteVaultOptions): Promise<Vault> {
  const path = folder === MEMORY ? MEMORY : join(folder, LEDGER_FILE);
  if (path !== MEMORY && !existsSync(path))
    throw new VaultError('UNAVAILABLE', `There is no ledger in ${folder}: open its event store first`);
  let db: SqliteDatabase | undefined;
  try {
    db = openDatabase(path);
    migrateVault(db);
    return new SqliteVault(db);
  } catch (error) {
    if (db?.isOpen) db.close();
    if (!(error instanceof SqliteError)) throw error;
    throw new VaultError('UNAVAILABLE', error.message, { cause: error });
  }
}
