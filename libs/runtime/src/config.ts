/** How a ledger is opened: which stores, where, and with which limits. */
import type { LedgerLimits, WriterObserver } from '#ledger';
import type { Stores } from './stores.js';

export interface LedgerConfig {
  /** Stores that are open already, instead of those below. The ledger closes them. */
  stores?: Stores;
  /** Folder of the embedded store, or `:memory:`. Default: `./data`. */
  data?: string;
  /** Connection string of EventStoreDB. With it goes `mongodbUrl`; without both, the embedded store is used. */
  eventStoreUrl?: string;
  mongodbUrl?: string;
  streamPrefix?: string;
  /** Ring of 32-byte keys, base64 or hex, separated by commas: the first encrypts, all decrypt. */
  secretKey?: string;
  limits?: Partial<LedgerLimits>;
  observer?: WriterObserver;
  /** How long the former documents of a ledger are kept up after a rebuild: longer than any instance relies on what it knows of them. */
  generationGraceMs?: number;
  /** Where blocking work is done: in worker threads (for a program that runs from its build), or in this one. */
  threads?: 'workers' | 'none';
}

export const DEFAULT_DATA_FOLDER = './data';
const PREFIX = /^([a-z][a-z0-9_.]*-)?$/;

/** What in the configuration keeps the ledger from being opened; the message is for whoever set it. */
export class LedgerConfigError extends Error {
  override readonly name = 'LedgerConfigError';
}

/** Reads the variables that API.md names. Empty ones count as absent. @throws {LedgerConfigError} */
export function configFromEnvironment(environment: Record<string, string | undefined>): LedgerConfig {
  const read = (name: string) => environment[name]?.trim() || undefined;
  const config: LedgerConfig = {
    data: read('LEDGER_DATA') ?? DEFAULT_DATA_FOLDER,
    eventStoreUrl: read('EVENTSTORE_URL'),
    mongodbUrl: read('MONGODB_URL'),
    streamPrefix: read('LEDGER_STREAM_PREFIX'),
    secretKey: read('LEDGER_SECRET_KEY'),
  };
  checkConfig(config);
  return config;
}

/** @throws {LedgerConfigError} */
export function checkConfig({ eventStoreUrl, mongodbUrl, streamPrefix = '' }: LedgerConfig): void {
  if ((eventStoreUrl === undefined) !== (mongodbUrl === undefined)) {
    const [given, missing] = eventStoreUrl === undefined ? ['MONGODB_URL', 'EVENTSTORE_URL'] : ['EVENTSTORE_URL', 'MONGODB_URL'];
    throw new LedgerConfigError(`${given} is set but ${missing} is not: set both, or neither for the embedded store`);
  }
  if (!PREFIX.test(streamPrefix)) {
    throw new LedgerConfigError(
      `LEDGER_STREAM_PREFIX is a name that ends in "-", such as "test-", not ${JSON.stringify(streamPrefix)}`,
    );
  }
}
