/** What docs/guides/durable-subscribers.md tells, step by step. */
import type { INestApplicationContext } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { Test } from '@nestjs/testing';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import {
  BindCommand,
  BindingLedgerModule,
  DefineBackendTypeCommand,
  DefineModelCommand,
  DeleteRecordCommand,
  RegisterBackendCommand,
  Subscribers,
  UnbindCommand,
} from '#nest';
import { readCountries } from '../../apps/demo/src/world.js';
import { StockServiceModule } from '../../examples/stock-service/app.module.js';
import { Stock } from '../../examples/stock-service/stock.js';
import { STOCK_SERVICE } from '../../examples/stock-service/stock.subscriber.js';
import { done } from '../support/ledger-application.js';
import { temporaryFolders } from '../support/temporary-folders.js';

const SHOP = { backend: 'shop-eu', model: 'shop.country' };
const countries = readCountries().flatMap(({ recordId, codes }) =>
  codes['shop'] === undefined ? [] : [{ recordId, code: codes['shop'] }],
);
const newFolder = temporaryFolders();

let ledger: { data: string; threads: 'none' };
let stock: Stock;
let running: INestApplicationContext | undefined;

beforeEach(async () => {
  ledger = { data: newFolder(), threads: 'none' };
  stock = new Stock();
  await withShop(async (commands) => {
    done(await commands.execute(new DefineBackendTypeCommand({ type: 'shop' })));
    done(await commands.execute(new DefineModelCommand({ model: SHOP.model, backendType: 'shop', localModel: 'res.country' })));
    const location = 'https://shop.example';
    done(await commands.execute(new RegisterBackendCommand({ id: SHOP.backend, type: 'shop', location })));
    await sync(commands, countries, '2026-03-02T06:00:00Z');
  });
});
afterEach(stop);

async function start(imports: Parameters<typeof Test.createTestingModule>[0]['imports']): Promise<INestApplicationContext> {
  running = await Test.createTestingModule({ imports }).compile();
  return running.init();
}

async function stop(): Promise<void> {
  await running?.close();
  running = undefined;
}

/** The shop's own application: it writes, and has no subscriber. */
async function withShop(work: (commands: CommandBus) => Promise<void>): Promise<void> {
  const app = await start([BindingLedgerModule.forRoot({ ...ledger, actor: 'shop' })]);
  await work(app.get(CommandBus, { strict: false }));
  await stop();
}

async function sync(commands: CommandBus, some: typeof countries, syncDate: string): Promise<void> {
  const binds = some.map(({ recordId, code }) => new BindCommand(SHOP, { recordId, externalId: code, syncDate }));
  for (const answer of await Promise.all(binds.map((bind) => commands.execute(bind)))) done(answer);
}

async function startService(): Promise<Subscribers> {
  const app = await start([StockServiceModule.with(ledger, stock)]);
  return app.get(Subscribers);
}

const eventually = (check: () => Promise<void>) => vi.waitFor(check, { timeout: 20_000, interval: 10 });
const handled = (subscribers: Subscribers) =>
  eventually(async () => expect(await subscribers.show(STOCK_SERVICE)).toMatchObject({ lag: { events: 0 }, requests: [] }));

test('after two days down the stock service has everything that happened, once', async () => {
  await handled(await startService());
  expect(stock.openCountries()).toEqual(countries.map(({ code }) => code).toSorted());
  expect(stock.writes).toBe(countries.length);
  await stop();

  // Tuesday and Wednesday: the service is down, the shop is not.
  await withShop(async (commands) => {
    await sync(commands, countries.slice(0, 125), '2026-03-03T06:00:00Z');
    done(await commands.execute(new BindCommand(SHOP, { recordId: 'GBR', externalId: 'UK', ifBound: 'replace' })));
    done(await commands.execute(new UnbindCommand(SHOP, { externalId: 'AQ' })));
    done(await commands.execute(new DeleteRecordCommand({ localModel: 'res.country', recordId: 'UNK' })));
    await sync(commands, countries.slice(125, 130), '2026-03-04T06:00:00Z');
  });

  await handled(await startService());
  const gone = new Set(['GB', 'AQ', 'XK']);
  const expected = [...countries.map(({ code }) => code).filter((code) => !gone.has(code)), 'UK'];
  // A country that was synchronized again after it had left the shop would be there: none was.
  expect(stock.openCountries()).toEqual(expected.toSorted());
  expect(stock.writes).toBe(countries.length + 125 + 3 + 5);
});

test('a warehouse that is closed holds up its own country only, and in order', async () => {
  stock.closedWarehouses.add('FRA');
  const subscribers = await startService();
  await handled(subscribers);
  await stop();
  await withShop(async (commands) => {
    done(await commands.execute(new BindCommand(SHOP, { recordId: 'FRA', externalId: 'FX', ifBound: 'replace' })));
    done(await commands.execute(new UnbindCommand(SHOP, { externalId: 'AQ' })));
  });
  const again = await startService();
  await handled(again);
  expect(stock.openCountries()).not.toContain('AQ');
  expect(stock.openCountries()).not.toContain('FR');
  const parked = await again.parked(STOCK_SERVICE);
  expect(parked).toMatchObject([
    {
      recordId: 'FRA',
      error: 'the warehouse for FRA is closed',
      events: [{ type: 'BindingCreated' }, { type: 'ExternalIdReplaced' }],
    },
  ]);
  stock.closedWarehouses.clear();
  await again.replayParked(STOCK_SERVICE);
  await handled(again);
  expect(stock.openCountries()).toContain('FX');
  expect(await again.show(STOCK_SERVICE)).toMatchObject({ parked: { events: 0, bindings: 0 } });
});
