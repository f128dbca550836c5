import { ledgerKey, refuse, type LedgerName, type Refusal } from '#domain';
import type { ReadModel } from '#read-model';

/** How long a query waits at most between looks at the read model, when no projector of this process tells of progress. */
const LOOK_EVERY_MS = 25;

interface Waiter {
  wake(): void;
}

/** Tells queries when the read model has reached a revision. Projectors report to it, from this thread or another. */
export class ProjectionProgress {
  private readonly waiters = new Map<string, Set<Waiter>>();
  private closed = false;
  /** Newest checkpoints that were reported, and the recorded time of their events: for metrics. */
  readonly reported = new Map<string, { ledger: LedgerName; checkpoint: number; at: string }>();

  /** Called when a query waits, and again as long as it does. */
  hurry: () => void = () => undefined;

  constructor(private readonly readModel: ReadModel) {}

  report = (ledger: LedgerName, checkpoint: number, at: string): void => {
    const key = ledgerKey(ledger);
    this.reported.set(key, { ledger, checkpoint, at });
    const waiting = this.waiters.get(key);
    if (waiting === undefined) return;
    for (const waiter of waiting) waiter.wake();
  };

  /** Ends all waiting: who waits is answered now, since nobody may be left to answer later. */
  close(): void {
    this.closed = true;
    for (const waiting of this.waiters.values()) for (const waiter of waiting) waiter.wake();
  }

  /** Waits until the read model has applied the revision; `NOT_YET_PROJECTED` when that takes too long, or the ledger is being closed. */
  async reach(ledger: LedgerName, revision: number, timeoutMs: number): Promise<Refusal | undefined> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const document = await this.readModel.ledgerDocument(ledger);
      const checkpoint = document?.checkpoint ?? -1;
      if (checkpoint >= revision) return undefined;
      const leftMs = deadline - performance.now();
      if (leftMs <= 0 || this.closed)
        return refuse('NOT_YET_PROJECTED', `the read model is at revision ${checkpoint}, not yet at ${revision}`, {
          details: { projectedRevision: checkpoint },
        });
      this.hurry();
      await this.change(ledgerKey(ledger), Math.min(leftMs, LOOK_EVERY_MS));
    }
  }

  private change(key: string, timeoutMs: number): Promise<void> {
    const waiting = this.waiters.get(key) ?? new Set<Waiter>();
    this.waiters.set(key, waiting);
    return new Promise((resolve) => {
      const waiter: Waiter = {
        wake: () => {
          clearTimeout(timer);
          waiting.delete(waiter);
          if (waiting.size === 0) this.waiters.delete(key);
          resolve();
        },
      };
      const timer = setTimeout(() => waiter.wake(), timeoutMs);
      waiting.add(waiter);
    });
  }
}
