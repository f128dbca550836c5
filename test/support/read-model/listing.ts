import { expect, it } from 'vitest';
import type { Binding } from '#domain';
import type { BindingFilter } from '#read-model';
import { AppliedLedger, byId, secondsAfterStart, type Stores } from './applied-ledger.js';
import { expectedList, listAll } from './listing-truth.js';

/** Bindings of every kind: pending, synchronized and not, with data and without, and former ones; in `count` of each. */
async function variedLedger(stores: Stores, count: number): Promise<AppliedLedger> {
  const ledger = await AppliedLedger.open(stores, { indexes: ['colour', 'size'] });
  for (let index = 0; index < count; index += 1) {
    // Several share each instant, so that ties are among them.
    ledger.at = secondsAfterStart(Math.floor(index / 3));
    const data = { colour: index % 2 ? 'red' : 'blue', size: index % 3 };
    ledger.bind(`p${index}`, undefined, index % 2 ? { data } : {});
    ledger.bind(`b${index}`, `e${index}`, { data });
    ledger.bind(`n${index}`, `never ${index}`, { syncDate: null, data: { colour: 'red' } });
    ledger.bind(`u${index}`, `former ${index}`, { data });
    ledger.do({ op: 'unbind', recordId: `u${index}` });
  }
  await ledger.apply();
  return ledger;
}

function textOf({ recordId, externalId, syncDate, data, state, version, revision, ...rest }: Binding): string {
  const { createdAt, updatedAt, unboundAt, cause, reason } = rest;
  // What is absent is null in a list.
  const list = [recordId, externalId, syncDate, state, version, revision, createdAt, updatedAt, unboundAt, cause, reason];
  return JSON.stringify(list) + JSON.stringify(data);
}

export function filtering(stores: () => Stores): void {
  const FILTERS: BindingFilter[] = [
    {},
    { state: 'pending' },
    { state: 'bound' },
    { state: 'unbound' },
    { recordId: 'b4' },
    { recordId: 'u4' },
    { recordId: 'u4', state: 'unbound' },
    { externalId: 'e4' },
    { externalId: 'e4', state: 'pending' },
    { externalId: 'former 4', state: 'unbound' },
    { externalId: 'former 4' },
    { recordId: 'b4', externalId: 'e4' },
    { recordId: 'b4', externalId: 'e5' },
    { syncedBefore: secondsAfterStart(3) },
    { syncedBefore: secondsAfterStart(3), state: 'unbound' },
    { syncedBefore: secondsAfterStart(3), state: 'pending' },
    { syncedAfter: secondsAfterStart(3) },
    { syncedAfter: secondsAfterStart(3), state: 'unbound' },
    { syncedAfter: secondsAfterStart(1), syncedBefore: secondsAfterStart(4) },
    { createdBefore: secondsAfterStart(3) },
    { createdBefore: secondsAfterStart(3), state: 'pending' },
    { createdBefore: secondsAfterStart(3), state: 'unbound' },
    { createdBefore: secondsAfterStart(3), syncedBefore: secondsAfterStart(2) },
    { createdBefore: secondsAfterStart(3), syncedAfter: secondsAfterStart(1), state: 'bound' },
    { data: { colour: 'red' } },
    { data: { colour: 'red', size: '1' } },
    { data: { colour: 'red' }, state: 'pending' },
    { data: { colour: 'red' }, state: 'unbound' },
    { data: { colour: 'red' }, syncedBefore: secondsAfterStart(3) },
    { data: { size: '2' }, createdBefore: secondsAfterStart(3), state: 'bound' },
    { data: { colour: 'red' }, syncedAfter: secondsAfterStart(2) },
    { data: { colour: 'green' } },
    { recordId: 'b5', data: { colour: 'red' }, syncedBefore: secondsAfterStart(9), createdBefore: secondsAfterStart(9) },
  ];

  it('serves every filter and their combinations, in its order', async () => {
    const ledger = await variedLedger(stores(), 12);
    for (const filter of FILTERS) {
      const { items, nextCursor } = await stores().read.list(ledger.name, filter, 1_000);
      expect({ filter, items, nextCursor }).toEqual({
        filter,
        items: expectedList(ledger.bindings.values(), filter),
        nextCursor: null,
      });
    }
    for (const unbound of [false, true]) {
      const listed = expectedList(ledger.bindings.values(), unbound ? { state: 'unbound' } : {});
      const texts = await stores().read.listTexts?.(ledger.name, unbound, '', 1_000);
      if (texts !== undefined) expect(texts).toEqual(listed.map((binding) => ({ id: binding.id, text: textOf(binding) })));
    }
    const sizes = FILTERS.map((filter) => expectedList(ledger.bindings.values(), filter).length);
    expect(sizes.filter((size) => size > 0).length).toBeGreaterThan(25);
  });

  it('lists those never synchronized first, then the oldest sync date', async () => {
    const ledger = await AppliedLedger.open(stores());
    for (const [record, second] of [
      ['late', 9],
      ['early', 1],
      ['between', 5],
      ['too late', 10],
    ] as const) {
      ledger.bind(record, `e ${record}`, { syncDate: secondsAfterStart(second) });
    }
    ledger.bind('never', 'e', { syncDate: null });
    await ledger.apply();
    const { items } = await stores().read.list(ledger.name, { syncedBefore: secondsAfterStart(10) }, 10);
    expect(items.map(({ recordId }) => recordId)).toEqual(['never', 'early', 'between', 'late']);
    const after = await stores().read.list(ledger.name, { syncedAfter: secondsAfterStart(5) }, 10);
    expect(after.items.map(({ recordId }) => recordId).sort()).toEqual(['late', 'too late']);
  });

  it('begins behind an instant, however many were synchronized then', async () => {
    const ledger = await AppliedLedger.open(stores());
    for (let index = 0; index < 200; index += 1)
      ledger.bind(`r${index}`, `e${index}`, { syncDate: secondsAfterStart(index < 150 ? 1 : 2) });
    await ledger.apply();
    const filter = { syncedAfter: secondsAfterStart(1), syncedBefore: secondsAfterStart(9) };
    expect(await listAll(stores().read, ledger.name, filter, 30)).toEqual(expectedList(ledger.bindings.values(), filter));
  });

  it('knows the newest sync date of a live binding', async () => {
    const ledger = await AppliedLedger.open(stores());
    const newest = async () => {
      await ledger.apply();
      return stores().read.newestSyncDate(ledger.name);
    };
    expect(await newest()).toBeNull();
    ledger.bind('1', 'A', { syncDate: null });
    expect(await newest()).toBeNull();
    ledger.bind('2', 'B', { syncDate: secondsAfterStart(2) });
    ledger.bind('3', 'C', { syncDate: secondsAfterStart(3) });
    expect(await newest()).toBe(secondsAfterStart(3));
    ledger.do({ op: 'unbind', recordId: '3' });
    expect(await newest()).toBe(secondsAfterStart(2));
  });
}

export function paging(stores: () => Stores): void {
  const ORDERS: BindingFilter[] = [
    {},
    { state: 'bound' },
    { state: 'unbound' },
    { state: 'pending' },
    { syncedBefore: secondsAfterStart(1_000) },
    { syncedAfter: secondsAfterStart(0) },
    { createdBefore: secondsAfterStart(1_000) },
    { createdBefore: secondsAfterStart(1_000), state: 'pending' },
    { data: { colour: 'red' } },
  ];

  it('pages through hundreds, in every order, with pages of any size', async () => {
    const ledger = await variedLedger(stores(), 150);
    for (const filter of ORDERS) {
      const expected = expectedList(ledger.bindings.values(), filter);
      expect(expected.length).toBeGreaterThan(140);
      for (const size of [7, expected.length - 1, expected.length, expected.length + 1]) {
        expect(await listAll(stores().read, ledger.name, filter, size)).toEqual(expected);
      }
    }
  });

  it('ends a page early when its bindings have much data, and goes on behind it', async () => {
    const ledger = await AppliedLedger.open(stores());
    for (let index = 0; index < 60; index += 1)
      ledger.bind(`r${index}`, `e${index}`, { data: index < 30 ? {} : { text: 'x'.repeat(60_000) } });
    await ledger.apply();
    const sizes: number[] = [];
    const seen: Binding[] = [];
    for (let cursor: string | undefined; ;) {
      const page = await stores().read.list(ledger.name, {}, 1_000, cursor);
      sizes.push(page.items.filter(({ data }) => 'text' in data).length);
      seen.push(...page.items);
      if (page.nextCursor === null) break;
      cursor = page.nextCursor;
    }
    expect(seen).toEqual(byId([...ledger.bindings.values()]));
    // Nine of them are as many bytes as a page may have.
    expect(sizes).toEqual([9, 9, 9, 3]);
  });

  it('has no next page behind the last, and never an empty one between', async () => {
    const ledger = await AppliedLedger.open(stores());
    for (let index = 0; index < 6; index += 1) ledger.bind(`r${index}`, `e${index}`);
    await ledger.apply();
    const { read } = stores();
    const first = await read.list(ledger.name, {}, 3);
    const second = await read.list(ledger.name, {}, 3, first.nextCursor ?? '');
    expect([first.items.length, second.items.length, second.nextCursor]).toEqual([3, 3, null]);
  });

  it('finds what matches behind thousands that do not', async () => {
    const ledger = await AppliedLedger.open(stores());
    for (let index = 0; index < 2_500; index += 1)
      ledger.bind(`r${index}`, `e${index}`, { data: { rare: index % 1_000 === 999 } });
    await ledger.apply();
    const filter = { data: { rare: 'true' } };
    expect(await listAll(stores().read, ledger.name, filter, 1)).toEqual(expectedList(ledger.bindings.values(), filter));
    expect((await stores().read.list(ledger.name, { data: { rare: 'maybe' } }, 10)).items).toEqual([]);
  });

  for (const filter of ORDERS) {
    it(`lists exactly once what does not change while it pages: ${JSON.stringify(filter)}`, async () => {
      const ledger = await variedLedger(stores(), 30);
      const all = expectedList(ledger.bindings.values(), filter);
      const seen: Binding[] = [];
      let cursor: string | undefined;
      let round = 0;
      do {
        const page = await stores().read.list(ledger.name, filter, 7, cursor);
        seen.push(...page.items);
        cursor = page.nextCursor ?? undefined;
        changeSome(ledger, round);
        await ledger.apply();
        round += 1;
      } while (cursor !== undefined);
      const untouched = all.filter((binding) => ledger.bindings.get(binding.id)?.version === binding.version);
      expect(untouched.length).toBeGreaterThan(15);
      const counts = untouched.map(({ id }) => seen.filter((binding) => binding.id === id).length);
      expect(counts).toEqual(untouched.map(() => 1));
    });
  }
}

/** One of each kind is unbound, one synchronized, one changed, and new ones come. */
function changeSome(ledger: AppliedLedger, round: number): void {
  ledger.at = secondsAfterStart(500 + round);
  ledger.run({ op: 'unbind', recordId: `b${round * 2}` });
  ledger.run({ op: 'unbind', recordId: `p${round * 2}` });
  ledger.run({ op: 'sync', recordId: `b${round * 2 + 1}` });
  ledger.run({ op: 'changeData', recordId: `n${round}`, data: { colour: 'green' } });
  ledger.bind(`new ${round}`, `new ${round}`, { data: { colour: 'red' } });
}

export function cursors(stores: () => Stores): void {
  async function listed() {
    const ledger = await AppliedLedger.open(stores());
    for (let index = 0; index < 5; index += 1) ledger.bind(`r${index}`, `e${index}`);
    await ledger.apply();
    const { nextCursor } = await stores().read.list(ledger.name, {}, 2);
    return { ledger, cursor: nextCursor ?? '' };
  }

  it('goes on with another page size', async () => {
    const { ledger, cursor } = await listed();
    const { items } = await stores().read.list(ledger.name, {}, 100, cursor);
    expect(items).toEqual(byId(ledger.live()).slice(2));
  });

  it('refuses a cursor that is broken', async () => {
    const { ledger, cursor } = await listed();
    const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const broken = [
      '',
      'x',
      cursor.slice(0, -1),
      cursor.slice(1),
      `${cursor}A`,
      `${cursor} `,
      cursor.toUpperCase(),
      '../../etc',
      '💥',
    ];
    broken.push(...[null, 1, {}, [], ['a'], [1, 2, 3], ['a', 'b', { $gt: '' }], ['a', 'b', 'c', 'd']].map(encoded));
    for (const text of broken) {
      await expect(stores().read.list(ledger.name, {}, 2, text), JSON.stringify(text)).rejects.toMatchObject({
        code: 'BAD_CURSOR',
      });
    }
  });

  it('refuses a cursor of another listing', async () => {
    const { ledger, cursor } = await listed();
    const filters: BindingFilter[] = [
      { state: 'bound' },
      { recordId: 'r1' },
      { externalId: 'r1' },
      { syncedBefore: secondsAfterStart(1) },
      { syncedAfter: secondsAfterStart(1) },
      { createdBefore: secondsAfterStart(1) },
      { data: { a: 'b' } },
    ];
    for (const filter of filters) {
      await expect(stores().read.list(ledger.name, filter, 2, cursor)).rejects.toMatchObject({ code: 'BAD_CURSOR' });
    }
    const other = { ...ledger.name, model: 'shop.order' };
    await expect(stores().read.list(other, {}, 2, cursor)).rejects.toMatchObject({ code: 'BAD_CURSOR' });
  });
}
