import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isBindingEvent } from '#domain';
import { openDatabase } from '#sqlite';
import { AppliedLedger } from '../../../test/support/read-model/applied-ledger.js';
import { editRows } from '../../../test/support/read-model/edited-rows.js';
import { expectedList } from '../../../test/support/read-model/listing-truth.js';
import { temporaryFolders } from '../../../test/support/temporary-folders.js';
import type { BindingWrite, ReadModel } from '../src/port.js';
import { openSqliteReadModel, READ_MODEL_FILE } from './index.js';

const newFolder = temporaryFolders();

function alone(readModel: ReadModel) {
  return { write: readModel, read: readModel, close: () => readModel.close() };
}

describe('a batch of the SQLite read model', () => {
  it('inserts what is new among bindings some of which are there already, and newer', async () => {
    const folder = newFolder();
    const stores = alone(await openSqliteReadModel({ folder }));
    const ledger = await AppliedLedger.open(stores, { indexes: ['colour'] });
    await ledger.apply();
    const bind = (number: number) =>
      ledger.bind(`r${number}`, `e${number}`, { data: { colour: number % 2 === 0 ? 'red' : 'blue' } });
    for (let number = 0; number < 40; number += 1) bind(number);
    const asCreated = ledger.takeBatch();
    // A few are there, one of them as it became, although the checkpoint is before them.
    const there = asCreated.bindings.filter((_, index) => index % 7 === 3).slice(0, 4);
    await stores.write.apply({ ...asCreated, bindings: there });
    const [changed] = there as [BindingWrite];
    ledger.do({ op: 'changeData', bindingId: changed.update.id, data: { colour: 'green' } });
    await ledger.apply();
    editRows(folder, (run) => run('UPDATE ledgers SET checkpoint = ?', asCreated.after));
    expect(await stores.write.apply(asCreated)).toBe('applied');
    for (const colour of ['red', 'blue', 'green']) {
      const filter = { data: { colour } };
      expect((await stores.read.list(ledger.name, filter, 100)).items).toEqual(expectedList(ledger.live(), filter));
    }
    expect((await stores.read.list(ledger.name, {}, 100)).items).toEqual(expectedList(ledger.live(), {}));
    // Now all of them are there.
    editRows(folder, (run) => run('UPDATE ledgers SET checkpoint = ?', asCreated.after));
    expect(await stores.write.apply(asCreated)).toBe('applied');
    expect((await stores.read.list(ledger.name, {}, 100)).items).toEqual(expectedList(ledger.live(), {}));
    // A listing looks at the bindings, too: rows of what they were before do not show there.
    const db = openDatabase(join(folder, READ_MODEL_FILE), { readOnly: true });
    expect(db.prepare('SELECT count(*) AS count FROM binding_fields').get()).toEqual({ count: 40 });
    db.close();
    await stores.close();
  });

  it('inserts what is new one by one and together, with the history of what was changed meanwhile', async () => {
    const stores = alone(await openSqliteReadModel({ memory: true }));
    const ledger = await AppliedLedger.open(stores);
    for (let number = 0; number < 50; number += 1) {
      const { id } = ledger.bind(`r${number}`, `e${number}`);
      if (number % 3 === 0) ledger.do({ op: 'changeData', bindingId: id, data: { number } });
    }
    await ledger.apply();
    for (const { id } of ledger.live()) {
      const revisions = ledger.events.flatMap(({ event, stamp }) =>
        isBindingEvent(event) && event.data.bindingId === id ? [stamp.revision] : [],
      );
      expect((await stores.read.history(ledger.name, { bindingId: id }, -1, 10)).revisions).toEqual(revisions);
    }
    await stores.close();
  });

  it('says what is wrong with one of many bindings that are created together', async () => {
    const stores = alone(await openSqliteReadModel({ memory: true }));
    const ledger = await AppliedLedger.open(stores);
    await ledger.apply();
    for (let number = 0; number < 16; number += 1) ledger.bind(`r${number}`, `e${number}`);
    const batch = ledger.takeBatch();
    const [write] = batch.bindings as [BindingWrite];
    const wrong = { ...write, update: { ...write.update, recordId: null as unknown as string } };
    await expect(stores.write.apply({ ...batch, bindings: [...batch.bindings.slice(1), wrong] })).rejects.toThrow('NOT NULL');
    expect((await stores.read.list(ledger.name, {}, 100)).items).toEqual([]);
    await stores.close();
  });
});
