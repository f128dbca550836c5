import { join } from 'node:path';
import { expect, it } from 'vitest';
import { UNOPENED } from '#domain';
import { migrate, openDatabase } from '#sqlite';
import { temporaryFolders } from '../../../test/support/temporary-folders.js';
import { openSqliteReadModel, READ_MODEL_FILE } from './index.js';
import { READ_MODEL_SCHEMA } from './schema.js';

const newFolder = temporaryFolders();
const LEDGER = { backend: 'shop', model: 'shop.product' };

it('empties a file from before there were generations, and gives none of its numbers again', async () => {
  const folder = newFolder();
  const db = openDatabase(join(folder, READ_MODEL_FILE));
  migrate(db, { ...READ_MODEL_SCHEMA, steps: READ_MODEL_SCHEMA.steps.slice(0, 2) });
  db.prepare(
    `INSERT INTO ledgers (number, name, backend, model, local_model, generation, checkpoint, hash, at, indexes, state)
     VALUES (7, 'shop/shop.product', 'shop', 'shop.product', 'product', 'g', 4, 'h', 't', '[]', ?)`,
  ).run(JSON.stringify(UNOPENED));
  db.exec("INSERT INTO facts (name, value) VALUES ('position', '0000000000000005')");
  db.close();
  const readModel = await openSqliteReadModel({ folder });
  expect(await readModel.position()).toBe('');
  expect(await readModel.openLedger(LEDGER)).toMatchObject({ ledger: LEDGER, checkpoint: -1 });
  await readModel.beginGeneration(LEDGER);
  await readModel.close();
  const after = openDatabase(join(folder, READ_MODEL_FILE), { readOnly: true });
  expect(after.prepare('SELECT number, role FROM ledgers ORDER BY number').all()).toEqual([
    { number: 8, role: 'current' },
    { number: 9, role: 'building' },
  ]);
  after.close();
});
