import { expect, it } from 'vitest';
import type { IdempotencyRecord } from '#domain';
import { AppliedLedger, newName, type Stores } from './applied-ledger.js';

export function remembering(stores: () => Stores): void {
  const none = { recordIds: [], externalIds: [], bindingIds: [], scopedKeys: [] };
  const remembered = async (ledger: AppliedLedger, ...scopedKeys: string[]) => {
    const { idempotency } = await stores().read.readForDecision(ledger.name, { ...none, scopedKeys });
    return idempotency.toSorted((a, b) => (a.scopedKey < b.scopedKey ? -1 : 1));
  };
  function recordOf(ledger: AppliedLedger, scopedKey: string, at = ledger.at): IdempotencyRecord {
    const binding = ledger.bind(`record of ${scopedKey}`, `of ${scopedKey}`, { data: { of: scopedKey } });
    return {
      scopedKey,
      request: `request of ${scopedKey}`,
      at,
      answer: { outcome: 'created', binding, revision: ledger.revision },
    };
  }

  it('keeps idempotency records with the batch, each in its own ledger', async () => {
    const ledger = await AppliedLedger.open(stores());
    const other = await AppliedLedger.open(stores());
    const records = ['5 actor one', '5 actor two', '5 actor Two'].map((key) => recordOf(ledger, key));
    for (const record of records) ledger.remember(record);
    await ledger.apply();
    await other.apply();
    expect(await remembered(ledger, '5 actor two', '5 actor Two', 'none', '5 actor two')).toEqual([records[2], records[1]]);
    expect(await remembered(other, '5 actor one')).toEqual([]);
  });

  it('keeps the newest of two with one key, in whatever order they come', async () => {
    const ledger = await AppliedLedger.open(stores());
    const [old, now] = [recordOf(ledger, 'k', '2026-01-01T00:00:00.000Z'), recordOf(ledger, 'l', '2026-01-03T00:00:00.000Z')];
    for (const record of [old, { ...now, scopedKey: 'k' }]) {
      ledger.remember(record);
      await ledger.apply();
    }
    expect(await remembered(ledger, 'k')).toEqual([{ ...now, scopedKey: 'k' }]);
    ledger.remember(old);
    ledger.record({ type: 'LedgerPaused', data: {} });
    await ledger.apply();
    expect(await remembered(ledger, 'k')).toEqual([{ ...now, scopedKey: 'k' }]);
  });

  it('forgets what is older than an instant, so many at a time', async () => {
    const ledger = await AppliedLedger.open(stores());
    // Older than those of any other case.
    const at = (minute: number) => `2001-01-01T00:${String(minute).padStart(2, '0')}:00.000Z`;
    const keys = Array.from({ length: 10 }, (_, index) => `k${index}`);
    for (const [index, key] of keys.entries()) ledger.remember(recordOf(ledger, key, at(index)));
    await ledger.apply();
    const { write } = stores();
    expect(await write.forgetIdempotency(at(0), 100)).toBe(0);
    expect(await write.forgetIdempotency(at(7), 5)).toBe(5);
    expect(await remembered(ledger, ...keys)).toHaveLength(5);
    expect(await write.forgetIdempotency(at(7), 5)).toBe(2);
    expect((await remembered(ledger, ...keys)).map(({ scopedKey }) => scopedKey)).toEqual(['k7', 'k8', 'k9']);
    expect(await write.forgetIdempotency(at(7), 5)).toBe(0);
  });
}

export function cataloguing(stores: () => Stores): void {
  it('keeps documents of the catalog, by kind and id', async () => {
    const { write, read } = stores();
    const id = newName();
    expect(await read.catalogDocument('backend', id)).toBeUndefined();
    const document = { id, revision: 0, document: { name: 'Ünï', settings: { deep: [1, null, { a: false }] } } };
    await write.saveCatalog('backend', document);
    expect(await read.catalogDocument('backend', id)).toEqual(document);
    expect(await read.catalogDocument('type', id)).toBeUndefined();
    await write.saveCatalog('type', { ...document, revision: 7 });
    expect(await read.catalogDocument('backend', id)).toEqual(document);
    expect(await read.catalogDocument('type', id)).toEqual({ ...document, revision: 7 });
  });

  it('never overwrites a document with one of a lower revision', async () => {
    const { write, read } = stores();
    const id = newName();
    for (const revision of [3, 5, 4, 0]) await write.saveCatalog('model', { id, revision, document: { revision } });
    expect(await read.catalogDocument('model', id)).toEqual({ id, revision: 5, document: { revision: 5 } });
  });

  it('lists documents of a kind by id, in pages', async () => {
    const { write, read } = stores();
    const prefix = newName('page');
    const ids = ['a', 'b', 'c', 'd', 'e'].map((letter) => `${prefix}${letter}`);
    for (const id of ids.toReversed()) await write.saveCatalog('model', { id, revision: 1, document: { id } });
    await write.saveCatalog('type', { id: `${prefix}aa`, revision: 1, document: {} });
    const listed = async (after: string, limit: number) =>
      (await read.catalogDocuments('model', after, limit)).map(({ id }) => id);
    expect(await listed(prefix, 3)).toEqual(ids.slice(0, 3));
    expect(await listed(ids[2] as string, 2)).toEqual(ids.slice(3));
    const [first] = await read.catalogDocuments('model', undefined, 1);
    expect(first === undefined ? '' : first.id <= (ids[0] as string)).toBe(true);
  });
}

export function positioning(stores: () => Stores): void {
  it('keeps the position in the store', async () => {
    const { write, read } = stores();
    for (const position of ['0000000000000007', '0000000000000042', '']) {
      await write.savePosition(position);
      expect(await read.position()).toBe(position);
    }
  });
}

export function closing(makeStores: () => Promise<Stores & { close(): Promise<void> }>): void {
  it('begins at no position, answers a ping, and after closing refuses every call', async () => {
    const stores = await makeStores();
    const { write, read } = stores;
    expect(await read.position()).toBe('');
    await read.ping();
    await write.ping();
    await stores.close();
    const ledger = { backend: newName(), model: 'shop.product' };
    for (const call of [
      () => read.ping(),
      () => read.findByExternalId(ledger, 'A'),
      () => read.list(ledger, {}, 1),
      () => write.openLedger(ledger),
      () => write.savePosition('1'),
    ]) {
      await expect(call()).rejects.toMatchObject({ name: 'ReadModelError', code: 'CLOSED' });
    }
    await read.close();
    await write.close();
  });
}
