import type { FactoryProvider, ModuleMetadata } from '@nestjs/common';
import type { LedgerConfig } from '#runtime';

export interface BindingLedgerOptions extends LedgerConfig {
  /** Who events say did it, where a command names nobody. Default: `application`. */
  actor?: string;
  /** `false`: this process runs no `@BindingSubscriber`; for one that only does commands. Default: `true`. */
  subscribers?: boolean;
}

export interface BindingLedgerAsyncOptions
  extends Pick<ModuleMetadata, 'imports'>, Pick<FactoryProvider<BindingLedgerOptions>, 'inject' | 'useFactory'> {}

export const DEFAULT_ACTOR = 'application';

/** Injects the options as they were given. */
export const BINDING_LEDGER_OPTIONS = Symbol('BINDING_LEDGER_OPTIONS');
/** Injects the `OpenedLedger` itself: ports, queries and services, for what has no command. */
export const OPENED_LEDGER = Symbol('OPENED_LEDGER');
