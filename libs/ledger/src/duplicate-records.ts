const FIRST_CAPACITY = 1_024;

/**
 * Finds record ids that were added more than once, among millions, in eight bytes each: it keeps a hash of each id. Different
 * ids can have the same hash, so what it answers are candidates, to be looked at; it misses none.
 */
export class DuplicateRecords {
  private hashes = new Float64Array(FIRST_CAPACITY);
  private count = 0;

  add(recordId: string): void {
    if (this.count === this.hashes.length) {
      const grown = new Float64Array(this.count * 2);
      grown.set(this.hashes);
      this.hashes = grown;
    }
    this.hashes[this.count] = hashOf(recordId);
    this.count += 1;
  }

  /** True for the ids that were added more than once, of at most `limit` hashes, and for few others. `undefined`: there are none. */
  candidates(limit: number): ((recordId: string) => boolean) | undefined {
    const sorted = this.hashes.slice(0, this.count).sort();
    const repeated = new Set<number>();
    for (let index = 1; index < sorted.length && repeated.size < limit; index += 1) {
      if (sorted[index] === sorted[index - 1]) repeated.add(sorted[index] as number);
    }
    return repeated.size === 0 ? undefined : (recordId) => repeated.has(hashOf(recordId));
  }
}

/** 53 bits from two multiplicative hashes of 32 (MurmurHash's mixing); a safe integer. */
function hashOf(text: string): number {
  let [low, high] = [0xdeadbeef, 0x41c6ce57];
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    low = Math.imul(low ^ unit, 2_654_435_761);
    high = Math.imul(high ^ unit, 1_597_334_677);
  }
  low = Math.imul(low ^ (low >>> 16), 2_246_822_507) ^ Math.imul(high ^ (high >>> 13), 3_266_489_909);
  high = Math.imul(high ^ (high >>> 16), 2_246_822_507) ^ Math.imul(low ^ (low >>> 13), 3_266_489_909);
  return 4_294_967_296 * (high & 0x1fffff) + (low >>> 0);
}
