import { hashOfKey, isBindingEvent, scopedKey, type KeyHash } from '#domain';
import type { DecisionKeys } from '#read-model';
import type { WrittenEvent } from './chain.js';

/** For about four million keys. */
const MAX_BYTES = 6 * 1_024 * 1_024;
const [OF_RECORD, EXTERNAL_ID, SCOPED_KEY] = [1, 2, 3];

/**
 * The keys of all events that a ledger has had, as far as a writer followed it from its first event on. A key that is not among
 * them needs not be looked for: that is nearly every key of a first import.
 */
export class KnownKeys {
  private readonly filter = new KeyFilter(MAX_BYTES);
  private complete = true;

  learn(event: WrittenEvent): void {
    if (!this.complete || !isBindingEvent(event)) return;
    const { recordId, externalId } = event.data;
    const { idempotency, actor } = event.fields;
    this.add(OF_RECORD, recordId);
    if (externalId !== null) this.add(EXTERNAL_ID, externalId);
    if (idempotency !== undefined) this.add(SCOPED_KEY, scopedKey(actor, idempotency.key));
  }

  /** The same without keys that no event ever had. */
  among({ recordIds, externalIds, bindingIds, scopedKeys }: DecisionKeys): DecisionKeys {
    const known = (kind: number, keys: readonly string[]) =>
      this.complete ? keys.filter((key) => this.filter.has(kind, key)) : [...keys];
    return {
      recordIds: known(OF_RECORD, recordIds),
      externalIds: known(EXTERNAL_ID, externalIds),
      bindingIds,
      scopedKeys: known(SCOPED_KEY, scopedKeys),
    };
  }

  private add(kind: number, key: string): void {
    this.complete &&= this.filter.add(kind, key);
  }
}

/**
 * A set of keys, each of a kind, that may take one for seen that never was, one or a few in a hundred, and never the contrary: a Bloom
 * filter, in parts of growing size.
 * (B. H. Bloom, Space/Time Trade-offs in Hash Coding with Allowable Errors, 1970; double hashing after Kirsch and Mitzenmacher, 2006.)
 */
class KeyFilter {
  private readonly parts: Part[] = [];

  constructor(private readonly maxBytes: number) {}

  /** False when it has no room left, and does not hold the key. */
  add(kind: number, key: string): boolean {
    let part = this.parts.at(-1);
    if (part === undefined || part.isFull) {
      const bytes = part === undefined ? FIRST_PART_BYTES : part.bytes * GROWTH;
      if (this.parts.reduce((sum, each) => sum + each.bytes, bytes) > this.maxBytes) return false;
      this.parts.push((part = new Part(bytes)));
    }
    part.add(hashOfKey(kind, key));
    return true;
  }

  has(kind: number, key: string): boolean {
    const hash = hashOfKey(kind, key);
    for (const part of this.parts) if (part.has(hash)) return true;
    return false;
  }
}

const FIRST_PART_BYTES = 16_384;
const GROWTH = 4;
const BITS_OF_KEY = 10;
const PROBES = 5;

class Part {
  private readonly words: Uint32Array;
  private readonly mask: number;
  private keys = 0;

  constructor(readonly bytes: number) {
    this.words = new Uint32Array(bytes / 4);
    this.mask = bytes * 8 - 1;
  }

  get isFull(): boolean {
    return this.keys * BITS_OF_KEY >= this.bytes * 8;
  }

  add({ first, second }: KeyHash): void {
    this.keys += 1;
    for (let probe = 0; probe < PROBES; probe += 1) {
      const bit = (first + Math.imul(probe, second)) & this.mask;
      (this.words[bit >>> 5] as number) |= 1 << (bit & 31);
    }
  }

  has({ first, second }: KeyHash): boolean {
    for (let probe = 0; probe < PROBES; probe += 1) {
      const bit = (first + Math.imul(probe, second)) & this.mask;
      if (((this.words[bit >>> 5] as number) & (1 << (bit & 31))) === 0) return false;
    }
    return true;
  }
}
