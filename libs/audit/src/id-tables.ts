/** Collections of millions of ids, small and quick for UUIDs: 16 bytes each in open addressing. What is no UUID is kept as text. */
import { slotsFor } from './table-size.js';

const SHARDS = 256;
/** Words of 32 bits in a UUID. Where ids have places, that of the place comes after them. */
const WORDS = 4;
/** A table grows when it is fuller. */
const FULLEST = 3 / 4;
/** Its words are those of a free slot. */
const NIL = '00000000-0000-0000-0000-000000000000';
const HYPHEN = 0x2d;
const CODES = 128;
/** More than four digits can have. */
const NO_DIGITS = 0x10000;
/** The value of each hexadecimal digit, by its code. */
const DIGITS = Int32Array.from({ length: CODES }, (_, code) => {
  const digit = '0123456789abcdef'.indexOf(String.fromCharCode(code));
  return digit < 0 ? NO_DIGITS : digit;
});

export class IdSet {
  private readonly shards: (WordTable | undefined)[] = Array.from({ length: SHARDS });
  private readonly others = new Set<string>();
  private readonly slots: number;

  constructor(expected = 0) {
    this.slots = slotsFor(expected, SHARDS, FULLEST);
  }

  /** False when it was there. */
  add(id: string): boolean {
    if (!readWords(id)) {
      const { size } = this.others;
      return this.others.add(id).size > size;
    }
    return (this.shards[shardOfWords()] ??= new WordTable(WORDS, this.slots)).add(0);
  }
}

/** Numbers ids in the order in which they are added. */
export class IdPlaces {
  private readonly shards: (WordTable | undefined)[] = Array.from({ length: SHARDS });
  private readonly others = new Map<string, number>();
  private readonly slots: number;
  size = 0;

  constructor(expected = 0) {
    this.slots = slotsFor(expected, SHARDS, FULLEST);
  }

  get(id: string): number | undefined {
    return readWords(id) ? this.shards[shardOfWords()]?.place() : this.others.get(id);
  }

  /** False when the id had a place, which stays. */
  add(id: string): boolean {
    const added = readWords(id)
      ? (this.shards[shardOfWords()] ??= new WordTable(WORDS + 1, this.slots)).add(this.size)
      : this.addOther(id);
    if (added) this.size += 1;
    return added;
  }

  *entries(): Generator<[id: string, place: number]> {
    for (const shard of this.shards) if (shard !== undefined) yield* shard.entries();
    yield* this.others;
  }

  private addOther(id: string): boolean {
    if (this.others.has(id)) return false;
    this.others.set(id, this.size);
    return true;
  }
}

/** The words of the id that was read last. The digits of a UUID are in groups of four at these places. */
let [a, b, c, d] = [0, 0, 0, 0];

/** Takes an id apart into words, which the tables then work with; false when it is no UUID in lower case, or the one of zeros. */
function readWords(id: string): boolean {
  if (id.length !== NIL.length) return false;
  const hyphens = id.charCodeAt(8) === HYPHEN && id.charCodeAt(13) === HYPHEN && id.charCodeAt(18) === HYPHEN;
  if (!hyphens || id.charCodeAt(23) !== HYPHEN) return false;
  const [first, second, third, fourth] = [fourDigits(id, 0), fourDigits(id, 4), fourDigits(id, 9), fourDigits(id, 14)];
  const [fifth, sixth, seventh, eighth] = [fourDigits(id, 19), fourDigits(id, 24), fourDigits(id, 28), fourDigits(id, 32)];
  const all = first | second | third | fourth | fifth | sixth | seventh | eighth;
  a = (first << 16) | second;
  b = (third << 16) | fourth;
  c = (fifth << 16) | sixth;
  d = (seventh << 16) | eighth;
  return all < NO_DIGITS && all !== 0;
}

/** Their value; with anything else among them, one that is too large. */
function fourDigits(id: string, at: number): number {
  const first = id.charCodeAt(at);
  const second = id.charCodeAt(at + 1);
  const third = id.charCodeAt(at + 2);
  const fourth = id.charCodeAt(at + 3);
  if ((first | second | third | fourth) >= CODES) return NO_DIGITS;
  const high = ((DIGITS[first] as number) << 12) | ((DIGITS[second] as number) << 8);
  return high | ((DIGITS[third] as number) << 4) | (DIGITS[fourth] as number);
}

function shardOfWords(): number {
  return d & (SHARDS - 1);
}

/** Of the words that were read last. A slot of four zeros is free. */
class WordTable {
  private words: Int32Array;
  private size = 0;

  /** `stride`: words that a slot takes, those of the id, and perhaps that of a place. */
  constructor(
    private readonly stride: number,
    private slots: number,
  ) {
    this.words = new Int32Array(slots * stride);
  }

  /** False when they were there. */
  add(place: number): boolean {
    const at = this.find();
    if (!isFree(this.words, at)) return false;
    this.put(at, place);
    this.size += 1;
    if (this.size > this.slots * FULLEST) this.grow();
    return true;
  }

  /** What was added with them. */
  place(): number | undefined {
    const at = this.find();
    return isFree(this.words, at) ? undefined : this.words[at + WORDS];
  }

  /** Of the table as it is at the beginning: one that grows meanwhile leaves these words as they are. */
  *entries(): Generator<[id: string, place: number]> {
    const { words, stride } = this;
    for (let at = 0; at < words.length; at += stride)
      if (!isFree(words, at)) yield [idOf(words, at), words[at + WORDS] as number];
  }

  /** Where they are, or belong. */
  private find(): number {
    const { words, slots, stride } = this;
    const [first, second, third, fourth] = [a, b, c, d];
    for (let slot = ((fourth >>> 8) ^ third) & (slots - 1); ; slot = (slot + 1) & (slots - 1)) {
      const at = slot * stride;
      if (words[at + 3] === fourth && words[at + 2] === third && words[at + 1] === second && words[at] === first) return at;
      if (isFree(words, at)) return at;
    }
  }

  private put(at: number, place: number): void {
    const { words } = this;
    words[at] = a;
    words[at + 1] = b;
    words[at + 2] = c;
    words[at + 3] = d;
    if (this.stride > WORDS) words[at + WORDS] = place;
  }

  private grow(): void {
    const { words, stride } = this;
    this.slots *= 2;
    this.words = new Int32Array(this.slots * stride);
    for (let at = 0; at < words.length; at += stride) {
      if (isFree(words, at)) continue;
      load(words, at);
      this.put(this.find(), words[at + WORDS] as number);
    }
  }
}

function isFree(words: Int32Array, at: number): boolean {
  return words[at + 3] === 0 && words[at + 2] === 0 && words[at + 1] === 0 && words[at] === 0;
}

function load(words: Int32Array, at: number): void {
  a = words[at] as number;
  b = words[at + 1] as number;
  c = words[at + 2] as number;
  d = words[at + 3] as number;
}

function idOf(words: Int32Array, at: number): string {
  const hex = [0, 1, 2, 3].map((word) => ((words[at + word] as number) >>> 0).toString(16).padStart(8, '0')).join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
