import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { VaultError, type VaultKey } from '#vault';
import { migrate, openDatabase } from '#sqlite';
import { vaultContract } from '../src/contract.js';
import { openSqliteVault } from './index.js';
import { LEDGER_FILE } from './schema.js';

const folders: string[] = [];
const KEY: VaultKey = { kind: 'secret', id: 'shop', version: '1' };

/** A folder whose file has tables of somebody else, with their own version. */
function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'vault-'));
  folders.push(folder);
  const db = openDatabase(join(folder, LEDGER_FILE));
  migrate(db, {
    name: 'the events',
    steps: ['CREATE TABLE events (position INTEGER PRIMARY KEY)', 'CREATE TABLE streams (no INTEGER PRIMARY KEY)'],
  });
  db.close();
  return folder;
}

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

vaultContract('SQLite in memory', () => openSqliteVault({ folder: ':memory:' }));
vaultContract('SQLite in a folder', () => openSqliteVault({ folder: newFolder() }));

describe('the vault in a folder', () => {
  it('is there again when it is opened again', async () => {
    const folder = newFolder();
    const first = await openSqliteVault({ folder });
    await first.put(KEY, 'kept');
    await first.close();
    const second = await openSqliteVault({ folder });
    expect((await second.get(KEY))?.content).toBe('kept');
    await second.close();
  });

  it('lets another connection of the file write beside it', async () => {
    const folder = newFolder();
    const vault = await openSqliteVault({ folder });
    const events = openDatabase(join(folder, LEDGER_FILE));
    await vault.put(KEY, 'one');
    events.exec('INSERT INTO events DEFAULT VALUES');
    await vault.put(KEY, 'two');
    expect(events.prepare<{ count: number }>('SELECT count(*) AS count FROM events').get()?.count).toBe(1);
    events.close();
    await vault.close();
  });

  it('leaves the version of the tables beside it alone', async () => {
    const folder = newFolder();
    await (await openSqliteVault({ folder })).close();
    const db = openDatabase(join(folder, LEDGER_FILE));
    expect(() => migrate(db, { name: 'the events', steps: ['never run', 'never run'] })).not.toThrow();
    db.close();
  });

  it('refuses a newer schema, and a folder without a ledger', async () => {
    const folder = newFolder();
    await (await openSqliteVault({ folder })).close();
    const db = openDatabase(join(folder, LEDGER_FILE));
    db.exec('UPDATE vault_schema SET version = 99');
    db.close();
    await expect(openSqliteVault({ folder })).rejects.toThrow(/newer version/);
    await expect(openSqliteVault({ folder: join(folder, 'none') })).rejects.toBeInstanceOf(VaultError);
  });
});
