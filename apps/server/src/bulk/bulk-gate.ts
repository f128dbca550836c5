/**
 * How many chunks of all bulk streams together may wait for one ledger: fewer commands than its queue takes, so that a stream
 * is slowed down where a single command would be refused `BUSY`, and single commands still find room.
 */
import { ledgerKey, type LedgerName } from '#domain';

export const MAX_CHUNKS_OF_LEDGER = 16;

interface Gate {
  free: number;
  waiting: (() => void)[];
}

export class BulkGates {
  private readonly gates = new Map<string, Gate>();

  /** Runs the work when its turn has come; turns come in the order of asking. */
  async pass<T>(ledger: LedgerName, work: () => Promise<T>): Promise<T> {
    const key = ledgerKey(ledger);
    const gate = this.gates.get(key) ?? { free: MAX_CHUNKS_OF_LEDGER, waiting: [] };
    this.gates.set(key, gate);
    if (gate.free > 0) gate.free -= 1;
    else await new Promise<void>((resolve) => gate.waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = gate.waiting.shift();
      if (next !== undefined) next();
      else gate.free += 1;
      if (gate.free === MAX_CHUNKS_OF_LEDGER) this.gates.delete(key);
    }
  }
}
