import { ledgerKey, type LedgerName } from '#domain';
import type { GenerationDocument } from './stepwise-documents.js';

const MAX_KNOWN_LEDGERS = 10_000;

interface Seen {
  document: GenerationDocument;
  /** When a lookup first found the document like this, and when one last did. */
  since: number;
  at: number;
}

/**
 * Ledger documents that lookups have read. In one generation neither `checkpoint` nor `applying` ever goes back, so a document that
 * is the same after the bindings were read was the same all the time since it was read before, however long ago that was: it
 * serves as the first of a lookup's two looks, and saves a read. One that has changed since costs the lookup another round; so a
 * ledger's is relied on only when it has stayed the same for longer than nobody has looked.
 */
export class SteadyDocuments {
  private readonly seen = new Map<string, Seen>();

  constructor(private readonly clock: () => number) {}

  /** What the document of a generation is expected to be still. */
  expected(ledger: LedgerName, generation: string): GenerationDocument | undefined {
    const seen = this.seen.get(ledgerKey(ledger));
    if (seen?.document.generation !== generation) return undefined;
    return this.clock() - seen.at <= seen.at - seen.since ? seen.document : undefined;
  }

  /** Told of every document that a lookup reads. While a batch is being applied, nothing is expected of it. */
  saw(ledger: LedgerName, document: GenerationDocument | undefined): void {
    const key = ledgerKey(ledger);
    if (document === undefined || document.applying !== document.checkpoint) {
      this.seen.delete(key);
      return;
    }
    const before = this.seen.get(key);
    const at = this.clock();
    if (this.seen.size >= MAX_KNOWN_LEDGERS) this.seen.clear();
    const since = before !== undefined && isSame(before.document, document) ? before.since : at;
    this.seen.set(key, { document, since, at });
  }
}

/** Whether nothing of a ledger's generation was written between the readings of two of its documents. */
export function isSame(one: GenerationDocument, other: GenerationDocument | undefined): boolean {
  return one.generation === other?.generation && one.checkpoint === other.checkpoint && one.applying === other.applying;
}
