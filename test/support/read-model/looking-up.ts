import { expect, it } from 'vitest';
import type { Binding } from '#domain';
import { readLocalRecordPage } from '#read-model';
import { AppliedLedger, byId, newName, type Stores } from './applied-ledger.js';
import { CONFUSABLE_IDS } from './confusable-ids.js';

export function lookingUp(stores: () => Stores): void {
  it('finds what is bound both ways, pending bindings by record alone, and nothing else', async () => {
    const ledger = await AppliedLedger.open(stores());
    const bound = ledger.bind('1', 'A');
    const pending = ledger.bind('2');
    await ledger.apply();
    const { read } = stores();
    expect(await read.findByExternalId(ledger.name, 'A')).toEqual(bound);
    expect(await read.findByExternalId(ledger.name, '1')).toBeUndefined();
    expect(await read.findByRecordIds(ledger.name, ['1'])).toEqual({ bindings: [bound], revision: 2 });
    expect(await read.findByRecordIds(ledger.name, ['2'])).toEqual({ bindings: [pending], revision: 2 });
    expect(await read.findByRecordIds(ledger.name, ['A', '3'])).toEqual({ bindings: [], revision: 2 });
    const { bindings, revision } = await read.findByExternalIds(ledger.name, ['A', 'B', '2']);
    expect({ bindings, revision }).toEqual({ bindings: [bound], revision: 2 });
  });

  it('finds an unbound binding by its id alone', async () => {
    const ledger = await AppliedLedger.open(stores());
    const { id } = ledger.bind('1', 'A');
    await ledger.apply();
    ledger.do({ op: 'unbind', recordId: '1', reason: 'a mistake' });
    await ledger.apply();
    const { read } = stores();
    expect(await read.findByExternalId(ledger.name, 'A')).toBeUndefined();
    expect((await read.findByExternalIds(ledger.name, ['A'])).bindings).toEqual([]);
    expect((await read.findByRecordIds(ledger.name, ['1'])).bindings).toEqual([]);
    expect(await read.findById(ledger.name, id)).toEqual(ledger.bindings.get(id));
    expect(await read.findById(ledger.name, 'no such binding')).toBeUndefined();
  });

  it('finds under the new key, and not under the old, after a replacement, a move and a take-over', async () => {
    const ledger = await AppliedLedger.open(stores());
    ledger.bind('1', 'A');
    ledger.bind('2', 'B');
    await ledger.apply();
    ledger.do({ op: 'bind', recordId: '1', externalId: 'C', ifBound: 'replace' });
    ledger.do({ op: 'move', fromRecordId: '2', toRecordId: '3' });
    ledger.do({ op: 'bind', recordId: '4', externalId: 'B', ifTaken: 'takeOver' });
    await ledger.apply();
    const { read } = stores();
    const holders = await Promise.all(['A', 'B', 'C'].map((id) => read.findByExternalId(ledger.name, id)));
    expect(holders.map((binding) => binding?.recordId)).toEqual([undefined, '4', '1']);
    const { bindings } = await read.findByRecordIds(ledger.name, ['1', '2', '3', '4']);
    expect(bindings.map(({ recordId, externalId }) => `${recordId}=${externalId}`).sort()).toEqual(['1=C', '4=B']);
  });

  it('finds all bindings of a record that has several, each once, also when it is asked for twice', async () => {
    const ledger = await AppliedLedger.open(stores(), { cardinality: 'many' });
    for (let index = 0; index < 100; index += 1) ledger.bind('1', `e${index}`);
    ledger.bind('2', 'other');
    await ledger.apply();
    const { bindings } = await stores().read.findByRecordIds(ledger.name, ['1', '2', '1']);
    expect(byId(bindings)).toEqual(byId(ledger.live()));
    const twice = await stores().read.findByExternalIds(ledger.name, ['e1', 'e1', 'other']);
    expect(twice.bindings.map(({ externalId }) => externalId ?? '').sort()).toEqual(['e1', 'other']);
  });

  it('compares ids byte by byte', async () => {
    const ledger = await AppliedLedger.open(stores());
    for (const id of CONFUSABLE_IDS) ledger.bind(id, `to ${id}`, { syncDate: null });
    await ledger.apply();
    const other = await AppliedLedger.open(stores(), {}, { backend: ledger.name.backend, model: 'shop.order' });
    for (const [index, id] of CONFUSABLE_IDS.entries()) other.bind(`r${index}`, id, { syncDate: null });
    await other.apply();
    const { read } = stores();
    for (const id of CONFUSABLE_IDS) {
      const { bindings } = await read.findByRecordIds(ledger.name, [id]);
      expect(bindings.map(({ recordId, externalId }) => [recordId, externalId])).toEqual([[id, `to ${id}`]]);
      expect((await read.findByExternalId(other.name, id))?.externalId).toBe(id);
      expect((await read.list(ledger.name, { recordId: id }, 10)).items.map(({ recordId }) => recordId)).toEqual([id]);
      expect((await read.list(other.name, { externalId: id }, 10)).items.map(({ externalId }) => externalId)).toEqual([id]);
    }
    const { bindings } = await read.findByExternalIds(other.name, CONFUSABLE_IDS);
    expect(bindings.map(({ externalId }) => externalId ?? '').sort()).toEqual(CONFUSABLE_IDS.toSorted());
  });

  it('keeps ledgers apart, and answers nothing of one that it does not know', async () => {
    const ledger = await AppliedLedger.open(stores());
    const other = await AppliedLedger.open(stores(), {}, { backend: ledger.name.backend, model: 'shop.order' });
    const binding = ledger.bind('1', 'A');
    await ledger.apply();
    await other.apply();
    const { read } = stores();
    for (const [name, revision] of [[other.name, 0] as const, [{ backend: newName(), model: 'shop.product' }, -1] as const]) {
      expect(await read.findByExternalId(name, 'A')).toBeUndefined();
      expect(await read.findById(name, binding.id)).toBeUndefined();
      expect(await read.findByRecordIds(name, ['1'])).toEqual({ bindings: [], revision });
      expect(await read.findByExternalIds(name, ['A'])).toEqual({ bindings: [], revision });
      expect(await read.list(name, {}, 10)).toEqual({ items: [], nextCursor: null });
      expect(await read.newestSyncDate(name)).toBeNull();
    }
  });
}

export function deciding(stores: () => Stores): void {
  const none = { recordIds: [], externalIds: [], bindingIds: [], scopedKeys: [] };

  it('reads what a batch of commands touches: each binding once, with the document that they came with', async () => {
    const ledger = await AppliedLedger.open(stores());
    const [both, byRecord, former] = [ledger.bind('1', 'A'), ledger.bind('2'), ledger.bind('3', 'C')];
    ledger.bind('4', 'D');
    ledger.do({ op: 'unbind', recordId: '3' });
    await ledger.apply();
    const { read } = stores();
    const keys = { recordIds: ['1', '2', '3', '9', '1'], externalIds: ['A', 'C', '9'], bindingIds: [both.id, former.id, 'none'] };
    const state = await read.readForDecision(ledger.name, { ...keys, scopedKeys: [] });
    expect(byId(state.bindings)).toEqual(byId([both, byRecord, ledger.bindings.get(former.id) as Binding]));
    expect(state.document).toEqual(await read.ledgerDocument(ledger.name));
    expect(state.document).toMatchObject({ generation: ledger.generation, checkpoint: ledger.revision });
    expect(state.idempotency).toEqual([]);
  });

  it('reads the document alone when nothing is asked for, and none of a ledger that it does not know', async () => {
    const ledger = await AppliedLedger.open(stores());
    ledger.bind('1', 'A');
    await ledger.apply();
    const { read } = stores();
    const document = await read.ledgerDocument(ledger.name);
    expect(await read.readForDecision(ledger.name, none)).toEqual({ document, bindings: [], idempotency: [] });
    const unknown = { backend: newName(), model: 'shop.product' };
    const keys = { ...none, recordIds: ['1'], externalIds: ['A'] };
    expect(await read.readForDecision(unknown, keys)).toEqual({ document: undefined, bindings: [], idempotency: [] });
  });

  it('reads the document as it is, though it was read before, of whichever ledger is asked for', async () => {
    const ledgers = [await AppliedLedger.open(stores()), await AppliedLedger.open(stores())];
    const { write, read } = stores();
    const checkpoints = async () => {
      const found: unknown[] = [];
      // Twice of each, so that something may be remembered.
      for (const { name } of [...ledgers, ...ledgers]) {
        for (let times = 0; times < 2; times += 1) found.push((await read.readForDecision(name, none)).document?.checkpoint);
      }
      return found;
    };
    for (const ledger of ledgers) await ledger.apply();
    for (const [index, ledger] of [...ledgers, ...ledgers].entries()) {
      ledger.bind(String(index), `e${index}`);
      await ledger.apply();
      const [first, second] = ledgers.map(({ revision }) => revision);
      expect(await checkpoints()).toEqual([first, first, second, second, first, first, second, second]);
    }
    const [gone] = ledgers as [AppliedLedger];
    await write.forgetLedger(gone.name);
    expect((await read.readForDecision(gone.name, none)).document?.checkpoint ?? -1).toBe(-1);
    await write.openLedger(gone.name);
    expect((await read.readForDecision(gone.name, none)).document).toMatchObject({ checkpoint: -1 });
  });

  it('reads for a thousand keys at once', async () => {
    const ledger = await AppliedLedger.open(stores());
    const ids = Array.from({ length: 500 }, (_, index) => String(index));
    for (const id of ids) if (Number(id) % 2 === 0) ledger.bind(id, `e${id}`);
    await ledger.apply();
    const externalIds = ids.map((id) => `e${id}`);
    const { bindings } = await stores().read.readForDecision(ledger.name, { ...none, recordIds: ids, externalIds });
    expect(byId(bindings)).toEqual(byId(ledger.live()));
  });
}

export function acrossLedgers(stores: () => Stores): void {
  it('finds the bindings of a record in all ledgers of its local model, ordered by ledger and id', async () => {
    const [backend, localModel] = [newName(), newName('local')];
    const open = (model: string, of: string | null) =>
      AppliedLedger.open(stores(), { localModel: of, cardinality: 'many' }, { backend, model });
    const ledgers = [
      await open('c', localModel),
      await open('a', localModel),
      await open('b', newName('other')),
      await open('d', null),
    ];
    for (const ledger of ledgers) {
      ledger.bind('1', 'A');
      ledger.bind('1', 'B');
      ledger.bind('2', 'C');
      ledger.do({ op: 'unbind', externalId: 'A' });
      await ledger.apply();
    }
    const expected = (of: AppliedLedger[], states: Binding['state'][]) =>
      of.flatMap((ledger) =>
        byId([...ledger.bindings.values()].filter(({ recordId, state }) => recordId === '1' && states.includes(state))).map(
          (binding) => ({ ...binding, ...ledger.name, localModel }),
        ),
      );
    const [c, a] = ledgers as [AppliedLedger, AppliedLedger];
    const { read } = stores();
    expect(await read.findOfLocalRecord(localModel, '1', false)).toEqual(expected([a, c], ['bound']));
    expect(await read.findOfLocalRecord(localModel, '1', true)).toEqual(expected([a, c], ['bound', 'unbound']));
    expect(await read.findOfLocalRecord(localModel, '3', true)).toEqual([]);
    expect(await read.findOfLocalRecord(newName('local'), '1', true)).toEqual([]);
  });

  it('pages through the bindings of a record', async () => {
    const [backend, localModel] = [newName(), newName('local')];
    const located: object[] = [];
    for (const model of ['c', 'a', 'b']) {
      const ledger = await AppliedLedger.open(stores(), { localModel, cardinality: 'many' }, { backend, model });
      for (let index = 0; index < 11; index += 1) ledger.bind('1', `${model}${index}`);
      ledger.do({ op: 'unbind', externalId: `${model}4` });
      await ledger.apply();
      const ofModel = byId([...ledger.bindings.values()]).map((binding) => ({ ...binding, ...ledger.name, localModel }));
      located.push(...ofModel);
    }
    const expected = [...located.slice(11), ...located.slice(0, 11)];
    const { read } = stores();
    for (const includeUnbound of [true, false]) {
      const record = { localModel, recordId: '1', includeUnbound };
      for (const limit of [1, 4, 33, 1_000]) {
        const seen: object[] = [];
        let cursor: string | undefined;
        do {
          const page = await readLocalRecordPage(read, record, { limit, cursor });
          expect(page.items.length).toBeLessThanOrEqual(limit);
          expect(page.items.length).toBeGreaterThan(0);
          seen.push(...page.items);
          cursor = page.nextCursor ?? undefined;
        } while (cursor !== undefined);
        expect(seen).toEqual(expected.filter((binding) => includeUnbound || (binding as Binding).state !== 'unbound'));
      }
    }
    const { nextCursor } = await readLocalRecordPage(read, { localModel, recordId: '1', includeUnbound: true }, { limit: 1 });
    const other = { localModel, recordId: '2', includeUnbound: true };
    await expect(readLocalRecordPage(read, other, { limit: 1, cursor: nextCursor ?? '' })).rejects.toMatchObject({
      code: 'BAD_CURSOR',
    });
  });

  it('follows a ledger whose local model changes, and one that has none any more', async () => {
    const [first, second] = [newName('local'), newName('local')];
    const ledger = await AppliedLedger.open(stores(), { localModel: first });
    ledger.bind('1', 'A');
    await ledger.apply();
    const found = async () =>
      Promise.all(
        [first, second, 'null', ''].map(async (name) => (await stores().read.findOfLocalRecord(name, '1', true)).length),
      );
    expect(await found()).toEqual([1, 0, 0, 0]);
    ledger.changeRules({ localModel: second });
    await ledger.apply();
    expect(await found()).toEqual([0, 1, 0, 0]);
    ledger.changeRules({ localModel: null });
    await ledger.apply();
    expect(await found()).toEqual([0, 0, 0, 0]);
  });
}
