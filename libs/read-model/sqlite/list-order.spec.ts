import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openDatabase, pragma } from '#sqlite';
import { AppliedLedger, secondsAfterStart } from '../../../test/support/read-model/applied-ledger.js';
import { temporaryFolders } from '../../../test/support/temporary-folders.js';
import { cursorScope, encodeCursor } from '../src/cursor.js';
import { openSqliteReadModel, READ_MODEL_FILE } from './index.js';

const newFolder = temporaryFolders();
const ALL = { syncedBefore: secondsAfterStart(100) };

async function synchronized(folder: string, count: number) {
  const read = await openSqliteReadModel({ folder });
  const ledger = await AppliedLedger.open({ write: read, read });
  for (let index = 0; index < count; index += 1)
    ledger.bind(`r${index}`, `e${index}`, { syncDate: secondsAfterStart(Math.floor(index / 10)) });
  await ledger.apply();
  return { read, name: ledger.name };
}

it('lists bindings of one instant as they were created, and goes on in the middle of them', async () => {
  const { read, name } = await synchronized(newFolder(), 30);
  const seen: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await read.list(name, ALL, 7, cursor);
    seen.push(...page.items.map(({ recordId }) => recordId));
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  expect(seen).toEqual(Array.from({ length: 30 }, (_, index) => `r${index}`));
  await read.close();
});

it('begins with an instant again behind a binding that is not there any more', async () => {
  const { read, name } = await synchronized(newFolder(), 30);
  const cursor = encodeCursor(cursorScope(name, ALL), { date: secondsAfterStart(1), id: 'of a read model since lost' });
  const { items } = await read.list(name, ALL, 100, cursor);
  expect(items.map(({ recordId }) => recordId)).toEqual(Array.from({ length: 20 }, (_, index) => `r${index + 10}`));
  await read.close();
});

it('keeps what a file of the version before holds, with its small pages', async () => {
  const folder = newFolder();
  const file = join(folder, READ_MODEL_FILE);
  openDatabase(file, { pageBytes: 4_096 }).close();
  const { read, name } = await synchronized(folder, 30);
  await read.close();
  const db = openDatabase(file);
  db.exec(`DROP INDEX bindings_by_sync_date;
    DROP INDEX bindings_by_creation;
    DROP INDEX pending_by_creation;
    CREATE INDEX bindings_by_sync_date ON bindings (ledger, unbound, sync_date, id);
    CREATE INDEX bindings_by_creation ON bindings (ledger, unbound, created_at, id);
    CREATE INDEX pending_by_creation ON bindings (ledger, created_at, id) WHERE state = 'pending';
    PRAGMA user_version = 5`);
  db.close();
  const readModel = await openSqliteReadModel({ folder });
  const { items } = await readModel.list(name, ALL, 100);
  expect(items.map(({ recordId }) => recordId)).toEqual(Array.from({ length: 30 }, (_, index) => `r${index}`));
  await readModel.close();
  const after = openDatabase(file, { readOnly: true });
  expect([pragma(after, 'page_size'), pragma(after, 'user_version')]).toEqual([4_096, 6]);
  after.close();
});

it('makes a new file of larger pages', async () => {
  const folder = newFolder();
  await (await openSqliteReadModel({ folder })).close();
  const db = openDatabase(join(folder, READ_MODEL_FILE), { readOnly: true });
  expect([pragma(db, 'page_size'), pragma(db, 'journal_mode')]).toEqual([8_192, 'wal']);
  db.close();
});
