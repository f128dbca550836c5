import { expect, it } from 'vitest';
import { AppliedLedger } from '../../../test/support/read-model/applied-ledger.js';
import { temporaryFolders } from '../../../test/support/temporary-folders.js';
import { openProjectorsReadModel, openSqliteReadModel } from './index.js';

const newFolder = temporaryFolders();

async function opened() {
  const folder = newFolder();
  const write = await openProjectorsReadModel({ folder });
  const read = await openSqliteReadModel({ folder });
  const ledger = await AppliedLedger.open({ write, read });
  const together = (work: () => Promise<void>) => write.together(work);
  const close = async () => {
    await read.close();
    await write.close();
  };
  const seen = async () => ({
    position: await read.position(),
    checkpoint: (await read.ledgerDocument(ledger.name))?.checkpoint,
    records: (await read.list(ledger.name, {}, 10)).items.map(({ recordId }) => recordId).toSorted(),
  });
  return { write, ledger, together, seen, close };
}

it('lets others see at the end what was written together, and nothing of it before', async () => {
  const { write, ledger, together, seen, close } = await opened();
  const before = await seen();
  await together(async () => {
    for (const record of ['1', '2']) {
      ledger.bind(record, record);
      expect(await write.apply(ledger.takeBatch())).toBe('applied');
      await write.savePosition(record);
      expect(await seen()).toEqual(before);
    }
  });
  expect(await seen()).toEqual({ position: '2', checkpoint: 2, records: ['1', '2'] });
  await close();
});

it('leaves nothing of what was written together with what failed, and goes on', async () => {
  const { write, ledger, together, seen, close } = await opened();
  const before = await seen();
  ledger.bind('1', '1');
  const first = ledger.takeBatch();
  const failing = together(async () => {
    expect(await write.apply(first)).toBe('applied');
    await write.savePosition('1');
    await write.apply({
      ...first,
      after: first.to,
      to: first.to + 1,
      bindings: [{ update: { ...first.bindings[0]!.update, id: 'none' } }],
    });
  });
  await expect(failing).rejects.toThrow(/broken invariant.*none is not there/);
  expect(await seen()).toEqual(before);
  expect(await write.apply(first)).toBe('applied');
  expect(await seen()).toMatchObject({ checkpoint: 1, records: ['1'] });
  await close();
});

it('is refused while another connection writes', async () => {
  const folder = newFolder();
  const one = await openProjectorsReadModel({ folder });
  const other = await openProjectorsReadModel({ folder }, { busyTimeoutMs: 0 });
  await one.together(async () => {
    await expect(other.together(async () => undefined)).rejects.toMatchObject({ name: 'ReadModelError', code: 'UNAVAILABLE' });
  });
  expect(await other.together(async () => 'done')).toBe('done');
  await one.close();
  await other.close();
});
