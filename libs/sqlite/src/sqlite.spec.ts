import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Program } from '../../../test/support/program.js';
import { temporaryFolders } from '../../../test/support/temporary-folders.js';
import { Transpiled } from '../../../test/support/transpiled.js';
import {
  checkpoint,
  lockFolder,
  MEMORY,
  migrate,
  openDatabase,
  pragma,
  requireSchema,
  resultCode,
  setPragma,
  SQLITE_BUSY,
  SQLITE_CONSTRAINT,
  transaction,
  type Schema,
} from './index.js';

const newFolder = temporaryFolders();
const transpiled = new Transpiled(['libs/sqlite/src/index.ts']);
afterAll(() => transpiled.remove());

const errorOf = (work: () => unknown): unknown => {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error('It did not fail');
};

describe('a database', () => {
  it('is opened in write-ahead mode with the durability that was asked for', () => {
    const path = join(newFolder(), 'a.sqlite');
    const full = openDatabase(path);
    const normal = openDatabase(path, { synchronous: 'NORMAL', busyTimeoutMs: 7 });
    expect(['journal_mode', 'synchronous', 'busy_timeout'].map((name) => pragma(full, name))).toEqual(['wal', 2, 5_000]);
    expect(['journal_mode', 'synchronous', 'busy_timeout'].map((name) => pragma(normal, name))).toEqual(['wal', 1, 7]);
    full.close();
    normal.close();
  });

  it('opened for reading cannot be written, and must be there', () => {
    const path = join(newFolder(), 'a.sqlite');
    expect(errorOf(() => openDatabase(path, { readOnly: true }))).toMatchObject({ name: 'SqliteError', code: 'UNUSABLE' });
    const writing = openDatabase(path);
    writing.exec('CREATE TABLE t (a)');
    const reading = openDatabase(path, { readOnly: true });
    expect(errorOf(() => reading.exec('INSERT INTO t VALUES (1)'))).toMatchObject({ message: /readonly/ });
    writing.exec('INSERT INTO t VALUES (2)');
    expect(
      reading
        .prepare<{ a: number }>('SELECT a FROM t')
        .all()
        .map(({ a }) => a),
    ).toEqual([2]);
    reading.close();
    writing.close();
  });

  it('that is none, or lies where nothing can lie, is an error that names the file', () => {
    const path = join(newFolder(), 'a.sqlite');
    writeFileSync(path, 'this is not a database '.repeat(100));
    expect(errorOf(() => openDatabase(path))).toMatchObject({ code: 'UNUSABLE', message: expect.stringContaining(path) });
    const nowhere = join(path, 'b.sqlite');
    expect(errorOf(() => openDatabase(nowhere))).toMatchObject({ code: 'UNUSABLE', message: expect.stringContaining(nowhere) });
  });
});

it('a checkpoint leaves everything in the database file itself', () => {
  const path = join(newFolder(), 'a.sqlite');
  const db = openDatabase(path);
  db.exec('CREATE TABLE t (a); INSERT INTO t VALUES (1)');
  expect(statSync(`${path}-wal`).size).toBeGreaterThan(0);
  checkpoint(db);
  expect(statSync(`${path}-wal`).size).toBe(0);
  db.close();
});

describe('a transaction', () => {
  it('commits all or nothing, and throws on what its work threw', () => {
    const db = openDatabase(MEMORY);
    db.exec('CREATE TABLE t (a INTEGER PRIMARY KEY)');
    expect(transaction(db, () => Number(db.prepare('INSERT INTO t VALUES (1)').run().changes))).toBe(1);
    const error = errorOf(() => transaction(db, () => db.exec('INSERT INTO t VALUES (2); INSERT INTO t VALUES (1)')));
    expect(resultCode(error)).toBe(SQLITE_CONSTRAINT);
    const own = new Error('own');
    const failing = () => {
      db.exec('INSERT INTO t VALUES (3)');
      throw own;
    };
    expect(errorOf(() => transaction(db, failing))).toBe(own);
    expect(resultCode(own)).toBeUndefined();
    expect(db.isTransaction).toBe(false);
    expect(db.prepare('SELECT a FROM t').all()).toEqual([{ a: 1 }]);
    db.close();
  });

  it('that begins inside another is refused and leaves the outer one as it is', () => {
    const db = openDatabase(MEMORY);
    db.exec('CREATE TABLE t (a)');
    transaction(db, () => {
      db.exec('INSERT INTO t VALUES (1)');
      expect(errorOf(() => transaction(db, () => undefined))).toMatchObject({ message: /within a transaction/ });
    });
    expect(db.prepare('SELECT count(*) AS count FROM t').get()).toEqual({ count: 1 });
    db.close();
  });

  it('waits for another connection no longer than the busy timeout', () => {
    const path = join(newFolder(), 'a.sqlite');
    const [one, other] = [openDatabase(path), openDatabase(path, { busyTimeoutMs: 1 })];
    transaction(one, () => {
      expect(resultCode(errorOf(() => transaction(other, () => undefined)))).toBe(SQLITE_BUSY);
    });
    transaction(other, () => undefined);
    one.close();
    other.close();
  });
});

describe('a schema', () => {
  const first: Schema = { name: 'the things', steps: ['CREATE TABLE things (a)'] };
  const second: Schema = { name: 'the things', steps: [...first.steps, "ALTER TABLE things ADD COLUMN b DEFAULT 'new'"] };

  it('is brought to the newest version step by step, and no step is taken twice', () => {
    const db = openDatabase(MEMORY);
    migrate(db, first);
    db.exec('INSERT INTO things VALUES (1)');
    migrate(db, second);
    migrate(db, second);
    expect(db.prepare('SELECT * FROM things').all()).toEqual([{ a: 1, b: 'new' }]);
    expect(pragma(db, 'user_version')).toBe(2);
    db.close();
  });

  it('is left as it was when a step fails', () => {
    const db = openDatabase(MEMORY);
    const broken: Schema = { name: 'the things', steps: [...first.steps, 'CREATE TABLE other (a); CREATE NONSENSE'] };
    errorOf(() => migrate(db, broken));
    expect(pragma(db, 'user_version')).toBe(0);
    expect(db.prepare('SELECT * FROM sqlite_schema').all()).toEqual([]);
    db.close();
  });

  it('that a newer program wrote is refused and not touched', () => {
    const db = openDatabase(MEMORY);
    setPragma(db, 'user_version', 9);
    const refusal = { code: 'NEWER_SCHEMA', message: /the things has schema version 9, this program knows 2/ };
    expect(errorOf(() => migrate(db, second))).toMatchObject(refusal);
    expect(errorOf(() => requireSchema(db, second))).toMatchObject(refusal);
    expect(pragma(db, 'user_version')).toBe(9);
    db.close();
  });

  it('that is older is refused by who cannot migrate', () => {
    const db = openDatabase(MEMORY);
    migrate(db, first);
    expect(errorOf(() => requireSchema(db, second))).toMatchObject({ code: 'OLDER_SCHEMA' });
    requireSchema(db, first);
    db.close();
  });
});

describe('the lock on a folder', () => {
  const holder = transpiled.write(
    'holder.js',
    `import { lockFolder } from '#sqlite';
     try { lockFolder(process.argv[2]); console.log('held'); setInterval(() => undefined, 1_000); }
     catch (error) { console.log(error.code + ': ' + error.message); }`,
  );

  it('keeps out a second process, and goes with its process however that ends', async () => {
    const folder = join(newFolder(), 'made', 'for', 'it');
    const first = new Program(holder, folder);
    expect(await first.line()).toBe('held');
    const second = new Program(holder, folder);
    expect(await second.line()).toMatch(/^IN_USE: .* is in use: stop what has it open/);
    expect((await second.ended).code).toBe(0);
    expect(errorOf(() => lockFolder(folder))).toMatchObject({ code: 'IN_USE', message: expect.stringContaining(folder) });
    await first.kill();
    lockFolder(folder).release();
  });

  it('holds inside one process too, until it is released', () => {
    const folder = newFolder();
    const lock = lockFolder(folder);
    expect(errorOf(() => lockFolder(folder))).toMatchObject({ name: 'SqliteError', code: 'IN_USE' });
    lock.release();
    lock.release();
    lockFolder(folder).release();
  });

  it('leaves the databases in the folder open to everybody in the process', () => {
    const folder = newFolder();
    const lock = lockFolder(folder);
    const databases = [1, 2].map(() => openDatabase(join(folder, 'a.sqlite')));
    for (const db of databases) db.exec('CREATE TABLE IF NOT EXISTS t (a)');
    for (const db of databases) db.close();
    lock.release();
  });

  it('on a folder that cannot be is an error that names it', () => {
    const file = join(newFolder(), 'file');
    writeFileSync(file, '');
    expect(errorOf(() => lockFolder(file))).toMatchObject({ code: 'UNUSABLE', message: expect.stringContaining(file) });
  });
});

it('opens databases without a word on the standard error stream', async () => {
  const program = new Program(
    transpiled.write(
      'quiet.js',
      "import { openDatabase } from '#sqlite'; openDatabase(':memory:').close(); console.log('done');",
    ),
  );
  expect(await program.rest()).toEqual(['done']);
  expect(await program.ended).toEqual({ code: 0, signal: null, stderr: '' });
});
