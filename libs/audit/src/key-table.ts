/**
 * Finds what has a key among millions of things that are in a list, by their places in it. The keys are not kept a second time: of
 * each there is a hash, beside the place, in open addressing; whoever has the list tells whether a key is at a place. It is many small
 * tables, since one that grows moves all that is in it at once, and the event loop would be held up.
 */
import { slotsFor } from './table-size.js';

const SHARD_BITS = 8;
const SHARDS = 1 << SHARD_BITS;
/** A table grows when it is fuller. */
const FULLEST = 2 / 3;
/** Words of a slot: the hash, and one more than the place, since zero is a free slot. */
const WORDS = 2;
const FNV_PRIME = 16_777_619;
/** Of this process, so that nobody can know which keys have the same hash. */
const SEED = Math.floor(Math.random() * 0xffffffff) | 0;

export const NOWHERE = -1;
export type IsKeyAt = (place: number, key: string) => boolean;

export class KeyTable {
  /** Made when they are needed: most ledgers are small. */
  private readonly shards: (Shard | undefined)[] = Array.from({ length: SHARDS });

  private readonly slots: number;

  constructor(
    private readonly isKeyAt: IsKeyAt,
    expected = 0,
  ) {
    this.slots = slotsFor(expected, SHARDS, FULLEST);
  }

  /** The place of the key, or `NOWHERE`. */
  get(key: string): number {
    const hash = hashOf(key);
    const shard = this.shards[hash & (SHARDS - 1)];
    return shard === undefined ? NOWHERE : shard.placeAt(shard.find(key, hash));
  }

  /** Answers the place that the key had before, or `NOWHERE`. */
  set(key: string, place: number): number {
    const hash = hashOf(key);
    return (this.shards[hash & (SHARDS - 1)] ??= new Shard(this.isKeyAt, this.slots)).set(key, hash, place);
  }

  delete(key: string): void {
    const hash = hashOf(key);
    this.shards[hash & (SHARDS - 1)]?.delete(key, hash);
  }
}

class Shard {
  private words: Int32Array;
  private mask: number;
  private size = 0;

  constructor(
    private readonly isKeyAt: IsKeyAt,
    slots: number,
  ) {
    this.words = new Int32Array(slots * WORDS);
    this.mask = slots - 1;
  }

  /** The slot where the key is, or belongs. */
  find(key: string, hash: number): number {
    const { words, mask } = this;
    for (let slot = (hash >>> SHARD_BITS) & mask; ; slot = (slot + 1) & mask) {
      const place = (words[slot * WORDS + 1] as number) - 1;
      if (place === NOWHERE || (words[slot * WORDS] === hash && this.isKeyAt(place, key))) return slot;
    }
  }

  placeAt(slot: number): number {
    return (this.words[slot * WORDS + 1] as number) - 1;
  }

  set(key: string, hash: number, place: number): number {
    const slot = this.find(key, hash);
    const before = this.placeAt(slot);
    this.put(slot, hash, place + 1);
    if (before !== NOWHERE) return before;
    this.size += 1;
    if (this.size > (this.mask + 1) * FULLEST) this.grow();
    return NOWHERE;
  }

  /** Those behind it that it stood in the way of move up: no slot is ever wasted. */
  delete(key: string, hash: number): void {
    const { words, mask } = this;
    let free = this.find(key, hash);
    if (this.placeAt(free) === NOWHERE) return;
    for (let slot = (free + 1) & mask; this.placeAt(slot) !== NOWHERE; slot = (slot + 1) & mask) {
      const belongs = ((words[slot * WORDS] as number) >>> SHARD_BITS) & mask;
      if (((slot - belongs) & mask) < ((slot - free) & mask)) continue;
      this.put(free, words[slot * WORDS] as number, words[slot * WORDS + 1] as number);
      free = slot;
    }
    this.put(free, 0, 0);
    this.size -= 1;
  }

  private put(slot: number, hash: number, placeAfter: number): void {
    this.words[slot * WORDS] = hash;
    this.words[slot * WORDS + 1] = placeAfter;
  }

  private grow(): void {
    const { words } = this;
    this.mask = this.mask * 2 + 1;
    this.words = new Int32Array((this.mask + 1) * WORDS);
    for (let at = 0; at < words.length; at += WORDS) {
      if (words[at + 1] === 0) continue;
      let slot = ((words[at] as number) >>> SHARD_BITS) & this.mask;
      while (this.placeAt(slot) !== NOWHERE) slot = (slot + 1) & this.mask;
      this.put(slot, words[at] as number, words[at + 1] as number);
    }
  }
}

function hashOf(key: string): number {
  let hash = SEED ^ key.length;
  for (let at = 0; at < key.length; at += 1) hash = Math.imul(hash ^ key.charCodeAt(at), FNV_PRIME);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) | 0;
}
