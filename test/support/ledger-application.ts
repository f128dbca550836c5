import type { DynamicModule, INestApplicationContext, Type } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { Test } from '@nestjs/testing';
import { isRefusal, type DefineBindingModel } from '#domain';
import {
  BindingLedgerModule,
  DefineBackendTypeCommand,
  DefineModelCommand,
  RegisterBackendCommand,
  type BindingLedgerOptions,
} from '#nest';

/** The ledger of most tests: products of the first shop. */
export const PRODUCTS = { backend: 'shop-1', model: 'shop.product' };

export interface LedgerApplication {
  app: INestApplicationContext;
  commands: CommandBus;
  queries: QueryBus;
}

interface Setting {
  imports?: (DynamicModule | Type)[];
  /** In place of a `forRoot` over `:memory:`. */
  root?: DynamicModule;
  options?: BindingLedgerOptions;
  model?: Partial<DefineBindingModel>;
  backends?: string[];
}

/** A Nest application with a ledger in memory, in which shops, their products, and nothing else are known. */
export async function startLedgerApplication(setting: Setting = {}): Promise<LedgerApplication> {
  const {
    imports = [],
    options = { data: ':memory:' },
    root = BindingLedgerModule.forRoot(options),
    model,
    backends = ['shop-1'],
  } = setting;
  const app = await Test.createTestingModule({ imports: [root, ...imports] }).compile();
  await app.init();
  const [commands, queries] = [app.get(CommandBus, { strict: false }), app.get(QueryBus, { strict: false })];
  done(await commands.execute(new DefineBackendTypeCommand({ type: 'shop' })));
  await defineModel(commands, { model: PRODUCTS.model, ...model });
  for (const id of backends)
    done(await commands.execute(new RegisterBackendCommand({ id, type: 'shop', location: `https://${id}.example.org` })));
  return { app, commands, queries };
}

export async function defineModel(commands: CommandBus, model: Partial<DefineBindingModel> & { model: string }): Promise<void> {
  done(await commands.execute(new DefineModelCommand({ backendType: 'shop', localModel: 'product', ...model })));
}

/** The answer; a refusal fails the test that did not expect it. */
export function done<T extends object>(answer: T): Exclude<T, { refused: string }> {
  if (isRefusal(answer)) throw new Error(`refused ${answer.refused}: ${answer.detail}`);
  return answer as Exclude<T, { refused: string }>;
}
