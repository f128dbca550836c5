/** Keys as numbers: what a filter, a table or an index of very many keys holds instead of the strings. */

/** Two hashes, independent of each other, of 32 bits each; the second one is odd. */
export interface KeyHash {
  first: number;
  second: number;
}

const newest: KeyHash = { first: 0, second: 0 };

/**
 * FNV-1a with two multipliers, and a last mixing of the bits. Whoever knows the seed can make keys of equal hashes: where many of
 * those would cost much, the seed is drawn by lot. The answer is one object, which the next call writes over.
 * (G. Fowler, L. C. Noll, P. Vo, The FNV Non-Cryptographic Hash Algorithm.)
 */
export function hashOfKey(seed: number, key: string): Readonly<KeyHash> {
  let a = Math.imul(0x811c9dc5 ^ seed, 0x01000193);
  let b = (0x1b873593 + seed) | 0;
  for (let index = 0; index < key.length; index += 1) {
    const unit = key.charCodeAt(index);
    a = Math.imul(a ^ unit, 0x01000193);
    b = Math.imul(b ^ unit, 0x85ebca6b);
    b ^= b >>> 15;
  }
  newest.first = (a ^ (a >>> 16)) >>> 0;
  newest.second = (b ^ (b >>> 13)) | 1;
  return newest;
}
