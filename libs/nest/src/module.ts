import { Inject, Injectable, Module, type DynamicModule, type OnApplicationShutdown, type Provider } from '@nestjs/common';
import { DiscoveryModule, ModulesContainer } from '@nestjs/core';
import { CqrsModule } from '@nestjs/cqrs';
import { parseName } from '#domain';
import { openLedger, type OpenedLedger } from '#runtime';
import { Binder, Binders } from './binder.js';
import { HANDLERS } from './handlers.js';
import { LedgerService } from './ledger.service.js';
import { PastService } from './past.service.js';
import { LedgerEvents } from './live-events.js';
import { BINDING_LEDGER_OPTIONS, OPENED_LEDGER, type BindingLedgerAsyncOptions, type BindingLedgerOptions } from './options.js';
import { Subscribers } from './subscribers.js';

/** Whose binder is provided: that of one ledger, or, without a backend, the `Binders` of a model. */
export interface BinderFeature {
  model: string;
  backend?: string;
}

/** What `@InjectBinder` injects by. */
export function binderToken(model: string, backend?: string): string {
  return backend === undefined ? `Binders(${model})` : `Binder(${backend}/${model})`;
}

/**
 * Injects the `Binder` of a model on a backend, or, without a backend, the `Binders` of a model; a module that imports
 * `BindingLedgerModule.forFeature` with that model and backend provides it.
 */
export function InjectBinder(model: string, backend?: string): ParameterDecorator & PropertyDecorator {
  return Inject(binderToken(model, backend));
}

/** Closes the ledger when everything else of the application has shut down: commands that were accepted are finished. */
@Injectable()
class LedgerCloser implements OnApplicationShutdown {
  constructor(@Inject(OPENED_LEDGER) private readonly opened: OpenedLedger) {}

  async onApplicationShutdown(): Promise<void> {
    await this.opened.close();
  }
}

/** The binders of `forFeature`. */
@Module({})
class BindingLedgerFeatureModule {}

/**
 * The binding ledger in a Nest application: one ledger for the whole of it, open before any provider that injects from it is
 * made, and closed when the application is. To be closed on signals too, the application calls `enableShutdownHooks()`.
 */
@Module({})
export class BindingLedgerModule {
  static forRoot(options: BindingLedgerOptions): DynamicModule {
    return rootModule({ provide: BINDING_LEDGER_OPTIONS, useValue: options });
  }

  static forRootAsync({ imports = [], inject = [], useFactory }: BindingLedgerAsyncOptions): DynamicModule {
    return rootModule({ provide: BINDING_LEDGER_OPTIONS, inject, useFactory }, imports);
  }

  /** @throws {TypeError} for what is no name of a model or backend. */
  static forFeature(features: readonly BinderFeature[]): DynamicModule {
    const providers = features.map(binderProvider);
    return { module: BindingLedgerFeatureModule, providers, exports: providers.map(({ provide }) => provide) };
  }
}

function rootModule(options: Provider, imports: DynamicModule['imports'] = []): DynamicModule {
  const opened: Provider = {
    provide: OPENED_LEDGER,
    inject: [BINDING_LEDGER_OPTIONS, ModulesContainer],
    useFactory: open,
  };
  return {
    module: BindingLedgerModule,
    global: true,
    imports: [...imports, CqrsModule, DiscoveryModule],
    providers: [options, opened, LedgerCloser, LedgerService, PastService, LedgerEvents, Subscribers, ...HANDLERS],
    exports: [CqrsModule, BINDING_LEDGER_OPTIONS, OPENED_LEDGER, LedgerService, PastService, LedgerEvents, Subscribers],
  };
}

async function open(options: BindingLedgerOptions | undefined, modules: ModulesContainer): Promise<OpenedLedger> {
  const roots = [...modules.values()].filter(({ metatype }) => metatype === BindingLedgerModule);
  if (roots.length > 1)
    throw new TypeError('BindingLedgerModule.forRoot is imported more than once: one ledger serves the whole application');
  if (typeof options !== 'object' || options === null)
    throw new TypeError('BindingLedgerModule got no options: forRoot takes them, and the factory of forRootAsync answers them');
  if (options.actor === '') throw new TypeError('BindingLedgerModule: the actor is empty');
  return openLedger(options);
}

function binderProvider({ model, backend }: BinderFeature): { provide: string } & Provider {
  const problem = parseName(model).problem ?? (backend === undefined ? undefined : parseName(backend).problem);
  if (problem !== undefined)
    throw new TypeError(
      `BindingLedgerModule.forFeature: ${problem} (model ${JSON.stringify(model)}, backend ${JSON.stringify(backend)})`,
    );
  return {
    provide: binderToken(model, backend),
    inject: [LedgerService],
    useFactory: (service: LedgerService) =>
      backend === undefined ? new Binders(service, model) : new Binder(service, { backend, model }),
  };
}
