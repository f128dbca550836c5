import { ledgerKey } from '#domain';
import type { OpenedLedger } from '#runtime';
import type { Lag } from './metrics.js';

/** Ledgers that are looked at, at most. */
export const MAX_MEASURED_LEDGERS = 1_000;

/** How far the read model is behind each ledger, in events and in the age of the first that is missing. */
export async function projectionLags(
  { store, readModel, streams }: Pick<OpenedLedger, 'store' | 'readModel' | 'streams'>,
  now: number,
): Promise<Lag[]> {
  const lags: Lag[] = [];
  for (const { ledger, checkpoint } of (await readModel.ledgerDocuments()).slice(0, MAX_MEASURED_LEDGERS)) {
    const stream = streams.ledger(ledger);
    const [first] = await store.readStream(stream, { after: checkpoint, limit: 1 });
    if (first === undefined) lags.push({ ledger, events: 0, ageMs: 0 });
    else
      lags.push({
        ledger,
        events: (await store.headRevision(stream)) - checkpoint,
        ageMs: Math.max(0, now - Date.parse(first.storedAt)),
      });
  }
  return lags.sort((a, b) => (ledgerKey(a.ledger) < ledgerKey(b.ledger) ? -1 : 1));
}
