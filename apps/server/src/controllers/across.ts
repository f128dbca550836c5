import type { LedgerQueries } from '#ledger';
import type { AwaitedLedger } from '#schemas';
import { RefusedError } from '../http/problem.js';

/** Waits until the read model includes each of the revisions. @throws when one is not reached in time. */
export async function awaitAll(
  queries: LedgerQueries,
  awaited: readonly AwaitedLedger[],
  timeoutMs: number | undefined,
): Promise<void> {
  const late = await Promise.all(
    awaited.map(({ revision, ...ledger }) => queries.await(ledger, { atLeast: revision, timeoutMs })),
  );
  for (const refusal of late) if (refusal !== undefined) throw new RefusedError(refusal);
}
