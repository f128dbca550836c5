/** A projector whose read model takes many batches together. */
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { LedgerEvent, LedgerName } from '#domain';
import type { EventStore } from '#event-store';
import { openSqliteEventStore } from '#event-store/sqlite';
import { ReadModelError, type ReadModel } from '#read-model';
import { openSqliteReadModel } from '#read-model/sqlite';
import { temporaryFolders } from '../../../test/support/temporary-folders.js';
import { chainEvent, metadataOf, toNewEvent } from './chain.js';
import { Projector, type ProjectionTrouble } from './projector.js';
import { StreamNames } from './streams.js';

const newFolder = temporaryFolders();
const streams = new StreamNames('');
const [SHOP, CARRIER] = ['shop', 'carrier'].map((backend) => ({ backend, model: 'product' })) as [LedgerName, LedgerName];
/** More than are folded at a time, and fewer than one transaction has. */
const EVENTS = 2_000;
const AT = '2026-03-03T09:00:00.000Z';

let store: EventStore;
let write: ReadModel;
let read: ReadModel;
let ended: AbortController;
let running: Promise<void>;
const announced: { backend: string; checkpoint: number; seen: Promise<number | undefined> }[] = [];
const troubles: ProjectionTrouble[] = [];
let rests = 0;

beforeEach(async () => {
  const folder = newFolder();
  store = await openSqliteEventStore({ folder: ':memory:' });
  write = await openSqliteReadModel({ folder });
  read = await openSqliteReadModel({ folder });
  ended = new AbortController();
  running = Promise.resolve();
  announced.length = troubles.length = rests = 0;
});

afterEach(async () => {
  vi.restoreAllMocks();
  ended.abort();
  await running;
  await read.close();
  await write.close();
  await store.close();
});

function created(number: number): LedgerEvent {
  const [bindingId, recordId, externalId] = [`b${number}`, `r${number}`, `e${number}`];
  return {
    type: 'BindingCreated',
    data: { bindingId, data: {}, externalId, recordId, state: 'bound', syncDate: null, version: 1 },
  };
}

const metadata = metadataOf({ actor: 'tester', correlationId: 'c' }, AT);

/** Appends bindings to the end of a ledger. */
async function bind(
  ledger: LedgerName,
  count: number,
  changed = (event: LedgerEvent, _: number): LedgerEvent => event,
  together = 500,
): Promise<void> {
  const stream = streams.ledger(ledger);
  const head = await store.headRevision(stream);
  const events = Array.from({ length: count }, (_, index) => {
    const revision = head + 1 + index;
    return toNewEvent(chainEvent('', revision, randomUUID(), changed(created(revision), revision), metadata));
  });
  for (let start = 0; start < count; start += together) {
    const result = await store.append(stream, head + start, events.slice(start, start + together));
    expect(result.ok).toBe(true);
  }
}

function newProjector(projectCatalog = async (): Promise<void> => undefined): Projector {
  return new Projector({
    store,
    readModel: write,
    streams,
    projectCatalog,
    applied: ({ backend }, checkpoint) =>
      void announced.push({
        backend,
        checkpoint,
        seen: read.ledgerDocument({ backend, model: 'product' }).then((found) => found?.checkpoint),
      }),
    troubled: (trouble) => troubles.push(trouble),
    clock: () => Date.parse(AT),
    sleep: async () => undefined,
    maxEvents: 8_192,
    rest: async () => void (rests += 1),
  });
}

function start(projectCatalog?: () => Promise<void>): Projector {
  const projector = newProjector(projectCatalog);
  running = projector.run(ended.signal);
  return projector;
}

const checkpointOf = async (ledger: LedgerName) => (await read.ledgerDocument(ledger))?.checkpoint;
const counted = async (ledger: LedgerName) => (await read.ledgerDocument(ledger))?.state.counts.bound;
const reaches = (ledger: LedgerName, checkpoint: number) =>
  vi.waitFor(async () => expect(await checkpointOf(ledger)).toBe(checkpoint), { timeout: 20_000 });

it('applies what is there together, and announces it when others see it', async () => {
  await bind(SHOP, EVENTS);
  await bind(CARRIER, 10);
  const [applyAll, apply] = [vi.spyOn(write, 'applyAll'), vi.spyOn(write, 'apply')];
  start();
  await reaches(CARRIER, 9);
  await vi.waitFor(() => expect(announced).toHaveLength(2));
  expect(apply).not.toHaveBeenCalled();
  expect(applyAll).toHaveBeenCalledTimes(1);
  // What is folded at a time is little.
  expect(applyAll.mock.calls[0]?.[0].length).toBeGreaterThanOrEqual(4);
  for (const { checkpoint, seen } of announced) expect(await seen).toBe(checkpoint);
  expect(announced.map(({ backend, checkpoint }) => [backend, checkpoint])).toEqual([
    ['shop', EVENTS - 1],
    ['carrier', 9],
  ]);
  await vi.waitFor(async () => expect(await read.position()).toBe(await store.endPosition()));
});

it('applies no more together than it may, of events or of characters', async () => {
  await bind(SHOP, 20_000);
  const large = { text: 'x'.repeat(50_000) };
  await bind(CARRIER, 600, (event) => ({ ...event, data: { ...event.data, data: large } }) as LedgerEvent, 15);
  const applyAll = vi.spyOn(write, 'applyAll');
  start();
  await reaches(CARRIER, 599);
  const events = applyAll.mock.calls.map(([batches]) => batches.reduce((sum, { after, to }) => sum + to - after, 0));
  expect(Math.max(...events)).toBeLessThanOrEqual(8_192 + 512);
  const carriers = applyAll.mock.calls.filter(([batches]) => batches.some(({ ledger }) => ledger.backend === CARRIER.backend));
  // Sixteen million characters are about 330 of them.
  expect(carriers.length).toBeGreaterThanOrEqual(2);
  // It rests when there is nothing left, and not before.
  expect(rests).toBeLessThan(applyAll.mock.calls.length);
});

it('applies all of it anew when that is not possible at first', async () => {
  await bind(SHOP, EVENTS);
  vi.spyOn(write, 'applyAll').mockRejectedValueOnce(new ReadModelError('UNAVAILABLE', 'the disk is full'));
  start();
  await reaches(SHOP, EVENTS - 1);
  expect(await counted(SHOP)).toBe(EVENTS);
  expect((await read.findByRecordIds(SHOP, ['r0', `r${EVENTS - 1}`])).bindings).toHaveLength(2);
  await vi.waitFor(() => expect(announced.at(-1)?.checkpoint).toBe(EVENTS - 1));
});

it('applies what it is given again when that failed the first time', async () => {
  await bind(SHOP, 10);
  const events = await store.readStream(streams.ledger(SHOP), { after: -1, limit: 10 });
  vi.spyOn(write, 'applyAll').mockRejectedValueOnce(new ReadModelError('UNAVAILABLE', 'the disk is full'));
  const projector = newProjector();
  await expect(projector.project(events)).rejects.toThrow('the disk is full');
  expect(await checkpointOf(SHOP)).toBe(-1);
  await projector.project(events);
  expect([await checkpointOf(SHOP), await counted(SHOP)]).toEqual([9, 10]);
});

it('reads from the stream what the read model has not, when another projector was there', async () => {
  await bind(SHOP, EVENTS);
  vi.spyOn(write, 'applyAll').mockImplementationOnce(async (batches) => batches.map(() => 'superseded'));
  start();
  await reaches(SHOP, EVENTS - 1);
  expect(await counted(SHOP)).toBe(EVENTS);
  await bind(SHOP, 10);
  await reaches(SHOP, EVENTS + 9);
});

it('applies what came before an event of the catalog before that', async () => {
  await bind(SHOP, 1_000);
  const stream = streams.types();
  await store.append(stream, -1, [{ id: randomUUID(), type: 'BackendTypeDefined', data: {}, metadata: {} }]);
  let checkpoint: number | undefined;
  start(async () => void (checkpoint = await checkpointOf(SHOP)));
  // What came with it is not before it.
  await vi.waitFor(() => expect(checkpoint).toBe(511));
});

it('stops the ledger that cannot be applied, and applies what came before it and all of the others', async () => {
  const poisoned = 1_500;
  await bind(CARRIER, 10);
  // A change of the first binding, and then one of a binding that nobody created.
  await bind(SHOP, EVENTS, (event, revision) => {
    if (revision !== poisoned && revision !== poisoned - 1) return event;
    const bindingId = revision === poisoned ? 'none' : 'b0';
    const data = { bindingId, recordId: 'r0', externalId: 'e0', state: 'bound' as const, syncDate: AT, version: 2 };
    return { type: 'SyncDateUpdated', data };
  });
  await bind(CARRIER, 10);
  const projector = start();
  await reaches(CARRIER, 19);
  expect(projector.troubles).toMatchObject([{ ledger: SHOP, reason: expect.stringContaining('none is not there') as string }]);
  const checkpoint = (await checkpointOf(SHOP)) as number;
  // All but those that were folded with it: as many for each of the ledgers that came together.
  expect([checkpoint < poisoned, checkpoint > poisoned - 1_025]).toEqual([true, true]);
  expect(await counted(SHOP)).toBe(checkpoint + 1);
  expect((await read.findByRecordIds(SHOP, ['r0'])).bindings).toMatchObject([{ version: 1 }]);
});

it('announces what it applied alone, also when the stores fail behind it', async () => {
  await bind(SHOP, 10);
  await bind(CARRIER, 1, (event) => ({ ...event, type: 'SyncDateUpdated', data: { ...event.data, version: 2 } }) as LedgerEvent);
  const late = { ...SHOP, backend: 'late' };
  await bind(late, 1);
  const apply = write.apply.bind(write);
  let failed = false;
  vi.spyOn(write, 'apply').mockImplementation(async (batch) => {
    if (failed || batch.ledger.backend !== late.backend) return apply(batch);
    failed = true;
    throw new ReadModelError('UNAVAILABLE', 'it is locked');
  });
  start();
  await reaches(late, 0);
  expect(failed).toBe(true);
  await vi.waitFor(() => expect(announced.map(({ backend }) => backend)).toEqual(['shop', 'late']));
});

it('saves how far it is while it passes over what others wrote', async () => {
  await bind(SHOP, 1);
  const others = Array.from({ length: 1_000 }, () => ({ id: randomUUID(), type: 'Other', data: {}, metadata: {} }));
  for (let start = 0; start < 300_000; start += 1_000) await store.append('others', start - 1, others);
  const [save, applyAll] = [vi.spyOn(write, 'savePosition'), vi.spyOn(write, 'applyAll')];
  start();
  const end = await store.endPosition();
  await vi.waitFor(async () => expect(await read.position()).toBe(end), { timeout: 20_000 });
  expect(save.mock.calls.length).toBeGreaterThan(10);
  expect(applyAll).toHaveBeenCalledTimes(1);
});

it('stops each ledger that cannot be applied, however much came between them, and keeps all others up', async () => {
  const poisoned = (event: LedgerEvent) =>
    ({ ...event, type: 'SyncDateUpdated', data: { ...event.data, version: 2 } }) as LedgerEvent;
  await bind(SHOP, 1, poisoned);
  await bind(CARRIER, 20_000);
  const projector = start();
  await reaches(CARRIER, 19_999);
  const [second, fourth] = [
    { ...SHOP, backend: 'second' },
    { ...SHOP, backend: 'fourth' },
  ];
  await bind(second, 1, poisoned);
  await bind(fourth, 1);
  await reaches(fourth, 0);
  expect(projector.troubles.map(({ ledger }) => ledger?.backend)).toEqual(['shop', 'second']);
  // A repaired program finds the first of them again.
  expect(await read.position()).toBe('');
});

it('applies all that comes before an event of an unknown type, and stops there', async () => {
  await bind(SHOP, EVENTS);
  await bind(CARRIER, 1, () => ({ type: 'Unheard', data: {} }) as unknown as LedgerEvent);
  start();
  await running;
  expect(troubles).toMatchObject([{ reason: expect.stringContaining('Unheard') as string }]);
  const checkpoint = (await checkpointOf(SHOP)) as number;
  expect(checkpoint).toBeGreaterThan(EVENTS - 1 - 513);
  expect(await counted(SHOP)).toBe(checkpoint + 1);
});
