import { expect, it } from 'vitest';
import { newName, AppliedLedger, byId, type Stores } from './applied-ledger.js';
import { replayed } from './generations.js';

/** A ledger with everything that a generation has: live and former bindings, history, an idempotency record, one being built. */
async function full(stores: Stores, backend = newName()): Promise<AppliedLedger> {
  const ledger = await AppliedLedger.open(stores, { localModel: newName('local'), indexes: ['colour'] }, { backend });
  const binding = ledger.bind('1', 'A', { data: { colour: 'red' } });
  ledger.bind('2', 'B');
  ledger.do({ op: 'sync', recordId: '1', syncDate: '2026-03-03T08:00:00.000Z', force: true });
  ledger.do({ op: 'unbind', recordId: '2' });
  const answer = { outcome: 'created', binding, revision: 1 } as const;
  ledger.remember({ scopedKey: `k ${ledger.name.backend}`, request: 'r', answer, at: ledger.at });
  await ledger.apply();
  await stores.write.beginGeneration(ledger.name);
  const { building } = await stores.write.rebuildState(ledger.name);
  await stores.write.apply(replayed(ledger, building?.generation ?? '', -1, 2));
  return ledger;
}

/** Whatever can be asked of the ledger, when there is nothing of it. */
async function expectNothing({ read, write }: Stores, ledger: AppliedLedger): Promise<void> {
  const { name } = ledger;
  const ids = [...ledger.bindings.keys()];
  expect(await read.findByExternalIds(name, ['A', 'B'])).toEqual({ bindings: [], revision: -1 });
  expect(await read.findByRecordIds(name, ['1', '2'])).toEqual({ bindings: [], revision: -1 });
  expect(await read.findByExternalId(name, 'A')).toBeUndefined();
  for (const id of ids) expect(await read.findById(name, id)).toBeUndefined();
  for (const state of [undefined, 'unbound'] as const) expect((await read.list(name, { state }, 10)).items).toEqual([]);
  const localModel = ledger.view.state.rules.localModel as string;
  expect(await read.findOfLocalRecord(localModel, '1', true)).toEqual([]);
  for (const key of [{ recordId: '1' }, { externalId: 'B' }, { bindingId: ids[0] as string }])
    expect(await read.history(name, key, -1, 10)).toEqual({ revisions: [], upTo: -1 });
  const keys = { recordIds: ['1', '2'], externalIds: ['A'], bindingIds: ids, scopedKeys: [`k ${name.backend}`] };
  const decision = await read.readForDecision(name, keys);
  expect(decision).toMatchObject({ bindings: [], idempotency: [] });
  expect(decision.document?.checkpoint ?? -1).toBe(-1);
  expect(await write.rebuildState(name)).toEqual({ building: undefined, former: null });
}

export function forgetting(stores: () => Stores): void {
  it('forgets all of a ledger, what answers and what is being built, and nothing of another', async () => {
    const { write, read } = stores();
    const backend = newName();
    const ledger = await full(stores(), backend);
    const other = await AppliedLedger.open(stores(), {}, { backend, model: 'shop.product.more' });
    const kept = other.bind('1', 'A');
    await other.apply();
    // Whoever answers may know the generation by now.
    expect(await read.findByExternalId(ledger.name, 'A')).toBeDefined();
    await write.forgetLedger(ledger.name);
    await expectNothing(stores(), ledger);
    expect(await read.findByExternalId(other.name, 'A')).toEqual(kept);
    expect(await read.ledgerDocument(other.name)).toMatchObject({ generation: other.generation, checkpoint: 1 });
    await write.forgetLedger(ledger.name);
    await expectNothing(stores(), ledger);
  });

  it('begins anew with a forgotten ledger, under another name, and lets nobody go on with what was there', async () => {
    const { write, read } = stores();
    const ledger = await full(stores());
    const { building } = await write.rebuildState(ledger.name);
    await write.forgetLedger(ledger.name);
    const late = replayed(ledger, ledger.generation, 4, 4);
    expect(await write.apply({ ...late, to: 5 })).toBe('superseded');
    expect(await write.apply(replayed(ledger, building?.generation ?? '', 2, 4))).toBe('superseded');
    const { generation, checkpoint, next, former } = await write.openLedger(ledger.name);
    expect({ checkpoint, next, former }).toEqual({ checkpoint: -1, next: undefined, former: undefined });
    expect([ledger.generation, building?.generation]).not.toContain(generation);
    await expectNothing(stores(), ledger);
    expect(await write.apply(replayed(ledger, generation, -1, 4))).toBe('applied');
    const found = await read.findByRecordIds(ledger.name, ['1', '2']);
    expect({ ...found, bindings: byId(found.bindings) }).toEqual({ bindings: byId(ledger.live()), revision: 4 });
    const [first] = ledger.live();
    expect((await read.history(ledger.name, { bindingId: first?.id ?? '' }, -1, 10)).revisions).toEqual([1, 3]);
    // It can be rebuilt as any other.
    await write.beginGeneration(ledger.name);
    expect((await write.rebuildState(ledger.name)).building).toMatchObject({ checkpoint: -1 });
  });

  it('forgets a ledger that it does not know without making one', async () => {
    const { write, read } = stores();
    const name = { backend: newName(), model: 'shop.product' };
    await write.forgetLedger(name);
    expect(await read.ledgerDocument(name)).toBeUndefined();
  });

  it('forgets the catalog and the position, and takes older documents then', async () => {
    const { write, read } = stores();
    const ledger = await AppliedLedger.open(stores());
    const bound = ledger.bind('1', 'A');
    await ledger.apply();
    const id = newName();
    const kinds = ['backend', 'type', 'model'] as const;
    for (const kind of kinds) await write.saveCatalog(kind, { id, revision: 7, document: { kind } });
    await write.savePosition('0000000000000012');
    await write.forgetCatalog();
    expect(await read.position()).toBe('');
    for (const kind of kinds) {
      expect(await read.catalogDocument(kind, id)).toBeUndefined();
      expect(await read.catalogDocuments(kind, undefined, 10)).toEqual([]);
      await write.saveCatalog(kind, { id, revision: 0, document: { kind, again: true } });
      expect(await read.catalogDocument(kind, id)).toEqual({ id, revision: 0, document: { kind, again: true } });
    }
    await write.forgetCatalog();
    await write.forgetCatalog();
    expect(await read.catalogDocument('type', id)).toBeUndefined();
    // The ledgers pass over what they have when the projector begins with the first event.
    expect(await read.findByExternalId(ledger.name, 'A')).toEqual(bound);
    expect(await write.openLedger(ledger.name)).toMatchObject({ checkpoint: 1 });
  });
}
