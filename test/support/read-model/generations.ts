import { expect, it } from 'vitest';
import { isBindingEvent, LedgerView, UNOPENED, updateOf } from '#domain';
import { historyRowOf, type BindingWrite, type HistoryRow, type LedgerBatch, type LedgerDocument } from '#read-model';
import { AppliedLedger, byId, newName, type Stores } from './applied-ledger.js';

/** The ledger's events after a revision, up to another, folded for a generation. */
export function replayed(ledger: AppliedLedger, generation: string, after: number, to: number): LedgerBatch {
  const view = new LedgerView(UNOPENED);
  const writes = new Map<string, BindingWrite>();
  const history: HistoryRow[] = [];
  for (const { event, stamp } of ledger.events.slice(0, to + 1)) {
    view.apply(event, stamp);
    if (stamp.revision <= after || !isBindingEvent(event)) continue;
    const update = updateOf(event, stamp);
    const earlier = writes.get(update.id);
    const createdRevision = event.type === 'BindingCreated' ? stamp.revision : earlier?.createdRevision;
    writes.set(update.id, { createdRevision, update: { ...earlier?.update, ...update } });
    const row = historyRowOf(event, stamp.revision);
    if (row !== undefined) history.push(row);
  }
  const place = { ledger: ledger.name, generation, after, to, hash: `hash ${to}`, at: ledger.at };
  return { ...place, state: view.state, bindings: [...writes.values()], history, idempotency: [] };
}

async function begun(stores: Stores): Promise<{ ledger: AppliedLedger; building: LedgerDocument }> {
  const ledger = await AppliedLedger.open(stores, { localModel: newName('local'), indexes: ['colour'] });
  ledger.bind('1', 'A', { data: { colour: 'red' } });
  ledger.bind('2', 'B');
  ledger.do({ op: 'unbind', recordId: '2' });
  await ledger.apply();
  await stores.write.beginGeneration(ledger.name);
  const { building } = await stores.write.rebuildState(ledger.name);
  if (building === undefined) throw new Error('no generation was begun');
  return { ledger, building };
}

export function generations(stores: () => Stores): void {
  it('begins one generation, which knows nothing and answers nothing', async () => {
    const { write, read } = stores();
    const { ledger, building } = await begun(stores());
    expect(building).toMatchObject({ ledger: ledger.name, checkpoint: -1, applying: -1, hash: '', state: UNOPENED });
    expect(building.generation).not.toBe(ledger.generation);
    await read.beginGeneration(ledger.name);
    expect(await read.rebuildState(ledger.name)).toEqual({ building, former: null });
    expect(await write.openLedger(ledger.name)).toEqual(await read.ledgerDocument(ledger.name));
    expect(await read.ledgerDocument(ledger.name)).toMatchObject({ generation: ledger.generation, checkpoint: 3 });
    expect((await read.ledgerDocuments()).filter((one) => one.ledger.backend === ledger.name.backend)).toHaveLength(1);
    await write.apply(replayed(ledger, building.generation, -1, 2));
    expect((await read.list(ledger.name, {}, 10)).items).toEqual(ledger.live());
    expect(await read.findOfLocalRecord(ledger.view.state.rules.localModel as string, '2', false)).toEqual([]);
    expect((await read.findByExternalIds(ledger.name, ['A', 'B'])).bindings).toEqual(ledger.live());
  });

  it('begins none for a ledger that nobody opened but beside its first one', async () => {
    const { write, read } = stores();
    const name = { backend: newName('unknown'), model: 'shop.product' };
    expect(await read.rebuildState(name)).toEqual({ building: undefined, former: null });
    await write.beginGeneration(name);
    expect(await read.ledgerDocument(name)).toMatchObject({ checkpoint: -1 });
  });

  it('follows a generation when it has caught up, and has every batch applied to it first', async () => {
    const { write } = stores();
    const { ledger, building } = await begun(stores());
    expect(await write.followGeneration(ledger.name)).toBe(false);
    await write.switchGeneration(ledger.name);
    expect(await write.openLedger(ledger.name)).toMatchObject({ generation: ledger.generation });
    await write.apply(replayed(ledger, building.generation, -1, 3));
    expect(await write.followGeneration(ledger.name)).toBe(true);
    expect(await write.followGeneration(ledger.name)).toBe(true);
    ledger.bind('3', 'C');
    const batch = ledger.takeBatch();
    expect(await write.apply(batch)).toBe('superseded');
    const opened = await write.openLedger(ledger.name);
    expect(opened).toMatchObject({ generation: ledger.generation, checkpoint: 3 });
    expect(opened.next).toMatchObject({ generation: building.generation, checkpoint: 3 });
    expect(opened.former).toBeUndefined();
    expect(await write.apply(replayed(ledger, building.generation, 3, 4))).toBe('applied');
    expect(await write.apply(batch)).toBe('applied');
  });

  it('answers as before after the switch, and keeps the former one up until it is dropped', async () => {
    const { write, read } = stores();
    const { ledger, building } = await begun(stores());
    await write.apply(replayed(ledger, building.generation, -1, 3));
    await write.followGeneration(ledger.name);
    const before = (await read.list(ledger.name, { data: { colour: 'red' } }, 10)).items;
    const nothing = { recordIds: [], externalIds: [], bindingIds: [], scopedKeys: [] };
    const documentNow = async () => (await read.readForDecision(ledger.name, nothing)).document;
    expect(await documentNow()).toMatchObject({ generation: ledger.generation });
    await write.switchGeneration(ledger.name);
    expect(await documentNow()).toMatchObject({ generation: building.generation });
    await write.switchGeneration(ledger.name);
    expect((await read.list(ledger.name, { data: { colour: 'red' } }, 10)).items).toEqual(before);
    expect(await write.rebuildState(ledger.name)).toEqual({ building: undefined, former: ledger.generation });
    const keys = { recordIds: ['1', '2'], externalIds: [], bindingIds: [], scopedKeys: [] };
    const decision = await read.readForDecision(ledger.name, keys);
    expect(decision.document).toMatchObject({ generation: building.generation, checkpoint: 3 });
    expect(decision.bindings).toEqual(ledger.live());
    ledger.bind('3', 'C');
    const batch = ledger.takeBatch();
    const opened = await write.openLedger(ledger.name);
    expect(opened).toMatchObject({ generation: building.generation, former: { generation: ledger.generation, checkpoint: 3 } });
    expect(await write.apply(replayed(ledger, building.generation, 3, 4))).toBe('applied');
    expect(await write.apply(batch)).toBe('applied');
  });

  it('drops the former generation alone, and never uses its name again', async () => {
    const { write, read } = stores();
    const { ledger, building } = await begun(stores());
    await write.apply(replayed(ledger, building.generation, -1, 3));
    await write.followGeneration(ledger.name);
    await write.dropGeneration(ledger.name, ledger.generation);
    await write.dropGeneration(ledger.name, building.generation);
    await write.switchGeneration(ledger.name);
    await write.beginGeneration(ledger.name);
    expect(await write.rebuildState(ledger.name)).toEqual({ building: undefined, former: ledger.generation });
    await write.dropGeneration(ledger.name, ledger.generation);
    await write.dropGeneration(ledger.name, ledger.generation);
    expect(await write.rebuildState(ledger.name)).toEqual({ building: undefined, former: null });
    ledger.bind('3', 'C');
    expect(await write.apply(ledger.takeBatch())).toBe('superseded');
    expect(await write.apply(replayed(ledger, building.generation, 3, 4))).toBe('applied');
    const { items } = await read.list(ledger.name, {}, 10);
    expect(byId(items)).toEqual(byId(ledger.live()));
    const [unbound] = (await read.list(ledger.name, { state: 'unbound' }, 10)).items;
    expect((await read.history(ledger.name, { bindingId: unbound?.id ?? '' }, -1, 10)).revisions).toEqual([2, 3]);
    await write.beginGeneration(ledger.name);
    const again = await write.rebuildState(ledger.name);
    expect([ledger.generation, building.generation]).not.toContain(again.building?.generation);
  });
}
