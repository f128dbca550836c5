/** Collections of millions of ids, small and quick for UUIDs: 16 bytes each in open addressing. What is no UUID is kept as text. */

const SHARDS = 256;
/** Words of 32 bits in a UUID. */
const WORDS = 4;
const FIRST_SLOTS = 16;
/** Its words are those of a free slot. */
const NIL = '00000000-0000-0000-0000-000000000000';
const HYPHEN = 0x2d;
const NO_DIGIT = 16;
/** The value of each hexadecimal digit, by its code. */
const DIGITS = Uint8Array.from({ length: 128 }, (_, code) => {
  const digit = '0123456789abcdef'.indexOf(String.fromCharCode(code));
  return digit < 0 ? NO_DIGIT : digit;
});

export class IdSet {
  private readonly shards: (WordTable | undefined)[] = Array.from({ length: SHARDS });
  private readonly others = new Set<string>();

  /** False when it was there. */
  add(id: string): boolean {
    if (!readWords(id)) {
      const { size } = this.others;
      return this.others.add(id).size > size;
    }
    return (this.shards[shardOfWords()] ??= new WordTable()).add();
  }
}

export class IdMap<T extends object> {
  private readonly shards: (ValueTable<T> | undefined)[] = Array.from({ length: SHARDS });
  private readonly others = new Map<string, T>();
  size = 0;

  get(id: string): T | undefined {
    return readWords(id) ? this.shards[shardOfWords()]?.get() : this.others.get(id);
  }

  /** False when the id had a value, which stays. */
  add(id: string, value: T): boolean {
    const added = readWords(id)
      ? (this.shards[shardOfWords()] ??= new ValueTable<T>()).addValue(value)
      : this.addOther(id, value);
    if (added) this.size += 1;
    return added;
  }

  *entries(): Generator<[id: string, value: T]> {
    for (const shard of this.shards) if (shard !== undefined) yield* shard.entries();
    yield* this.others;
  }

  private addOther(id: string, value: T): boolean {
    if (this.others.has(id)) return false;
    this.others.set(id, value);
    return true;
  }
}

/** The words of the id that was read last. The digits of a UUID are in groups of four at these places. */
let [a, b, c, d] = [0, 0, 0, 0];
/** All codes, and all values of digits, of that id, by bitwise or. */
let [codes, digits] = [0, 0];

/** Takes an id apart into words, which the tables then work with; false when it is no UUID in lower case, or the one of zeros. */
function readWords(id: string): boolean {
  if (id.length !== NIL.length) return false;
  const hyphens = id.charCodeAt(8) === HYPHEN && id.charCodeAt(13) === HYPHEN && id.charCodeAt(18) === HYPHEN;
  if (!hyphens || id.charCodeAt(23) !== HYPHEN) return false;
  [codes, digits] = [0, 0];
  a = (fourDigits(id, 0) << 16) | fourDigits(id, 4);
  b = (fourDigits(id, 9) << 16) | fourDigits(id, 14);
  c = (fourDigits(id, 19) << 16) | fourDigits(id, 24);
  d = (fourDigits(id, 28) << 16) | fourDigits(id, 32);
  return codes < DIGITS.length && digits < NO_DIGIT && (a | b | c | d) !== 0;
}

function fourDigits(id: string, at: number): number {
  let value = 0;
  for (let next = at; next < at + 4; next += 1) {
    const code = id.charCodeAt(next);
    const digit = DIGITS[code & 127] as number;
    codes |= code;
    digits |= digit;
    value = (value << 4) | digit;
  }
  return value;
}

function shardOfWords(): number {
  return d & (SHARDS - 1);
}

/** Of the words that were read last. A slot of four zeros is free. */
class WordTable {
  protected words = new Int32Array(FIRST_SLOTS * WORDS);
  protected slots = FIRST_SLOTS;
  private size = 0;

  /** False when they were there. */
  add(): boolean {
    const slot = this.find();
    if (this.holds(slot)) return false;
    this.fill(slot);
    return true;
  }

  /** Where they are, or belong. */
  protected find(): number {
    const { words, slots } = this;
    for (let slot = ((d >>> 8) ^ c) & (slots - 1); ; slot = (slot + 1) & (slots - 1)) {
      const at = slot * WORDS;
      if (words[at] === a && words[at + 1] === b && words[at + 2] === c && words[at + 3] === d) return slot;
      if (!this.holds(slot)) return slot;
    }
  }

  protected holds(slot: number): boolean {
    const { words } = this;
    const at = slot * WORDS;
    return words[at] !== 0 || words[at + 1] !== 0 || words[at + 2] !== 0 || words[at + 3] !== 0;
  }

  protected fill(slot: number): void {
    this.put(slot);
    this.size += 1;
    if (this.size * 4 > this.slots * 3) this.grow();
  }

  /** Told of each slot that moves when the table grows. */
  protected moved(_from: number, _to: number): void {}

  private put(slot: number): void {
    const { words } = this;
    const at = slot * WORDS;
    words[at] = a;
    words[at + 1] = b;
    words[at + 2] = c;
    words[at + 3] = d;
  }

  protected grow(): void {
    const { words } = this;
    this.slots *= 2;
    this.words = new Int32Array(this.slots * WORDS);
    for (let at = 0; at < words.length; at += WORDS) {
      load(words, at);
      if ((a | b | c | d) === 0) continue;
      const slot = this.find();
      this.put(slot);
      this.moved(at / WORDS, slot);
    }
  }
}

function load(words: Int32Array, at: number): void {
  a = words[at] as number;
  b = words[at + 1] as number;
  c = words[at + 2] as number;
  d = words[at + 3] as number;
}

/** A value beside each slot. */
class ValueTable<T> extends WordTable {
  private values: (T | undefined)[] = Array.from({ length: FIRST_SLOTS });
  private former: (T | undefined)[] = [];

  get(): T | undefined {
    return this.values[this.find()];
  }

  /** False when the words had a value. */
  addValue(value: T): boolean {
    const slot = this.find();
    if (this.holds(slot)) return false;
    this.values[slot] = value;
    this.fill(slot);
    return true;
  }

  /** Of the table as it is at the beginning: one that grows meanwhile leaves these as they are. */
  *entries(): Generator<[id: string, value: T]> {
    const { words, values } = this;
    for (let slot = 0; slot < values.length; slot += 1) {
      const value = values[slot];
      if (value !== undefined) yield [idOf(words, slot * WORDS), value];
    }
  }

  protected override moved(from: number, to: number): void {
    this.values[to] = this.former[from];
  }

  protected override grow(): void {
    this.former = this.values;
    this.values = Array.from({ length: this.slots * 2 });
    super.grow();
    this.former = [];
  }
}

function idOf(words: Int32Array, at: number): string {
  const hex = [0, 1, 2, 3].map((word) => ((words[at + word] as number) >>> 0).toString(16).padStart(8, '0')).join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
