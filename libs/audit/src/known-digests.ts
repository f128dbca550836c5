import type { KnownDigest } from './stored-event.js';

/**
 * What a ledger was at several revisions, as somebody kept it elsewhere. Each counts: whoever makes all hashes anew between two
 * nights has a ledger that the newer night's digest fits, and the older one's does not.
 */
export class KnownDigests {
  private readonly hashes = new Map<number, string[]>();
  private newest = -1;

  constructor(digests: readonly KnownDigest[]) {
    for (const { revision, hash } of digests) {
      if (revision < 0) continue;
      const hashes = this.hashes.get(revision);
      if (hashes === undefined) this.hashes.set(revision, [hash]);
      else if (!hashes.includes(hash)) hashes.push(hash);
      this.newest = Math.max(this.newest, revision);
    }
  }

  /** Why the ledger is not what it was at the revision. */
  problemAt(revision: number, hash: string): string | undefined {
    const other = this.hashes.get(revision)?.find((kept) => kept !== hash);
    if (other === undefined) return undefined;
    return `the digest kept of this revision is ${other}, the hash here is ${hash}: something up to here was rewritten, with its hashes`;
  }

  /** Why a ledger, or the file of one, that ends at the revision is too short. */
  problemOfEnd(revision: number, what: string): string | undefined {
    if (this.newest <= revision) return undefined;
    return `${what} ends at revision ${revision}, but the digest kept is of revision ${this.newest}: events were cut off`;
  }
}
