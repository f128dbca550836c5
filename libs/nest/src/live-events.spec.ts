import { firstValueFrom, take, toArray, type Subscription } from 'rxjs';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { EventStoreError } from '#event-store';
import { done, PRODUCTS, startLedgerApplication, type LedgerApplication } from '../../../test/support/ledger-application.js';
import {
  BindCommand,
  LedgerEvents,
  oneAtATime,
  OPENED_LEDGER,
  ReactionTooSlow,
  SyncCommand,
  UnbindCommand,
  type LiveEvent,
  type LiveFilter,
  type OpenedLedger,
} from './index.js';

let application: LedgerApplication;
let events: LedgerEvents;
let opened: OpenedLedger;

beforeEach(async () => {
  application = await startLedgerApplication({ backends: ['shop-1', 'shop-2'] });
  events = application.app.get(LedgerEvents);
  opened = application.app.get<OpenedLedger>(OPENED_LEDGER);
});
afterEach(async () => {
  vi.restoreAllMocks();
  await application.app.close();
});

async function bind(externalId: string, backend = PRODUCTS.backend): Promise<number> {
  const command = new BindCommand({ ...PRODUCTS, backend }, { recordId: externalId, externalId });
  return done(await application.commands.execute(command)).revision;
}

const eventually = (check: () => void) => vi.waitFor(check, { timeout: 10_000, interval: 5 });

/** What a subscriber was given, and how it ended. */
class Seen {
  readonly events: LiveEvent[] = [];
  readonly ends: unknown[] = [];
  subscription: Subscription | undefined;

  static async live(filter?: LiveFilter): Promise<Seen> {
    const seen = new Seen();
    seen.subscription = events.live(filter).subscribe({
      next: (event) => seen.events.push(event),
      error: (error: unknown) => seen.ends.push(error),
      complete: () => seen.ends.push('complete'),
    });
    await events.listening();
    return seen;
  }

  get ids(): (string | null)[] {
    return this.events.map(({ externalId }) => externalId);
  }
}

test('events come as they are recorded, in order, and only those recorded from then on', async () => {
  await bind('before');
  const seen = await Seen.live();
  const ids = Array.from({ length: 50 }, (_, index) => `id-${index}`);
  await Promise.all(ids.map((id) => bind(id)));
  await eventually(() => expect(seen.events).toHaveLength(50));
  expect(seen.ids).toEqual(ids);
  expect(seen.events.map(({ revision }) => revision)).toEqual(ids.map((_, index) => index + 2));
  expect(seen.events[0]).toMatchObject({
    type: 'BindingCreated',
    backend: 'shop-1',
    model: 'shop.product',
    localModel: 'product',
    recordId: 'id-0',
    state: 'bound',
    version: 1,
    actor: 'application',
    position: expect.stringMatching(/./),
  });
  expect(seen.ends).toEqual([]);
});

test('the first event of a new ledger comes too, and its opening is no event of a binding', async () => {
  const seen = await Seen.live();
  await bind('first', 'shop-2');
  await eventually(() => expect(seen.events).toHaveLength(1));
  expect(seen.events).toMatchObject([{ backend: 'shop-2', revision: 1, localModel: 'product' }]);
});

test('filters', async () => {
  const [second, removed, none] = [
    await Seen.live({ backend: 'shop-2', model: ['shop.product', 'other'] }),
    await Seen.live({ type: ['BindingRemoved', 'SyncDateUpdated'] }),
    await Seen.live({ model: 'other' }),
  ];
  await bind('A');
  await bind('B', 'shop-2');
  done(await application.commands.execute(new SyncCommand(PRODUCTS, { externalId: 'A' })));
  done(await application.commands.execute(new UnbindCommand(PRODUCTS, { externalId: 'A', cause: 'missingInBackend' })));
  await eventually(() =>
    expect(removed.events.map(({ type, cause }) => [type, cause])).toEqual([
      ['SyncDateUpdated', undefined],
      ['BindingRemoved', 'missingInBackend'],
    ]),
  );
  expect([second.ids, none.ids]).toEqual([['B'], []]);
});

test('all subscribers share one subscription to the store, which ends with the last of them', async () => {
  const subscribe = vi.spyOn(opened.store, 'subscribe');
  const [first, second] = [await Seen.live(), await Seen.live()];
  expect(subscribe).toHaveBeenCalledTimes(1);
  const signal = subscribe.mock.calls[0]?.[1] as AbortSignal;
  first.subscription?.unsubscribe();
  expect(signal.aborted).toBe(false);
  await bind('A');
  await eventually(() => expect(second.ids).toEqual(['A']));
  expect(first.events).toEqual([]);
  second.subscription?.unsubscribe();
  expect(signal.aborted).toBe(true);
  await bind('unseen');
  const third = await Seen.live();
  await bind('B');
  await eventually(() => expect(third.ids).toEqual(['B']));
  expect(subscribe).toHaveBeenCalledTimes(2);
});

test('whoever has enough leaves in the middle', async () => {
  const two = firstValueFrom(events.live().pipe(take(2), toArray()));
  await events.listening();
  await Promise.all(['A', 'B', 'C'].map((id) => bind(id)));
  expect((await two).map(({ externalId }) => externalId)).toEqual(['A', 'B']);
});

test('at shutdown the observables complete, also for those who come later', async () => {
  const seen = await Seen.live();
  await application.app.close();
  expect(seen.ends).toEqual(['complete']);
  expect((await Seen.live()).ends).toEqual(['complete']);
});

test('when the store fails, subscribers get its error, and may subscribe anew', async () => {
  const broken = new EventStoreError('UNAVAILABLE', 'the disk is gone');
  vi.spyOn(opened.store, 'endPosition').mockRejectedValueOnce(broken);
  const seen = await Seen.live();
  await eventually(() => expect(seen.ends).toEqual([broken]));
  const again = await Seen.live();
  await bind('A');
  await eventually(() => expect(again.ids).toEqual(['A']));
});

test('a slow reaction gets one event after the other; one that is too slow is cut off alone', async () => {
  const errors: unknown[] = [];
  const others = await Seen.live();
  const never = () => new Promise<void>(() => undefined);
  events
    .live()
    .pipe(oneAtATime(never, { maxWaiting: 3 }))
    .subscribe({ error: (error: unknown) => errors.push(error) });
  for (const id of ['A', 'B', 'C', 'D', 'E']) await bind(id);
  await eventually(() => expect(others.ids).toEqual(['A', 'B', 'C', 'D', 'E']));
  expect(errors).toEqual([expect.any(ReactionTooSlow)]);
  expect(others.ends).toEqual([]);
});

describe('from a position', () => {
  async function collect(position: string, count: number, wanted?: LiveFilter): Promise<LiveEvent[]> {
    const seen: LiveEvent[] = [];
    for await (const event of events.from(position, wanted)) if (seen.push(event) === count) break;
    return seen;
  }

  test('there is history, then what comes, and a slow reaction is waited for', async () => {
    await bind('A');
    await bind('B', 'shop-2');
    const seen: LiveEvent[] = [];
    for await (const event of events.from('start')) {
      seen.push(event);
      if (seen.length === 2) await Promise.all(['C', 'D', 'E'].map((id) => bind(id)));
      await new Promise((resolve) => setImmediate(resolve));
      if (seen.length === 5) break;
    }
    expect(seen.map(({ externalId }) => externalId)).toEqual(['A', 'B', 'C', 'D', 'E']);
    const after = await collect((seen[2] as LiveEvent).position, 2);
    expect(after.map(({ externalId }) => externalId)).toEqual(['D', 'E']);
    expect(await collect('start', 1, { backend: 'shop-2' })).toMatchObject([{ externalId: 'B' }]);
    const live = await Seen.live();
    await bind('F');
    await eventually(() => expect(live.ids).toEqual(['F']));
    const [last] = await collect((after[1] as LiveEvent).position, 1);
    expect(last).toEqual(live.events[0]);
  });

  test('one that is not of this store is refused; at shutdown, and when its signal aborts, the loop ends', async () => {
    await expect(collect('nowhere', 1)).rejects.toThrow(RangeError);
    const ended = new AbortController();
    const loops = [events.from('start', {}, ended.signal).next(), events.from('start').next()];
    await bind('A');
    await Promise.all(loops);
    const waiting = [
      events.from('start', { model: 'none' }, ended.signal).next(),
      events.from('start', { model: 'none' }).next(),
    ];
    ended.abort();
    expect((await waiting[0])?.done).toBe(true);
    await application.app.close();
    expect((await waiting[1])?.done).toBe(true);
  });
});
