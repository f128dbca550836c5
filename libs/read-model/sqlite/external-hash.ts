import { hashOfKey } from '#domain';
import type { Statements } from './statements.js';

export const KEY_SEED = 'key seed';

/** Revisions of the first period; each later one is as long as all before it together. */
export const FIRST_PERIOD_REVISIONS = 131_072;
const HASHES_OF_PERIOD = 2 ** 40;
/** More than can be applied between two statements of another connection. */
const APPLIED_MEANWHILE = 65_536;

/**
 * What external ids are indexed by: the period of the ledger in which the row was given its id, and 40 bits of a hash. External ids come in
 * no order, so each changes another page of its index; of one period they are few pages, so that a batch into a large ledger changes not
 * many more than one into a small ledger. Whoever looks for an id looks in every period that there was: eleven in a ledger of 100 million.
 * The seed is the database's own, drawn by lot: nobody can make external ids that all have the same place in the index.
 */
export class ExternalHashes {
  private readonly seed: number;

  constructor(private readonly statements: Pick<Statements, 'fact' | 'ledgerCheckpoint'>) {
    const [text] = statements.fact.get(KEY_SEED) ?? [];
    if (text === undefined) throw new Error('broken invariant: the read model has no seed for its keys');
    this.seed = Number(text) | 0;
  }

  /** What a row is stored with that is written at a revision. */
  of(externalId: string, revision: number): number {
    return periodOf(revision) * HASHES_OF_PERIOD + this.hash(externalId);
  }

  /**
   * What rows of the ledger with one of the ids may be stored with, also those that are applied between this look at its checkpoint and the
   * search for them.
   */
  ofAny(externalIds: Iterable<string>, ledger: number): number[] {
    const [checkpoint = -1] = this.statements.ledgerCheckpoint.get(ledger) ?? [];
    const last = periodOf(checkpoint + APPLIED_MEANWHILE);
    const hashes: number[] = [];
    for (const externalId of externalIds) {
      const hash = this.hash(externalId);
      for (let period = 0; period <= last; period += 1) hashes.push(period * HASHES_OF_PERIOD + hash);
    }
    return hashes;
  }

  private hash(externalId: string): number {
    const { first, second } = hashOfKey(this.seed, externalId);
    return first * 0x100 + ((second >>> 1) & 0xff);
  }
}

/** 0 for the first, and one more each time that the number of revisions has doubled. */
function periodOf(revision: number): number {
  return 32 - Math.clz32(Math.floor(Math.max(0, revision) / FIRST_PERIOD_REVISIONS));
}
