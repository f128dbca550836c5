/** What a writer does when its stores fail in the middle; that it decides right is for the model test. */
import { afterEach, expect, it } from 'vitest';
import type { LedgerRules } from '#domain';
import { EventStoreError, type EventStore, type NewEvent } from '#event-store';
import { openSqliteEventStore } from '#event-store/sqlite';
import type { DecisionKeys, ReadModel } from '#read-model';
import { openSqliteReadModel } from '#read-model/sqlite';
import { BindingLedger } from './binding-ledger.js';
import type { LedgerLimits } from './limits.js';
import { ProjectionProgress } from './progress.js';
import { StreamNames } from './streams.js';

const PRODUCTS = { backend: 'shop', model: 'shop.product' };
const RULES: LedgerRules = { localModel: 'product', cardinality: 'one', dataSchema: null, indexes: [] };
const CONTEXT = { actor: 'test', correlationId: 'c' };

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of opened.splice(0).toReversed()) await each.close();
});

async function openStores() {
  const store = await openSqliteEventStore({ folder: ':memory:' });
  const readModel = await openSqliteReadModel({ memory: true });
  opened.push(store, readModel);
  return { store, readModel };
}

function ledgerOver(stores: { store: EventStore; readModel: ReadModel }, limits: Partial<LedgerLimits> = {}): BindingLedger {
  const ledger = new BindingLedger({
    ...stores,
    limits,
    streams: new StreamNames(''),
    progress: new ProjectionProgress(stores.readModel),
    open: async () => ({ rules: RULES, backendRevision: 0, modelRevision: 0 }),
    check: async () => undefined,
    problemsOf: () => [],
  });
  opened.push(ledger);
  return ledger;
}

/** The store, but for what is replaced. */
function storeBut(store: EventStore, replaced: Partial<EventStore>): EventStore {
  return {
    append: (...of) => store.append(...of),
    readStream: (...of) => store.readStream(...of),
    headRevision: (...of) => store.headRevision(...of),
    endPosition: () => store.endPosition(),
    readAll: (...of) => store.readAll(...of),
    subscribe: (...of) => store.subscribe(...of),
    ping: () => store.ping(),
    close: () => store.close(),
    ...replaced,
  };
}

const bind = (ledger: BindingLedger, id: string) =>
  ledger.execute(PRODUCTS, { op: 'bind', recordId: id, externalId: id }, CONTEXT);

it('a head that cannot be confirmed while the next batch is decided is an answer, and no rejection that nobody handles', async () => {
  const { store, readModel } = await openStores();
  const down = async () => {
    throw new EventStoreError('UNAVAILABLE', 'the store is down');
  };
  let isDown = false;
  const ledger = ledgerOver({
    store: storeBut(store, { headRevision: (stream) => (isDown ? down() : store.headRevision(stream)) }),
    readModel,
  });
  await bind(ledger, '1');
  isDown = true;
  // So many that deciding them lets the event loop turn, which is when Node looks for unhandled rejections.
  const unbinds = (of: string) =>
    Array.from({ length: 300 }, (_, index) => ({
      command: { op: 'unbind' as const, recordId: `${of}${index}` },
      context: CONTEXT,
    }));
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => void unhandled.push(reason);
  process.on('unhandledRejection', note);
  try {
    const answers = await Promise.all(['a', 'b', 'c'].map((of) => ledger.executeAll(PRODUCTS, unbinds(of))));
    for (const answer of answers.flat()) expect(answer).toMatchObject({ refused: 'STORE_UNAVAILABLE' });
  } finally {
    process.off('unhandledRejection', note);
  }
  expect(unhandled).toEqual([]);
  isDown = false;
  expect(await bind(ledger, '2')).toMatchObject({ outcome: 'created' });
});

it('events that were read with a gap are read anew', async () => {
  const { store, readModel } = await openStores();
  let torn = false;
  const ledger = ledgerOver({
    store: storeBut(store, {
      readStream: async (...of) => {
        const page = await store.readStream(...of);
        if (!torn || page.length < 3) return page;
        torn = false;
        return page.toSpliced(1, 1);
      },
    }),
    readModel,
  });
  const other = ledgerOver({ store, readModel });
  await bind(ledger, '1');
  for (const id of ['2', '3', '4', '5']) await bind(other, id);
  torn = true;
  expect(await bind(ledger, '6')).toMatchObject({ outcome: 'created', revision: 6 });
  expect(torn).toBe(false);
});

it('a store that was emptied meanwhile is no other writer: nothing is written there any more, and it is said why', async () => {
  const { store, readModel } = await openStores();
  const { store: empty } = await openStores();
  let isEmpty = false;
  const now = () => (isEmpty ? empty : store);
  const changing = storeBut(store, {
    append: (...of) => now().append(...of),
    headRevision: (...of) => now().headRevision(...of),
  });
  const ledger = ledgerOver({ store: changing, readModel });
  await bind(ledger, '1');
  isEmpty = true;
  const refusal = { refused: 'STORE_UNAVAILABLE', detail: expect.stringContaining('ends at revision -1, and ended at 1 before') };
  expect(await bind(ledger, '2')).toMatchObject(refusal);
  expect(await bind(ledger, '3')).toMatchObject(refusal);
  expect(ledger.writerTroubles()).toEqual([{ ledger: PRODUCTS, reason: refusal.detail }]);
  expect(await empty.headRevision('ledger-shop/shop.product')).toBe(-1);
});

it('a store that does not say where a stream is when it refuses is asked, and the command is decided again', async () => {
  const { store, readModel } = await openStores();
  const append: EventStore['append'] = async (...of) => {
    const result = await store.append(...of);
    return result.ok ? result : { ok: false, actual: -1 };
  };
  const ledger = ledgerOver({ store: storeBut(store, { append }), readModel });
  const other = ledgerOver({ store, readModel });
  await bind(ledger, '1');
  await bind(other, '2');
  expect(await bind(ledger, '3')).toMatchObject({ outcome: 'created', revision: 3 });
});

it('a writer that followed its ledger from the first event asks nothing about keys that no event had', async () => {
  const { store, readModel } = await openStores();
  const asked: DecisionKeys[] = [];
  const read = readModel.readForDecision.bind(readModel);
  readModel.readForDecision = (name, keys) => {
    asked.push(keys);
    return read(name, keys);
  };
  const ledger = ledgerOver({ store, readModel });
  await bind(ledger, '1');
  asked.length = 0;
  for (const id of ['2', '3', '4']) expect(await bind(ledger, id)).toMatchObject({ outcome: 'created' });
  for (const keys of asked) expect([...keys.recordIds, ...keys.externalIds, ...keys.bindingIds]).toEqual([]);
  // What others wrote meanwhile is found out by the append, and then asked for.
  const other = ledgerOver({ store, readModel });
  await bind(other, '5');
  expect(await ledger.execute(PRODUCTS, { op: 'bind', recordId: 'x', externalId: '5' }, CONTEXT)).toMatchObject({
    refused: 'EXTERNAL_ID_TAKEN',
  });
  expect(asked.at(-1)).toMatchObject({ externalIds: ['5'] });
});

it('bulk groups wait for each other, and leave single commands the room that they may have', async () => {
  const ledger = ledgerOver(await openStores(), { queueCommands: 100, bulkCommands: 80, batchCommands: 50 });
  await bind(ledger, '0');
  const binds = (of: string, count: number) =>
    Array.from({ length: count }, (_, index) => ({
      command: { op: 'bind' as const, recordId: `${of}${index}` },
      context: CONTEXT,
    }));
  const chunks = ['a', 'b', 'c', 'd', 'e'].map((of) => ledger.executeAllInTurn(PRODUCTS, binds(of, 40)));
  // Turns pass in microtasks: two of the groups get into the queue, and the others wait for their turn.
  const depths: number[] = [];
  for (let turns = 0; turns < 200; turns += 1) {
    await Promise.resolve();
    depths.push(ledger.queueDepths()[0]?.commands ?? 0);
  }
  expect(Math.max(...depths)).toBe(80);
  const others = Array.from({ length: 20 }, (_, index) => bind(ledger, `other${index}`));
  for (const result of [...(await Promise.all(others)), ...(await Promise.all(chunks)).flat()])
    expect(result).toMatchObject({ outcome: 'created' });
  // More than the queue ever holds is refused, and not waited for.
  expect(await ledger.executeAllInTurn(PRODUCTS, binds('f', 101))).toHaveLength(101);
});

it('neither many single commands nor other bulk streams keep a bulk stream out', async () => {
  const ledger = ledgerOver(await openStores(), { queueCommands: 400, bulkCommands: 50, batchCommands: 20 });
  const binds = (of: string, count: number) =>
    Array.from({ length: count }, (_, index) => ({
      command: { op: 'bind' as const, recordId: `${of}${index}` },
      context: CONTEXT,
    }));
  let stop = false;
  const asLongAsAsked = async (work: (turn: number) => Promise<unknown>) => {
    for (let turn = 0; !stop; turn += 1) await work(turn);
  };
  // More single commands than a bulk stream may have are always waiting, and other streams always have some.
  const singles = Array.from({ length: 200 }, (_, client) =>
    asLongAsAsked((turn) => ledger.execute(PRODUCTS, { op: 'bind', recordId: `single${client}-${turn}` }, CONTEXT)),
  );
  const streams = ['a', 'b', 'c'].map((of) =>
    asLongAsAsked((turn) => ledger.executeAllInTurn(PRODUCTS, binds(`${of}${turn}-`, 20))),
  );
  expect(await ledger.executeAllInTurn(PRODUCTS, binds('chunk', 40))).toHaveLength(40);
  expect(await ledger.executeAllInTurn(PRODUCTS, binds('large', 100))).toHaveLength(100);
  stop = true;
  await Promise.all([...singles, ...streams]);
});

it('more single commands than the queue takes do not keep a bulk group out that is larger than a batch', async () => {
  const ledger = ledgerOver(await openStores(), { queueCommands: 200, batchCommands: 20 });
  let stop = false;
  const singles = Array.from({ length: 300 }, async (_, client) => {
    for (let turn = 0; !stop; turn += 1) {
      await ledger.execute(PRODUCTS, { op: 'bind', recordId: `single${client}-${turn}` }, CONTEXT);
      await new Promise((resolve) => setImmediate(resolve));
    }
  });
  const group = Array.from({ length: 60 }, (_, index) => ({
    command: { op: 'bind' as const, recordId: `bulk${index}` },
    context: CONTEXT,
  }));
  const results = await ledger.executeAllInTurn(PRODUCTS, group);
  stop = true;
  expect(results.map((result) => ('outcome' in result ? result.outcome : result.refused))).toEqual(group.map(() => 'created'));
  await Promise.all(singles);
});

it('a writer with a bulk group that has not had its turn yet is no idle one, and is closed with the others', async () => {
  const ledger = ledgerOver(await openStores(), { idleWriters: 1 });
  let settled = false;
  const bulk = ledger.executeAllInTurn(PRODUCTS, [{ command: { op: 'bind', recordId: 'r' }, context: CONTEXT }]);
  void bulk.then(() => (settled = true));
  const other = ledger.execute({ backend: 'other', model: 'shop.product' }, { op: 'bind', recordId: 'r' }, CONTEXT);
  await ledger.close();
  expect(settled).toBe(true);
  await Promise.all([bulk, other]);
});

it('an event of others that does not say which binding it is of is refused by name, and no error of this program', async () => {
  const stores = await openStores();
  const ledger = ledgerOver(stores);
  await bind(ledger, '1');
  const data = { version: 2, recordId: '1', externalId: '1', state: 'bound' };
  const metadata = { schema: 1, actor: 'other', at: '2026-01-01T00:00:00.000Z', hash: 'h', correlationId: 'c' };
  const append = (stream: string, after: number, values: object) =>
    stores.store.append(stream, after, [
      { id: crypto.randomUUID(), type: 'BindingDataChanged', data, metadata, ...values } as unknown as NewEvent,
    ]);
  await append('ledger-shop/shop.product', 1, {});
  for (const each of [ledger, ledgerOver(stores)]) {
    expect(await bind(each, '2')).toMatchObject({
      refused: 'STORE_UNAVAILABLE',
      detail: expect.stringContaining('ledger-shop/shop.product@2: a BindingDataChanged') as string,
    });
  }
  for (const [index, nothing] of [{ data: null }, { metadata: null }].entries()) {
    await append(`ledger-other${index}/shop.product`, -1, nothing);
    const name = { backend: `other${index}`, model: 'shop.product' };
    expect(await ledger.execute(name, { op: 'bind', recordId: 'r' }, CONTEXT)).toMatchObject({
      refused: 'STORE_UNAVAILABLE',
      detail: expect.stringContaining(`ledger-other${index}/shop.product@0: its data or metadata`) as string,
    });
  }
});
