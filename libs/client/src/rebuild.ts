/** Rebuilding a ledger's answers: a long answer, read as it comes. */
import { LedgerError } from './errors.js';
import type { CallOptions } from './options.js';
import type { Transport } from './transport.js';
import type { Differences, Rebuilt, RebuildProgress } from './wire-rebuild.js';

export interface RebuildOptions extends CallOptions {
  /** Told now and then how far it is. */
  progress?: ((at: RebuildProgress) => void) | undefined;
}

export async function rebuildLedger<T extends Rebuilt | Differences>(
  transport: Transport,
  ledgerPath: string,
  dryRun: boolean,
  { progress, ...options }: RebuildOptions,
): Promise<T> {
  const call = { method: 'POST' as const, path: `${ledgerPath}/rebuild`, body: { dryRun }, options };
  for await (const line of transport.lines<RebuildProgress | T>(call)) {
    if ('ledger' in line) return line;
    progress?.(line);
  }
  throw LedgerError.local('STREAM_CUT', 'the rebuild was broken off: another one goes on with it', {
    request: 'POST rebuild',
    retryable: true,
  });
}
