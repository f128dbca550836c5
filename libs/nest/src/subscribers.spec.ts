import { Injectable, Module, Scope, type BeforeApplicationShutdown } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { afterEach, expect, test, vi } from 'vitest';
import { done, PRODUCTS, startLedgerApplication, type LedgerApplication } from '../../../test/support/ledger-application.js';
import { temporaryFolders } from '../../../test/support/temporary-folders.js';
import {
  BindCommand,
  BindingLedgerModule,
  BindingSubscriber,
  Subscribers,
  SyncCommand,
  UnbindCommand,
  type BindingEventView,
  type HandlerContext,
  type SubscriberDefinition,
} from './index.js';

const QUIET = { firstBackoffMs: 1, longestBackoffMs: 2, leaseMs: 2_000 } as const;
const newFolder = temporaryFolders();
const applications: LedgerApplication[] = [];

/** What all instances of `Stock` were given; a test that starts several applications sees them together. */
const given: { event: BindingEventView; context: HandlerContext }[] = [];
const poison = new Set<string>();
const closings: string[] = [];
const names = () => given.map(({ event }) => `${event.type} ${event.externalId}`);
afterEach(async () => {
  for (const { app } of applications.splice(0)) await app.close();
  given.splice(0);
  closings.splice(0);
  poison.clear();
});

@Injectable()
class Stock implements BeforeApplicationShutdown {
  private readonly open = { connection: true };

  @BindingSubscriber({
    name: 'stock',
    from: 'start',
    filter: { model: PRODUCTS.model, direction: ['import', 'export'] },
    attempts: 2,
    ...QUIET,
  })
  async onBinding(event: BindingEventView, context: HandlerContext): Promise<void> {
    if (event.externalId !== null && poison.has(event.externalId)) throw new Error(`no product ${event.externalId}`);
    expect(this.open.connection).toBe(true);
    given.push({ event, context });
  }

  @BindingSubscriber({ name: 'removals', from: 'start', filter: { type: 'BindingRemoved' }, ...QUIET })
  onRemoval({ externalId }: BindingEventView): void {
    closings.push(`removed ${externalId}`);
  }

  beforeApplicationShutdown(): void {
    this.open.connection = false;
    closings.push('connection closed');
  }
}

async function start(options: Parameters<typeof startLedgerApplication>[0] = {}): Promise<LedgerApplication> {
  const application = await startLedgerApplication({ imports: [moduleOf(Stock)], ...options });
  applications.push(application);
  return application;
}

function moduleOf(...providers: (new () => object)[]): typeof SomeModule {
  class SomeModule {}
  Module({ providers })(SomeModule);
  return SomeModule;
}
declare class SomeModule {}

async function bind({ commands }: LedgerApplication, externalId: string): Promise<void> {
  done(await commands.execute(new BindCommand(PRODUCTS, { recordId: `r-${externalId}`, externalId, direction: 'import' })));
}

const eventually = (check: () => void | Promise<void>) => vi.waitFor(check, { timeout: 20_000, interval: 5 });

test('methods of providers get the events that they want', async () => {
  const application = await start();
  await bind(application, 'A');
  done(await application.commands.execute(new SyncCommand(PRODUCTS, { externalId: 'A' })));
  await bind(application, 'B');
  done(await application.commands.execute(new UnbindCommand(PRODUCTS, { externalId: 'A' })));
  await eventually(() => expect(names()).toEqual(['BindingCreated A', 'BindingCreated B']));
  await eventually(() => expect(closings).toEqual(['removed A']));
  expect(given[0]?.event).toMatchObject({ ...PRODUCTS, localModel: 'product', actor: 'application', direction: 'import' });
  expect(given[0]?.context).toMatchObject({ subscriber: 'stock', attempt: 1 });
});

test('what is parked is replayed or skipped, and a subscriber begins anew, when the application says so', async () => {
  const application = await start();
  const subscribers = application.app.get(Subscribers);
  poison.add('A').add('B');
  for (const id of ['A', 'B', 'C']) await bind(application, id);
  await eventually(async () =>
    expect(await subscribers.show('stock')).toMatchObject({ parked: { events: 2 }, lag: { events: 0 } }),
  );
  expect(names()).toEqual(['BindingCreated C']);
  const parked = await subscribers.parked('stock');
  if (!Array.isArray(parked)) throw new Error('refused');
  const [a, b] = parked;
  if (a === undefined || b === undefined) throw new Error('two bindings are parked');
  expect([a.error, b.error]).toEqual(['no product A', 'no product B']);
  poison.clear();
  await subscribers.replayParked('stock', a);
  await eventually(() => expect(names()).toEqual(['BindingCreated C', 'BindingCreated A']));
  await subscribers.skip('stock', b, b.events[0]?.revision ?? -1);
  await eventually(async () => expect(await subscribers.show('stock')).toMatchObject({ parked: { events: 0 }, requests: [] }));
  await subscribers.reset('stock', 'start');
  await eventually(() => expect(names()).toHaveLength(5));
  expect(names().slice(2)).toEqual(['BindingCreated A', 'BindingCreated B', 'BindingCreated C']);
  expect((await subscribers.list()).map(({ name, state }) => [name, state])).toEqual([
    ['removals', 'running'],
    ['stock', 'running'],
  ]);
});

test('a restarted application goes on where it was; its handlers end before connections are closed', async () => {
  const options = { data: newFolder(), threads: 'none' } as const;
  const first = await start({ options });
  await bind(first, 'A');
  await first.app.close();
  // What was bound just before may have been handled or not, but never with a closed connection.
  expect(closings).toEqual(['connection closed']);
  applications.splice(0);
  const silent = await start({ options: { ...options, subscribers: false }, backends: [] });
  await bind(silent, 'B');
  await silent.app.close();
  expect(names().filter((name) => name.endsWith('B'))).toEqual([]);
  applications.splice(0);
  const second = await start({ options, backends: [] });
  await bind(second, 'C');
  await eventually(() => expect(names()).toEqual(['BindingCreated A', 'BindingCreated B', 'BindingCreated C']));
});

function subscriberNamed(name: string, more: Partial<SubscriberDefinition> = {}, scope = Scope.DEFAULT): new () => object {
  @Injectable({ scope })
  class Other {
    @BindingSubscriber({ name, from: 'now', ...more })
    handle(): void {}
  }
  return Other;
}

test.each<[string, (new () => object)[], RegExp]>([
  ['two of one name', [Stock, subscriberNamed('stock')], /two subscribers are named "stock": Stock\.onBinding and Other\.handle/],
  ['a name that is none', [subscriberNamed('Stock Service')], /subscriber "Stock Service": its name/],
  ['an option that it has not', [subscriberNamed('a', { retries: 3 } as never)], /it has no option retries/],
  ['a number that is none', [subscriberNamed('a', { attempts: 0 })], /attempts is a whole number from 1 on, not 0/],
  ['a filter by what it has not', [subscriberNamed('a', { filter: { colour: 'red' } as never })], /no member colour/],
  ['a filter by nothing', [subscriberNamed('a', { filter: { type: [] } })], /its filter's type is a text, or several/],
  [
    'a provider for each request',
    [subscriberNamed('a', {}, Scope.REQUEST)],
    /Other\.handle: a subscriber's provider is made once/,
  ],
  ['a transient provider', [subscriberNamed('a', {}, Scope.TRANSIENT)], /Other\.handle: a subscriber's provider is made once/],
])('with %s the application does not start', async (_what, providers, message) => {
  const root = BindingLedgerModule.forRoot({ data: ':memory:' });
  const module = await Test.createTestingModule({ imports: [root, moduleOf(...providers)] }).compile();
  await expect(module.init()).rejects.toThrow(message);
  await module.close();
});

test('a provider that is known by two names is one subscriber; so is an inherited method', async () => {
  class Special extends Stock {}
  class SpecialModule {}
  Module({ providers: [Special, { provide: 'stock', useExisting: Special }] })(SpecialModule);
  const application = await start({ imports: [SpecialModule] });
  await bind(application, 'A');
  await eventually(() => expect(names()).toEqual(['BindingCreated A']));
});

test('the decorator refuses what is no method, and to stand twice', () => {
  const decorate = BindingSubscriber({ name: 'a', from: 'now' });
  expect(() => decorate({}, 'value', {})).toThrow(TypeError);
  const descriptor = { value: () => undefined };
  decorate({}, 'method', descriptor);
  expect(() => decorate({}, 'method', descriptor)).toThrow(/stands twice at method/);
});
