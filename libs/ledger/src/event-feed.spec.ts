import { randomUUID } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { BindingEventType } from '#domain';
import { NO_STREAM, START, type EventStore, type NewEvent } from '#event-store';
import { openEventStoreDb } from '#event-store/eventstoredb';
import { openSqliteEventStore } from '#event-store/sqlite';
import { eventStoreNode, type EventStoreNode } from '../../../test/support/eventstoredb-node.js';
import { UnknownEvent } from './chain.js';
import { EventFeed, type FeedBatch } from './event-feed.js';
import type { EventFilter } from './event-filter.js';
import { MAX_TAIL_EVENTS } from './event-tail.js';
import { FROM_START, Positions } from './positions.js';
import { StreamNames } from './streams.js';

const IDLE = { idleMs: 60_000 };
let streams: StreamNames;
let node: EventStoreNode | undefined;
let store: EventStore;
let feed: EventFeed;
let revisions: Map<string, number>;

const inMemory = () => openSqliteEventStore({ folder: ':memory:', appendIn: 'thread' });
const STORES: [string, () => Promise<EventStore>][] = [
  ['SQLite', inMemory],
  ['EventStoreDB', async () => openEventStoreDb({ url: (node as EventStoreNode).url })],
];
const typeDefined = () => ({ id: randomUUID(), type: 'BackendTypeDefined', data: {}, metadata: {} });

beforeAll(async () => {
  node = await eventStoreNode();
});
afterAll(() => node?.stop());
afterEach(async () => {
  vi.restoreAllMocks();
  feed.close();
  await store.close();
});

/** With a prefix of its own: a node keeps what tests before have left. */
async function open(openStore: () => Promise<EventStore>): Promise<void> {
  streams = new StreamNames(`${randomUUID()}-`);
  store = await openStore();
  feed = feedOf(store);
  revisions = new Map();
  await store.append(streams.types(), NO_STREAM, [typeDefined()]);
}

function feedOf(of: EventStore): EventFeed {
  const positions = new Positions(of, streams);
  return new EventFeed({ store: of, streams, positions, localModelOf: () => Promise.resolve('product') });
}

interface Made {
  type?: BindingEventType | 'LedgerOpened' | 'SomethingNew';
  data?: Record<string, string>;
  metadata?: Record<string, string>;
}

function eventOf(recordId: string, { type = 'BindingCreated', data = {}, metadata = {} }: Made = {}): NewEvent {
  return {
    id: randomUUID(),
    type,
    data: { bindingId: `b-${recordId}`, version: 1, recordId, externalId: null, state: 'pending', ...data },
    metadata: { schema: 1, at: '2026-01-01T00:00:00.000Z', actor: 'job', correlationId: 'c', hash: '', ...metadata },
  };
}

/** Appends to a ledger, such as `shop/shop.product`. */
async function append(ledger: string, ...events: NewEvent[]): Promise<void> {
  const expected = revisions.get(ledger) ?? NO_STREAM;
  const appended = await store.append(`${streams.prefix}ledger-${ledger}`, expected, events);
  expect(appended.ok).toBe(true);
  revisions.set(ledger, expected + events.length);
}

const records = (...ids: (string | number)[]) => ids.map((id) => eventOf(String(id)));
const idsOf = ({ events }: Pick<FeedBatch, 'events'>) => events.map(({ view }) => view.recordId);

/** Reads until `count` events came. */
async function take(from: string, count: number, filter: EventFilter = {}, of = feed): Promise<string[]> {
  const taken: string[] = [];
  const enough = new AbortController();
  for await (const batch of of.follow(from, filter, IDLE, enough.signal)) {
    taken.push(...idsOf(batch));
    if (taken.length >= count) enough.abort();
  }
  return taken;
}

describe.each(STORES)('following on %s', (_name, openStore) => {
  beforeEach(() => open(openStore));

  it('gives history, then what comes, with no gap and no repeat wherever a reader begins', async () => {
    const total = 600;
    const writing = (async () => {
      for (let next = 0; next < total; next += 3) {
        await append(next % 2 === 0 ? 'shop/shop.product' : 'shop-2/shop.product', ...records(next, next + 1, next + 2));
        await turn();
      }
    })();
    const readers: Promise<string[]>[] = [];
    for (let reader = 0; reader < 40; reader += 1) {
      readers.push(take(START, total));
      await turn();
    }
    await writing;
    const expected = Array.from({ length: total }, (_, index) => String(index));
    for (const reader of await Promise.all(readers)) expect(reader).toEqual(expected);
  });

  it('goes on by pages when the tail has dropped what a slow reader needs', async () => {
    const enough = new AbortController();
    const slow = feed.follow(START, {}, IDLE, enough.signal);
    await append('shop/shop.product', ...records('first'));
    expect(idsOf((await slow.next()).value as FeedBatch)).toEqual(['first']);
    const total = MAX_TAIL_EVENTS + 1_000;
    const quick = take(await store.endPosition(), total);
    for (let next = 0; next < total; next += 1_000) {
      await append('shop/shop.product', ...records(...Array.from({ length: Math.min(1_000, total - next) }, (_, i) => next + i)));
    }
    const pages = vi.spyOn(store, 'readAll');
    expect(await quick).toHaveLength(total);
    const taken: string[] = [];
    while (taken.length < total) taken.push(...idsOf((await slow.next()).value as FeedBatch));
    expect(taken).toEqual(Array.from({ length: total }, (_, index) => String(index)));
    expect(pages).toHaveBeenCalled();
    enough.abort();
    expect((await slow.next()).done).toBe(true);
  });

  it('shares one subscription to the store, and ends it with the last reader', async () => {
    const subscribe = vi.spyOn(store, 'subscribe');
    const readers = ['a', 'b', 'c'].map((id) => take(START, 1, { recordId: [id] }));
    await append('shop/shop.product', ...records('a', 'b', 'c'));
    expect(await Promise.all(readers)).toEqual([['a'], ['b'], ['c']]);
    expect(subscribe).toHaveBeenCalledTimes(1);
    expect(subscribe.mock.calls.map(([, signal]) => signal.aborted)).toEqual([true]);
    expect(await take(START, 3)).toEqual(['a', 'b', 'c']);
    expect(subscribe).toHaveBeenCalledTimes(2);
  });

  it('gives readers of everything the same events, not copies', async () => {
    const ended = new AbortController();
    const from = await store.endPosition();
    const [first, second] = [0, 1].map(() => feed.follow(from, {}, IDLE, ended.signal)) as [
      ReturnType<EventFeed['follow']>,
      ReturnType<EventFeed['follow']>,
    ];
    const pending = [first.next(), second.next()];
    for (let at = 0; at < 5; at += 1) await turn();
    await append('shop/shop.product', ...records('a'));
    const [one, other] = (await Promise.all(pending)).map(({ value }) => (value as FeedBatch).events);
    expect(one).toHaveLength(1);
    expect(one).toBe(other);
    ended.abort();
    await Promise.all([first.return(), second.return()]);
  });

  it('says where it is when nothing comes, and when only others come', async () => {
    const ended = new AbortController();
    const reader = feed.follow(START, { backend: ['shop-2'] }, { idleMs: 5 }, ended.signal);
    const idle = (await reader.next()).value as FeedBatch;
    expect(idle.events).toEqual([]);
    await append('shop/shop.product', ...records('a'));
    const end = await store.endPosition();
    let batch = idle;
    while (batch.position !== end) batch = (await reader.next()).value as FeedBatch;
    expect(batch.events).toEqual([]);
    ended.abort();
    expect((await reader.next()).done).toBe(true);
  });

  it('ends with an error of the store, and begins anew for the next reader', async () => {
    vi.spyOn(store, 'subscribe').mockImplementationOnce(() => {
      throw new Error('the disk is gone');
    });
    await expect(take(START, 1)).rejects.toThrow('the disk is gone');
    vi.spyOn(store, 'subscribe').mockImplementationOnce(async function* () {
      await turn();
      yield { events: [], position: START, caughtUp: true };
      throw new Error('the network is gone');
    });
    await expect(Promise.all([take(START, 1), take(START, 1)])).rejects.toThrow('the network is gone');
    await append('shop/shop.product', ...records('a'));
    expect(await take(START, 1)).toEqual(['a']);
  });

  it('ends when the store closes, and when the feed does', async () => {
    const all = [take(START, 1), take(START, 1)];
    await turn();
    await store.close();
    expect(await Promise.all(all)).toEqual([[], []]);
    feed.close();
    expect(await take(START, 1)).toEqual([]);
  });

  it('stops before an event that this version does not know, and skips it for nobody but who does not want its ledger', async () => {
    await append('shop/shop.product', ...records('a'), eventOf('b', { type: 'SomethingNew' }), ...records('c'));
    await append('shop-2/shop.product', ...records('d'));
    const seen: string[] = [];
    const reading = (async () => {
      for await (const batch of feed.follow(START, {}, IDLE, new AbortController().signal)) seen.push(...idsOf(batch));
    })();
    await expect(reading).rejects.toThrow(UnknownEvent);
    expect(seen).toEqual(['a']);
    expect(await take(START, 1, { backend: ['shop-2'] })).toEqual(['d']);
    const page = await feed.page(START, {}, 10);
    expect(idsOf(page)).toEqual(['a']);
    expect(page.end).toBe(false);
    await expect(feed.page(page.position, {}, 10)).rejects.toThrow(UnknownEvent);
  });
});

describe.each(STORES)('pages on %s', (_name, openStore) => {
  beforeEach(() => open(openStore));

  it('go through everything, of any size, and end where the store ends', async () => {
    for (let next = 0; next < 300; next += 1) await append(`shop-${next % 3}/shop.product`, ...records(next));
    await append('shop-0/shop.product', eventOf('-', { type: 'LedgerOpened' }));
    for (const limit of [7, 128, 1_000]) {
      const taken: string[] = [];
      let page = await feed.page(START, {}, limit);
      for (; !page.end; page = await feed.page(page.position, {}, limit)) {
        expect(page.events.length).toBeLessThanOrEqual(limit);
        taken.push(...idsOf(page));
      }
      taken.push(...idsOf(page));
      expect(taken).toEqual(Array.from({ length: 300 }, (_, index) => String(index)));
      expect(page.position).toBe(await store.endPosition());
    }
  });

  const created = (id: string, made: Made = {}) => eventOf(id, made);
  it.each<[string, EventFilter, string[]]>([
    ['nothing', {}, ['1', '2', '3', '4', '5']],
    ['a backend', { backend: ['shop'] }, ['1', '2', '5']],
    ['two backends', { backend: ['shop', 'shop-2'] }, ['1', '2', '3', '5']],
    ['a model', { model: ['shop.product'] }, ['1', '2', '3']],
    ['a model whose name another one begins with', { backend: ['shop'], model: ['shop.product'] }, ['1', '2']],
    ['a type', { type: ['BindingRemoved', 'BindingMoved'] }, ['2', '3']],
    ['a record, also the former one', { recordId: ['1', '3'] }, ['1', '3']],
    ['a former record', { recordId: ['old'] }, ['3']],
    ['a cause', { cause: ['missingInBackend'] }, ['2']],
    ['a direction', { direction: ['import'] }, ['4']],
    ['an actor', { actor: ['other'] }, ['5']],
    ['a correlation id', { correlationId: ['x', 'y'] }, ['1']],
    ['two members', { backend: ['shop'], type: ['BindingCreated'] }, ['1', '5']],
    ['what fits nothing', { backend: ['shop'], actor: ['nobody'] }, []],
    ['more streams than are told apart', { backend: Array.from({ length: 40 }, (_, i) => `shop-${i}`) }, ['3']],
  ])('filter by %s', async (_what, filter, expected) => {
    await append('shop/shop.product', created('1', { metadata: { correlationId: 'x' } }));
    await append('shop/shop.product', created('2', { type: 'BindingRemoved', data: { cause: 'missingInBackend' } }));
    await append('shop-2/shop.product', created('3', { type: 'BindingMoved', data: { previousRecordId: 'old' } }));
    await append('erp/erp.product', created('4', { metadata: { direction: 'import' } }));
    await append('shop/shop.product.category', created('5', { metadata: { actor: 'other' } }));
    const page = await feed.page(START, filter, 100);
    expect(idsOf(page)).toEqual(expected);
    expect(page.end).toBe(true);
    expect(await take(START, expected.length, filter)).toEqual(expected);
  });
});

describe.each(STORES)('positions on %s', (_name, openStore) => {
  beforeEach(() => open(openStore));

  it('are known again, and those of another store, made-up ones and later ones are not', async () => {
    const { positions } = feed;
    await append('shop/shop.product', ...records('a', 'b'));
    const publish = await positions.publisher();
    const end = await store.endPosition();
    const known = publish(end);
    expect(await positions.read(known)).toBe(end);
    expect(await positions.read(FROM_START)).toBe(START);
    const other = await inMemory();
    await other.append(streams.types(), NO_STREAM, [typeDefined()]);
    const foreign = (await new Positions(other, streams).publisher())(await other.endPosition());
    const later = publish('9'.repeat(end.length));
    for (const unknown of [foreign, later, '', '-', 'nonsense', end, `${known}0`, `${end}-`, known.toUpperCase() + 'X', '0']) {
      expect([unknown, await positions.read(unknown)]).toEqual([unknown, undefined]);
    }
    await other.close();
  });

  it('are all the start while there is no catalog', async () => {
    const empty = await inMemory();
    const positions = new Positions(empty, streams);
    expect((await positions.publisher())(await empty.endPosition())).toBe(FROM_START);
    expect(await positions.read('0000000000000001-0000000000')).toBeUndefined();
    await empty.close();
  });
});
