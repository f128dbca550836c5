/** Which writers a process keeps, and what their answers need when no store can be reached any more. */
import { afterEach, expect, it, vi } from 'vitest';
import type { LedgerRules } from '#domain';
import { EventStoreError, type EventStore } from '#event-store';
import { openSqliteEventStore } from '#event-store/sqlite';
import { openSqliteReadModel } from '#read-model/sqlite';
import { BindingLedger } from './binding-ledger.js';
import type { LedgerLimits } from './limits.js';
import { ProjectionProgress } from './progress.js';
import { StreamNames } from './streams.js';

const RULES: LedgerRules = { localModel: 'product', cardinality: 'one', dataSchema: null, indexes: [] };
const CONTEXT = { actor: 'test', correlationId: 'c' };

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of opened.splice(0).toReversed()) await each.close();
});

async function open(limits: Partial<LedgerLimits>, fault: { in?: keyof EventStore; call?: () => never | Promise<unknown> } = {}) {
  const real = await openSqliteEventStore({ folder: ':memory:' });
  const readModel = await openSqliteReadModel({ memory: true });
  const store = new Proxy(real, {
    get: (target, name) => {
      if (name === fault.in && fault.call !== undefined) return fault.call;
      const member: unknown = Reflect.get(target, name);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
  const ledger = new BindingLedger({
    store,
    readModel,
    limits,
    streams: new StreamNames(''),
    progress: new ProjectionProgress(readModel),
    open: async () => ({ rules: RULES, backendRevision: 0, modelRevision: 0 }),
    check: async () => undefined,
    problemsOf: () => [],
  });
  opened.push(real, readModel, ledger);
  return ledger;
}

const bind = (ledger: BindingLedger, model: string, id: string) =>
  ledger.execute({ backend: 'shop', model }, { op: 'bind', recordId: id, externalId: id }, CONTEXT);
const writersOf = (ledger: BindingLedger) => ledger.queueDepths().map((each) => each.ledger.model);

it('an idle writer is given up after a while, and its ledger goes on from where it is', async () => {
  const ledger = await open({ idleWriterMs: 20 });
  for (const id of ['1', '2', '3']) await bind(ledger, 'shop.product', id);
  expect(writersOf(ledger)).toEqual(['shop.product']);
  await vi.waitFor(() => expect(writersOf(ledger)).toEqual([]), { timeout: 10_000 });
  expect(await bind(ledger, 'shop.product', '1')).toMatchObject({ outcome: 'synced' });
  expect(await bind(ledger, 'shop.product', '4')).toMatchObject({ outcome: 'created', revision: 5 });
});

it('no more idle writers are kept than the limit says', async () => {
  const ledger = await open({ idleWriters: 3 });
  for (let index = 0; index < 20; index += 1) {
    expect(await bind(ledger, `shop.m${index}`, '1')).toMatchObject({ outcome: 'created' });
    expect(writersOf(ledger).length).toBeLessThanOrEqual(3);
  }
});

it('a writer that stopped is kept, however long it is idle and however many others there are', async () => {
  const fault: { in?: keyof EventStore; call?: () => Promise<unknown> } = {};
  const ledger = await open({ idleWriterMs: 10, idleWriters: 2 }, fault);
  await bind(ledger, 'shop.product', '1');
  Object.assign(fault, { in: 'append', call: async () => ({ ok: true, revision: 0, position: '0' }) });
  expect(await bind(ledger, 'shop.product', '2')).toMatchObject({ refused: 'STORE_UNAVAILABLE' });
  delete fault.in;
  for (let index = 0; index < 10; index += 1) await bind(ledger, `shop.m${index}`, '1');
  await vi.waitFor(() => expect(writersOf(ledger)).toEqual(['shop.product']), { timeout: 10_000 });
  expect(ledger.writerTroubles()).toMatchObject([
    { ledger: { model: 'shop.product' }, reason: expect.stringContaining('deleted') },
  ]);
  expect(await bind(ledger, 'shop.product', '3')).toMatchObject({ refused: 'STORE_UNAVAILABLE' });
});

it('what was written is answered as written, although the store cannot be read any more', async () => {
  const fault: { in?: keyof EventStore; call?: () => never } = {};
  const ledger = await open({}, fault);
  const down = (): never => {
    throw new EventStoreError('UNAVAILABLE', 'the store is down');
  };
  const done = bind(ledger, 'shop.product', '1');
  // What the answer itself would read, once its events are there.
  ledger.queries.localModelOf = async () => down();
  expect(await done).toMatchObject({ outcome: 'created', binding: { localModel: 'product', recordId: '1' } });
  Object.assign(fault, { in: 'headRevision', call: down });
  expect(await bind(ledger, 'shop.product', '2')).toMatchObject({ outcome: 'created', binding: { localModel: 'product' } });
});
