/** The rows of an embedded read model, open to whoever has the file. */
import { join } from 'node:path';
import { openDatabase, type SqliteDatabase, type SqlValue } from '#sqlite';

export function editRows(folder: string, edit: (run: (sql: string, ...values: SqlValue[]) => void) => void): void {
  const db: SqliteDatabase = openDatabase(join(folder, 'read-model.sqlite'));
  try {
    edit((sql, ...values) => {
      const { changes } = db.prepare(sql).run(...values);
      if (Number(changes) === 0) throw new Error(`nothing was edited by ${sql}`);
    });
  } finally {
    db.close();
  }
}
