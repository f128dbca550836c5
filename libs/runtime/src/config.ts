/** How a ledger is opened: which stores, where, and with which limits. */
import type { LedgerLimits, WriterObserver } from '#ledger';

export interface LedgerConfig {
  /** Folder of the embedded store, or `:memory:`. Ignored when `eventStoreUrl` and `mongodbUrl` are given. */
  data?: string;
  eventStoreUrl?: string;
  mongodbUrl?: string;
  streamPrefix?: string;
  /** Ring of 32-byte keys, base64 or hex, separated by commas: the first encrypts, all decrypt. */
  secretKey?: string;
  limits?: Partial<LedgerLimits>;
  observer?: WriterObserver;
  /** Where the embedded store's blocking work is done: in worker threads, or in this thread (always so for `:memory:`). */
  threads?: 'workers' | 'none';
}
