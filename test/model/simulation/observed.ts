import type { Binding, Command, LedgerName, RequestContext } from '#domain';
import type { CommandResult } from '#ledger';
import type { HistoryKey, HistoryPage, ToldBy } from '#read-model';
import type { Lookup } from '../plan.js';

/** One request as it was sent. Its events carry its correlation id. */
export interface SentRequest {
  command: Command;
  context: RequestContext;
}

/** What a client sent, and what came back: nothing when the process ended, or failed, before it answered. */
export interface Attempt {
  ledger: LedgerName;
  by: string;
  requests: SentRequest[];
  atomic: boolean;
  /** The stream's head when it was sent, and when the answer came. */
  calledHead: number;
  answeredHead: number;
  calledAt: number;
  answeredAt: number;
  results: CommandResult[] | undefined;
}

export interface Sighting {
  ledger: LedgerName;
  by: string;
  what: Lookup & { id?: string };
  /** The answer must be true at a revision from here … */
  from: number;
  /** … to here. */
  to: number;
  found: Binding[];
  /** The revision that the answer names, if it does. */
  revision?: number;
  /** What a history answered, in place of `found`. */
  past?: {
    key: HistoryKey;
    after: number;
    limit: number;
    page: HistoryPage;
    revision: number;
    states: ToldBy[];
  };
}
