import { Inject, Injectable, Module, type OnModuleDestroy } from '@nestjs/common';
import { CommandBus, CqrsModule } from '@nestjs/cqrs';
import { Test } from '@nestjs/testing';
import { afterEach, expect, test } from 'vitest';
import { done, PRODUCTS, startLedgerApplication, type LedgerApplication } from '../../../test/support/ledger-application.js';
import { temporaryFolders } from '../../../test/support/temporary-folders.js';
import {
  BindCommand,
  Binder,
  BindingLedgerModule,
  binderToken,
  isRefusal,
  OPENED_LEDGER,
  ToInternalQuery,
  type BindingLedgerOptions,
  type OpenedLedger,
} from './index.js';

const newFolder = temporaryFolders();
let application: LedgerApplication | undefined;
afterEach(async () => {
  await application?.app.close();
  application = undefined;
});

@Injectable()
class Settings {
  readonly actor = 'from-settings';
}

@Module({ providers: [Settings], exports: [Settings] })
class SettingsModule {}

test('forRootAsync makes its options of what it injects', async () => {
  const root = BindingLedgerModule.forRootAsync({
    imports: [SettingsModule],
    inject: [Settings],
    useFactory: async ({ actor }: Settings) => ({ data: ':memory:', actor }),
  });
  application = await startLedgerApplication({ root });
  const { revision } = done(await application.commands.execute(new BindCommand(PRODUCTS, { recordId: 1, externalId: 'A' })));
  const { queries } = application.app.get<OpenedLedger>(OPENED_LEDGER);
  expect(await queries.events(PRODUCTS, { after: revision - 1, limit: 1 })).toMatchObject([{ actor: 'from-settings' }]);
});

function compile(...imports: ReturnType<typeof BindingLedgerModule.forRoot>[]) {
  return Test.createTestingModule({ imports }).compile();
}

test.each<[string, unknown, RegExp]>([
  ['no options', undefined, /BindingLedgerModule got no options/],
  ['an empty actor', { data: ':memory:', actor: '' }, /the actor is empty/],
  ['one store of two', { eventStoreUrl: 'esdb://localhost' }, /EVENTSTORE_URL is set but MONGODB_URL is not/],
  ['a key that is none', { data: ':memory:', secretKey: 'secret' }, /key/i],
])('with %s it does not start, and says why', async (_what, options, message) => {
  await expect(compile(BindingLedgerModule.forRoot(options as BindingLedgerOptions))).rejects.toThrow(message);
  const root = BindingLedgerModule.forRootAsync({ useFactory: () => options as BindingLedgerOptions });
  await expect(compile(root)).rejects.toThrow(message);
});

test('one ledger serves the whole application', async () => {
  const roots = [BindingLedgerModule.forRoot({ data: ':memory:' }), BindingLedgerModule.forRoot({ data: ':memory:' })];
  await expect(compile(...roots)).rejects.toThrow(/imported more than once/);
});

test('a binder that no module provides is missing at the start', async () => {
  application = await startLedgerApplication();
  expect(() => application?.app.get<Binder>(binderToken(PRODUCTS.model, PRODUCTS.backend), { strict: false })).toThrow(
    /Binder\(shop-1\/shop.product\)/,
  );
});

test('buses of an application that has its own CqrsModule know the commands too', async () => {
  application = await startLedgerApplication({ imports: [CqrsModule.forRoot()] });
  const buses = [...new Set(application.app.get(CommandBus, { strict: false, each: true }))];
  expect(buses.length).toBeGreaterThan(1);
  for (const [index, bus] of buses.entries()) {
    const command = new BindCommand(PRODUCTS, { recordId: index, externalId: `bus-${index}` });
    expect(done(await bus.execute(command)).outcome).toBe('created');
  }
});

/** A job that goes on writing when the application is told to end. */
@Injectable()
class LateJob implements OnModuleDestroy {
  readonly results: Promise<object>[] = [];

  constructor(@Inject(CommandBus) private readonly commands: CommandBus) {}

  bind(externalId: string): void {
    this.results.push(this.commands.execute(new BindCommand(PRODUCTS, { recordId: externalId, externalId })));
  }

  onModuleDestroy(): void {
    for (let index = 0; index < 100; index += 1) this.bind(`late-${index}`);
  }
}

test('shutdown finishes the commands that were accepted, then closes', async () => {
  const options: BindingLedgerOptions = { data: newFolder(), threads: 'none' };
  const first = await startLedgerApplication({ options, imports: [{ module: class JobModule {}, providers: [LateJob] }] });
  const job = first.app.get(LateJob, { strict: false });
  for (let index = 0; index < 100; index += 1) job.bind(`early-${index}`);
  await first.app.close();
  expect((await Promise.all(job.results)).filter((result) => isRefusal(result))).toEqual([]);
  expect(job.results).toHaveLength(200);
  const late = await first.commands.execute(new BindCommand(PRODUCTS, { recordId: 'after', externalId: 'after' }));
  expect(late).toMatchObject({ refused: 'BUSY' });
  const query = await first.queries.execute(new ToInternalQuery(PRODUCTS, 'early-1'));
  expect(query).toMatchObject({ refused: 'STORE_UNAVAILABLE' });

  const again = await Test.createTestingModule({ imports: [BindingLedgerModule.forRoot(options)] }).compile();
  const { queries } = again.get<OpenedLedger>(OPENED_LEDGER);
  expect(await queries.status(PRODUCTS, { atLeast: 'head' })).toMatchObject({ live: 200 });
  await again.close();
});

test('a folder that another ledger has is refused, and is free after shutdown', async () => {
  const options: BindingLedgerOptions = { data: newFolder(), threads: 'none' };
  const holder = await compile(BindingLedgerModule.forRoot(options));
  await expect(compile(BindingLedgerModule.forRoot(options))).rejects.toThrow(/in use|another/i);
  await holder.close();
  await (await compile(BindingLedgerModule.forRoot(options))).close();
});
