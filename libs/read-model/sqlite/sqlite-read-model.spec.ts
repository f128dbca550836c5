import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { migrate, openDatabase, pragma, setPragma } from '#sqlite';
import { AppliedLedger, secondsAfterStart } from '../../../test/support/read-model/applied-ledger.js';
import { expectedList, listAll } from '../../../test/support/read-model/listing-truth.js';
import { temporaryFolders } from '../../../test/support/temporary-folders.js';
import { readModelContract } from '../src/contract.js';
import type { ReadModel } from '../src/port.js';
import { toReadModelError } from './errors.js';
import { openSqliteReadModel, READ_MODEL_FILE } from './index.js';
import { READ_MODEL_SCHEMA } from './schema.js';

const newFolder = temporaryFolders();

function alone(readModel: ReadModel) {
  return { write: readModel, read: readModel, close: () => readModel.close() };
}

async function twoOn(folder: string) {
  const write = await openSqliteReadModel({ folder });
  const read = await openSqliteReadModel({ folder });
  const close = async () => {
    await read.close();
    await write.close();
  };
  return { write, read, close };
}

/** The writer applies each batch as one of several that are applied together. */
async function togetherOn(folder: string) {
  const stores = await twoOn(folder);
  const { write } = stores;
  const apply: ReadModel['apply'] = async (batch) => (await write.applyAll([batch]))[0] ?? 'superseded';
  const wrapped = new Proxy(write, {
    get: (target, name) => {
      const member: unknown = name === 'apply' ? apply : Reflect.get(target, name);
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
  return { ...stores, write: wrapped };
}

readModelContract('SQLite in memory', async () => alone(await openSqliteReadModel({ memory: true })));
readModelContract('SQLite in a folder', async () => alone(await openSqliteReadModel({ folder: newFolder() })));
readModelContract('SQLite, two on one folder', () => twoOn(newFolder()));
readModelContract('SQLite, by many at once', () => togetherOn(newFolder()));

describe('the SQLite read model', () => {
  it('has after a restart what it had before', async () => {
    const folder = newFolder();
    const first = await openSqliteReadModel({ folder });
    const ledger = await AppliedLedger.open(alone(first), { indexes: ['colour'] });
    ledger.bind('1', 'A', { data: { colour: 'red' } });
    await ledger.apply();
    await first.savePosition('7');
    const document = await first.ledgerDocument(ledger.name);
    await first.close();
    const second = await openSqliteReadModel({ folder });
    expect(await second.ledgerDocument(ledger.name)).toEqual(document);
    expect(await second.position()).toBe('7');
    expect((await second.list(ledger.name, { data: { colour: 'red' } }, 10)).items).toEqual(ledger.live());
    await second.close();
  });

  it('applies many batches so that others see all of them, or nothing when one cannot be applied', async () => {
    const stores = await twoOn(newFolder());
    const ledger = await AppliedLedger.open(stores);
    const batchOf = (record: string) => {
      ledger.bind(record, record);
      return ledger.takeBatch();
    };
    const [opening, first, second, third] = [ledger.takeBatch(), batchOf('1'), batchOf('2'), batchOf('3')];
    expect(await stores.write.applyAll([opening, first])).toEqual(['applied', 'applied']);
    const seen = async () => (await stores.read.list(ledger.name, {}, 10)).items.map(({ recordId }) => recordId).toSorted();
    const missing = third.bindings.map(({ update }) => ({ update: { ...update, id: 'missing' } }));
    await expect(stores.write.applyAll([second, { ...third, bindings: missing }])).rejects.toThrow(/broken invariant/);
    expect([await seen(), (await stores.read.ledgerDocument(ledger.name))?.checkpoint]).toEqual([['1'], first.to]);
    // What somebody else has applied is passed over, and what follows on it as well.
    expect(await stores.write.applyAll([first, second, first, third])).toEqual([
      'superseded',
      'applied',
      'superseded',
      'applied',
    ]);
    expect(await seen()).toEqual(['1', '2', '3']);
    await stores.close();
  });

  it('changes nothing of a batch that it cannot apply', async () => {
    const stores = alone(await openSqliteReadModel({ memory: true }));
    const ledger = await AppliedLedger.open(stores);
    const { id } = ledger.bind('1', 'A');
    await ledger.apply();
    const before = await stores.read.ledgerDocument(ledger.name);
    ledger.bind('2', 'B');
    const [lost] = ledger.takeBatch().bindings;
    const next = { ...ledger.takeBatch(), after: 1, to: 3 };
    const changed = {
      update: { ...lost?.update, id, recordId: '1', version: 2 } as NonNullable<typeof lost>['update'],
    };
    const gap = { update: { ...changed.update, version: 5 } };
    const missing = { update: { ...changed.update, id: 'missing' } };
    for (const bindings of [
      [lost, changed, missing],
      [lost, gap],
    ].map((writes) => writes.filter((write) => write !== undefined))) {
      await expect(stores.write.apply({ ...next, bindings })).rejects.toThrow(/broken invariant/);
      expect(await stores.read.ledgerDocument(ledger.name)).toEqual(before);
      expect((await stores.read.list(ledger.name, {}, 10)).items).toEqual(
        ledger.live().filter(({ recordId }) => recordId === '1'),
      );
    }
    await stores.close();
  });

  it('lists by id what was synchronized after an instant, be it few or many', async () => {
    const stores = alone(await openSqliteReadModel({ memory: true }));
    const ledger = await AppliedLedger.open(stores);
    for (let index = 0; index < 5_200; index += 1) {
      ledger.bind(`r${index}`, `e${index}`, { syncDate: secondsAfterStart(index % 26) });
    }
    await ledger.apply();
    // All but a few, which is more than are sorted at a time; and a few.
    for (const seconds of [0, 24]) {
      const filter = { syncedAfter: secondsAfterStart(seconds) };
      expect(await listAll(stores.read, ledger.name, filter, 900)).toEqual(expectedList(ledger.bindings.values(), filter));
    }
    await stores.close();
  });

  it('keeps no rows of a data field that is not indexed any more, has another value, or whose binding is unbound', async () => {
    const folder = newFolder();
    const stores = alone(await openSqliteReadModel({ folder }));
    const ledger = await AppliedLedger.open(stores, { indexes: ['colour', 'size'] });
    const db = openDatabase(join(folder, READ_MODEL_FILE), { readOnly: true });
    const rows = async () => {
      await ledger.apply();
      const all = db.prepare<{ field: string; value: string }>('SELECT field, value FROM binding_fields').all();
      return all.map(({ field, value }) => `${field}=${value}`).sort();
    };
    for (const record of ['1', '2', '3']) ledger.bind(record, `e${record}`, { data: { colour: 'red', size: Number(record) } });
    expect(await rows()).toEqual(['colour=red', 'colour=red', 'colour=red', 'size=1', 'size=2', 'size=3']);
    ledger.do({ op: 'changeData', recordId: '1', data: { colour: 'blue', size: null } });
    ledger.do({ op: 'unbind', recordId: '2' });
    expect(await rows()).toEqual(['colour=blue', 'colour=red', 'size=3']);
    ledger.changeRules({ indexes: ['size'] });
    expect(await rows()).toEqual(['size=3']);
    db.close();
    await stores.close();
  });

  it('lets others have their turn during a long search', async () => {
    const stores = alone(await openSqliteReadModel({ memory: true }));
    const ledger = await AppliedLedger.open(stores);
    for (let index = 0; index < 3_000; index += 1) ledger.bind(`r${index}`, `e${index}`);
    await ledger.apply();
    let turns = 0;
    let searching = true;
    const count = () => {
      turns += 1;
      if (searching) setImmediate(count);
    };
    setImmediate(count);
    await stores.read.list(ledger.name, { data: { none: 'x' } }, 10);
    searching = false;
    expect(turns).toBeGreaterThan(8);
    await stores.close();
  });
});

describe('a SQLite read model that cannot be used', () => {
  it('answers reads and refuses writes while another connection writes', async () => {
    const folder = newFolder();
    const readModel = await openSqliteReadModel({ folder }, { busyTimeoutMs: 0 });
    const ledger = await AppliedLedger.open(alone(readModel));
    await ledger.apply();
    const other = openDatabase(join(folder, READ_MODEL_FILE));
    other.exec('BEGIN IMMEDIATE');
    ledger.bind('1', 'A');
    const batch = ledger.takeBatch();
    await expect(readModel.apply(batch)).rejects.toMatchObject({ name: 'ReadModelError', code: 'UNAVAILABLE' });
    expect(await readModel.ledgerDocument(ledger.name)).toMatchObject({ checkpoint: 0 });
    other.exec('ROLLBACK');
    expect(await readModel.apply(batch)).toBe('applied');
    other.close();
    await readModel.close();
  });

  it('says so when it is locked, full, damaged, or the disk fails; anything else stays what it is', () => {
    const failing = (errcode: number) => Object.assign(new Error('it fails'), { errcode });
    for (const code of [5, 6, 10, 10 | (3 << 8), 11, 13, 14]) {
      expect(toReadModelError(failing(code))).toMatchObject({
        code: 'UNAVAILABLE',
        message: expect.stringContaining('it fails') as string,
      });
    }
    for (const error of [failing(19), failing(1), new Error('broken invariant'), 'text'])
      expect(toReadModelError(error)).toBe(error);
  });

  it('empties one of the first version, which has no history, so that it is projected anew', async () => {
    const folder = newFolder();
    const db = openDatabase(join(folder, READ_MODEL_FILE));
    migrate(db, { ...READ_MODEL_SCHEMA, steps: READ_MODEL_SCHEMA.steps.slice(0, 1) });
    db.exec(`INSERT INTO facts VALUES ('position', '7');
      INSERT INTO ledgers VALUES (1, 'shop/shop.product', 'shop', 'shop.product', NULL, 'g', 1, 'h', 't', '[]', '{}');
      INSERT INTO bindings VALUES (1, 1, 0, 'b', 'r', 'e', '', '{}', 'bound', 1, 1, 't', 't', NULL, NULL, NULL);`);
    db.close();
    const readModel = await openSqliteReadModel({ folder });
    expect(await readModel.position()).toBe('');
    expect(await readModel.ledgerDocuments()).toEqual([]);
    const ledger = await AppliedLedger.open(alone(readModel), {}, { backend: 'shop', model: 'shop.product' });
    ledger.bind('r', 'e');
    ledger.do({ op: 'unbind', recordId: 'r' });
    await ledger.apply();
    expect(await readModel.history(ledger.name, { externalId: 'e' }, -1, 10)).toEqual({ revisions: [1, 2], upTo: 2 });
    await readModel.close();
  });

  it('makes a file of pages of 8 KiB, and leaves those of a file that is there as they are', async () => {
    for (const pageBytes of [undefined, 4_096]) {
      const folder = newFolder();
      if (pageBytes !== undefined) openDatabase(join(folder, READ_MODEL_FILE), { pageBytes }).close();
      const readModel = await openSqliteReadModel({ folder });
      const ledger = await AppliedLedger.open(alone(readModel));
      ledger.bind('r', 'e');
      await ledger.apply();
      await readModel.close();
      const db = openDatabase(join(folder, READ_MODEL_FILE), { readOnly: true });
      expect(pragma(db, 'page_size')).toBe(pageBytes ?? 8_192);
      db.close();
    }
  });

  it('refuses a database of a newer version, one that is none, and a folder that is none', async () => {
    const newer = newFolder();
    const db = openDatabase(join(newer, READ_MODEL_FILE));
    setPragma(db, 'user_version', 99);
    db.close();
    const damaged = newFolder();
    writeFileSync(join(damaged, READ_MODEL_FILE), 'no database at all, '.repeat(1_000));
    const file = join(newFolder(), 'file');
    writeFileSync(file, '');
    await expect(openSqliteReadModel({ folder: newer })).rejects.toThrow(/version 99.*newer/);
    for (const folder of [newer, damaged, file]) {
      await expect(openSqliteReadModel({ folder })).rejects.toMatchObject({ name: 'ReadModelError', code: 'UNAVAILABLE' });
    }
  });
});

describe('the statements', () => {
  it('are all in the registry whose plans are checked', () => {
    const files = readdirSync(import.meta.dirname).filter((file) => /(?<!\.spec)\.ts$/.test(file) && file !== 'statements.ts');
    const texts = files.map((file) => readFileSync(join(import.meta.dirname, file), 'utf8'));
    expect(files.length).toBeGreaterThan(8);
    expect(files.filter((_, index) => /\.(prepare|exec)\(/.test(texts[index] as string))).toEqual([]);
  });
});
