import { randomInt } from 'node:crypto';
import { hashOfKey } from '#domain';

/** By lot, so that nobody can make keys that all stand in one chain. */
const SEED = randomInt(2 ** 32);
const FIRST_ENTRIES = 64;
const NOTHING = -1;
/** An entry: the two hashes of its key, its value, and the entry before it in its chain. */
const [FIRST, SECOND, VALUE, BEFORE, WIDTH] = [0, 1, 2, 3, 4];

/**
 * Numbers by key, as two arrays of numbers: tens of thousands of entries that live for a moment cost the garbage collector
 * nothing. The keys are not kept, so one of a billion answers may be of another key: whoever asks has to look.
 */
export class KeyTable {
  private size = 0;
  private entries = new Int32Array(FIRST_ENTRIES * WIDTH);
  /** For each chain, its newest entry. */
  private chains = new Int32Array(FIRST_ENTRIES).fill(NOTHING);

  /** `kind`: equal strings of two kinds are two keys. Values ascend. */
  add(kind: number, key: string, value: number): void {
    if (this.size === this.chains.length) this.grow();
    const { first, second } = hashOfKey(SEED + kind, key);
    const at = this.size * WIDTH;
    this.entries[at + FIRST] = first;
    this.entries[at + SECOND] = second;
    this.entries[at + VALUE] = value;
    this.link(this.size);
    this.size += 1;
  }

  /** The values of a key, the newest first. */
  of(kind: number, key: string): number[] {
    const { first, second } = hashOfKey(SEED + kind, key);
    let entry = this.chains[first & (this.chains.length - 1)] as number;
    if (entry === NOTHING) return NONE;
    const found: number[] = [];
    for (; entry !== NOTHING; entry = this.at(entry, BEFORE)) {
      if (this.isOf(entry, first, second)) found.push(this.at(entry, VALUE));
    }
    return found;
  }

  has(kind: number, key: string): boolean {
    const { first, second } = hashOfKey(SEED + kind, key);
    let entry = this.chains[first & (this.chains.length - 1)] as number;
    while (entry !== NOTHING && !this.isOf(entry, first, second)) entry = this.at(entry, BEFORE);
    return entry !== NOTHING;
  }

  /** Takes out every entry whose value is `value` or more. */
  cutFrom(value: number): void {
    for (; this.size > 0 && this.at(this.size - 1, VALUE) >= value; this.size -= 1) {
      // The newest entry of all is the newest of its chain.
      this.chains[this.chainOf(this.size - 1)] = this.at(this.size - 1, BEFORE);
    }
  }

  private grow(): void {
    const { entries } = this;
    this.entries = new Int32Array(entries.length * 2);
    this.entries.set(entries);
    this.chains = new Int32Array(this.chains.length * 2).fill(NOTHING);
    for (let entry = 0; entry < this.size; entry += 1) this.link(entry);
  }

  private link(entry: number): void {
    const chain = this.chainOf(entry);
    this.entries[entry * WIDTH + BEFORE] = this.chains[chain] as number;
    this.chains[chain] = entry;
  }

  private chainOf(entry: number): number {
    return this.at(entry, FIRST) & (this.chains.length - 1);
  }

  private isOf(entry: number, first: number, second: number): boolean {
    return this.at(entry, FIRST) === (first | 0) && this.at(entry, SECOND) === second;
  }

  private at(entry: number, column: number): number {
    return this.entries[entry * WIDTH + column] as number;
  }
}

const NONE: number[] = [];
