import { expect, it } from 'vitest';
import { UNOPENED, statusOf, type Binding } from '#domain';
import { AppliedLedger, newName, RULES, secondsAfterStart, type Stores } from './applied-ledger.js';

export function opening(stores: () => Stores): void {
  it('opens a ledger once, at the checkpoint before its first event', async () => {
    const { write, read } = stores();
    const ledger = { backend: newName(), model: 'shop.product' };
    expect(await read.ledgerDocument(ledger)).toBeUndefined();
    const opened = await write.openLedger(ledger);
    expect(opened).toMatchObject({ ledger, checkpoint: -1, applying: -1, hash: '', at: '', state: UNOPENED });
    expect(opened.generation).not.toBe('');
    expect(await write.openLedger(ledger)).toEqual(opened);
    expect(await read.ledgerDocument(ledger)).toEqual(opened);
  });

  it('opens a ledger once, however many open it at a time', async () => {
    const { write, read } = stores();
    const ledger = { backend: newName(), model: 'shop.product' };
    const opened = await Promise.all(Array.from({ length: 20 }, (_, index) => (index % 2 ? read : write).openLedger(ledger)));
    expect(new Set(opened.map(({ generation }) => generation)).size).toBe(1);
    expect((await read.ledgerDocuments()).filter((document) => document.ledger.backend === ledger.backend)).toHaveLength(1);
  });

  it('keeps ledgers apart whose names are alike', async () => {
    const { write, read } = stores();
    const backend = newName();
    const names = [
      { backend, model: 'm' },
      { backend, model: 'm.m' },
      { backend: `${backend}-m`, model: 'm' },
      { backend: `${backend}.m`, model: 'm' },
    ];
    for (const name of names) await write.openLedger(name);
    const documents = (await read.ledgerDocuments()).filter(({ ledger }) => ledger.backend.startsWith(backend));
    expect(documents.map(({ ledger }) => ledger)).toEqual(expect.arrayContaining(names));
    expect(documents).toHaveLength(4);
  });
}

export function applying(stores: () => Stores): void {
  it('applies a batch: bindings, checkpoint, hash, time, rules, status and counts', async () => {
    const ledger = await AppliedLedger.open(stores(), { localModel: 'product', cardinality: 'many', indexes: ['colour'] });
    ledger.at = secondsAfterStart(7);
    ledger.bind('1', 'A', { data: { colour: 'red', sizes: [1, { deep: null }] } });
    ledger.bind('2');
    ledger.do({ op: 'unbind', recordId: '1' });
    await ledger.apply();
    const document = await stores().read.ledgerDocument(ledger.name);
    expect(document).toEqual({
      ledger: ledger.name,
      generation: ledger.generation,
      checkpoint: 3,
      applying: 3,
      hash: 'hash 3',
      at: secondsAfterStart(7),
      state: {
        ...UNOPENED,
        opened: true,
        rules: { ...RULES, localModel: 'product', cardinality: 'many', indexes: ['colour'] },
        counts: { pending: 1, bound: 0, unbound: 1 },
      },
    });
    await expectBindings(stores(), ledger);
  });

  it('keeps the state of the ledger through pause, resumption and closing', async () => {
    const ledger = await AppliedLedger.open(stores());
    const status = async () => statusOf((await stores().read.ledgerDocument(ledger.name))?.state ?? UNOPENED);
    const seen = [await status()];
    for (const type of ['LedgerPaused', 'LedgerResumed', 'LedgerClosed'] as const) {
      await ledger.apply();
      seen.push(await status());
      ledger.record({ type, data: { backendRevision: ledger.revision } });
    }
    await ledger.apply();
    expect([...seen, await status()]).toEqual(['unopened', 'open', 'paused', 'open', 'closed']);
  });

  it('applies a batch of control events alone, and one of nothing', async () => {
    const ledger = await AppliedLedger.open(stores());
    await ledger.apply();
    expect(await stores().write.apply(ledger.takeBatch())).toBe('applied');
    expect(await stores().read.ledgerDocument(ledger.name)).toMatchObject({ checkpoint: 0, state: { opened: true } });
  });

  it('folds several events of a binding in one batch, and in the next', async () => {
    const ledger = await AppliedLedger.open(stores());
    const first = ledger.bind('1', undefined, { data: { a: 1, b: 2 } });
    ledger.bind('1', 'A', { syncDate: null });
    ledger.do({ op: 'changeData', bindingId: first.id, data: { b: null, c: 3 } });
    await ledger.apply();
    await expectBindings(stores(), ledger);
    ledger.at = secondsAfterStart(10);
    ledger.do({ op: 'sync', bindingId: first.id });
    ledger.do({ op: 'move', bindingId: first.id, toRecordId: '2' });
    ledger.do({ op: 'bind', bindingId: first.id, externalId: 'B', ifBound: 'replace', syncDate: null });
    await ledger.apply();
    await expectBindings(stores(), ledger);
    ledger.do({ op: 'unbind', bindingId: first.id, cause: 'missingInBackend', reason: 'gone from the shop' });
    await ledger.apply();
    await expectBindings(stores(), ledger);
    const former = await stores().read.findById(ledger.name, first.id);
    expect(former).toMatchObject({ version: 7, recordId: '2', externalId: 'B', state: 'unbound', cause: 'missingInBackend' });
    expect(former).toMatchObject({ data: { a: 1, c: 3 }, unboundAt: secondsAfterStart(10), reason: 'gone from the shop' });
  });

  it('keeps a binding that was made and unbound in one batch, and gives its keys to another', async () => {
    const ledger = await AppliedLedger.open(stores());
    const former = ledger.bind('1', 'A');
    ledger.do({ op: 'unbind', externalId: 'A' });
    const now = ledger.bind('1', 'A');
    await ledger.apply();
    await expectBindings(stores(), ledger);
    const { bindings } = await stores().read.findByRecordIds(ledger.name, ['1']);
    expect(bindings.map(({ id }) => id)).toEqual([now.id]);
    expect(await stores().read.findById(ledger.name, former.id)).toMatchObject({ state: 'unbound' });
  });

  it('writes a sync date back to never, and data back to none', async () => {
    const ledger = await AppliedLedger.open(stores());
    const { id } = ledger.bind('1', 'A', { data: { a: 1 } });
    await ledger.apply();
    const { version } = ledger.do({ op: 'changeData', bindingId: id, data: { a: null } });
    const binding = ledger.view.binding(id) as Binding;
    ledger.record({
      type: 'SyncDateUpdated',
      data: { ...identity(binding), version: version + 1, syncDate: null, forced: true },
    });
    await ledger.apply();
    expect(await stores().read.findById(ledger.name, id)).toMatchObject({ syncDate: null, data: {}, version: 3 });
    await expectBindings(stores(), ledger);
  });

  it('counts, and finds, what it was given in many batches of many bindings', async () => {
    const ledger = await AppliedLedger.open(stores());
    for (let first = 0; first < 1_500; first += 500) {
      for (let index = first; index < first + 500; index += 1)
        ledger.bind(`r${index}`, index % 3 === 0 ? undefined : `e${index}`);
      await ledger.apply();
    }
    const document = await stores().read.ledgerDocument(ledger.name);
    expect(document?.state.counts).toEqual({ pending: 500, bound: 1_000, unbound: 0 });
    await expectBindings(stores(), ledger);
  });
}

export function guarding(stores: () => Stores): void {
  it('never overwrites a newer version with an older one', async () => {
    const ledger = await AppliedLedger.open(stores());
    const first = ledger.bind('1', 'A');
    const [creation] = ledger.takeBatch().bindings;
    const other = await AppliedLedger.open(stores(), {}, { model: 'shop.order' });
    const binding = other.bind('1', 'A');
    other.do({ op: 'changeData', bindingId: binding.id, data: { newer: true } });
    await other.apply();
    const late = { ...creation, createdRevision: 1, update: { ...first, id: binding.id, revision: 1 } };
    other.record({ type: 'LedgerPaused', data: {} });
    expect(await stores().write.apply({ ...other.takeBatch(), bindings: [late] })).toBe('applied');
    expect(await stores().read.findById(other.name, binding.id)).toEqual(other.bindings.get(binding.id));
  });

  it('is superseded by a checkpoint that has moved on, and changes nothing', async () => {
    const ledger = await AppliedLedger.open(stores());
    const binding = ledger.bind('1', 'A');
    const first = ledger.takeBatch();
    expect(await stores().write.apply(first)).toBe('applied');
    expect(await stores().write.apply(first)).toBe('superseded');
    ledger.do({ op: 'unbind', recordId: '1' });
    const second = ledger.takeBatch();
    const document = await stores().read.ledgerDocument(ledger.name);
    expect(await stores().write.apply({ ...second, after: second.after - 1 })).toBe('superseded');
    expect(await stores().write.apply({ ...second, after: second.after + 1 })).toBe('superseded');
    expect(await stores().read.ledgerDocument(ledger.name)).toEqual(document);
    expect(await stores().read.findByExternalId(ledger.name, 'A')).toEqual(binding);
    expect(await stores().write.apply(second)).toBe('applied');
  });

  it('is superseded when the generation is another, or the ledger was never opened', async () => {
    const ledger = await AppliedLedger.open(stores());
    ledger.bind('1', 'A');
    const batch = ledger.takeBatch();
    expect(await stores().write.apply({ ...batch, generation: 'gone' })).toBe('superseded');
    const unknown = { backend: newName(), model: 'shop.product' };
    expect(await stores().write.apply({ ...batch, ledger: unknown })).toBe('superseded');
    expect(await stores().read.ledgerDocument(unknown)).toBeUndefined();
    expect(await stores().read.findByExternalId(ledger.name, 'A')).toBeUndefined();
    expect(await stores().write.apply(batch)).toBe('applied');
  });

  it('throws at a change of a binding that is not there, and keeps its checkpoint', async () => {
    const ledger = await AppliedLedger.open(stores());
    const { id } = ledger.bind('1', 'A');
    const lost = ledger.takeBatch();
    expect(await stores().write.apply({ ...lost, bindings: [] })).toBe('applied');
    ledger.do({ op: 'changeData', bindingId: id, data: { a: 1 } });
    await expect(stores().write.apply(ledger.takeBatch())).rejects.toThrow(/broken invariant/);
    expect(await stores().read.ledgerDocument(ledger.name)).toMatchObject({ checkpoint: lost.to });
  });
}

function identity({ id: bindingId, recordId, externalId, state, version }: Binding) {
  return { bindingId, recordId, externalId, state, version };
}

/** Every binding is there as its events make it, and found by its keys exactly while it lives. */
export async function expectBindings({ read }: Stores, ledger: AppliedLedger): Promise<void> {
  for (const binding of ledger.bindings.values()) expect(await read.findById(ledger.name, binding.id)).toEqual(binding);
  const recordIds = new Set([...ledger.bindings.values()].map(({ recordId }) => recordId));
  const chunks = Array.from({ length: Math.ceil(recordIds.size / 1_000) }, (_, index) =>
    [...recordIds].slice(index * 1_000, (index + 1) * 1_000),
  );
  const found: Binding[] = [];
  for (const chunk of chunks) found.push(...(await read.findByRecordIds(ledger.name, chunk)).bindings);
  expect(new Map(found.map((binding) => [binding.id, binding]))).toEqual(
    new Map(ledger.live().map((binding) => [binding.id, binding])),
  );
  expect(found).toHaveLength(ledger.live().length);
}
