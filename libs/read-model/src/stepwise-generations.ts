import { ledgerKey, UNOPENED, type LedgerName } from '#domain';
import type { DocumentStore } from './document-store.js';
import type { LedgerDocument, OpenedLedger, RebuildState } from './port.js';
import {
  BINDINGS,
  documentId,
  emptyDocument,
  HISTORY,
  KEYS,
  LEDGERS,
  POINTERS,
  toLedgerDocument,
  toPointer,
  within,
  withoutSuccessor,
  type GenerationDocument,
  type Pointer,
} from './stepwise-documents.js';

/** What this instance knows of a ledger's current generation, and since when. */
export interface KnownGeneration {
  generation: string;
  readAt: number;
}

const FIRST_GENERATION: Pointer = { current: '1', building: null, former: null, last: 1 };
const MAX_KNOWN_LEDGERS = 10_000;
const MAX_LOOKS = 20;
const DROP_AT_ONCE = 1_000;
/** Generations that are looked through for what was written after they were dropped. */
const MAX_SWEPT = 4;

/**
 * The generations of a ledger's documents. A rebuild makes a new one beside the current one; from when it has caught up, every
 * batch is applied to it first; then the pointer is switched, and the former one is kept up until it is dropped.
 */
export class Generations {
  private readonly known = new Map<string, KnownGeneration>();

  /** `knowledgeMs`: how long this instance relies on what it read of the pointer; shorter than the grace time of a drop. */
  constructor(
    private readonly documents: DocumentStore,
    private readonly clock: () => number,
    private readonly knowledgeMs: number,
  ) {}

  async pointer(ledger: LedgerName): Promise<Pointer | undefined> {
    const stored = await this.documents.get(POINTERS, ledgerKey(ledger));
    return stored === undefined ? undefined : toPointer(stored);
  }

  async document(ledger: LedgerName, generation: string): Promise<GenerationDocument | undefined> {
    const stored = await this.documents.get(LEDGERS, documentId(ledger, generation));
    return stored === undefined ? undefined : toLedgerDocument(stored);
  }

  /** The generation that lookups answer from; `undefined` for a ledger that nothing was projected of. */
  async knownCurrent(ledger: LedgerName): Promise<KnownGeneration | undefined> {
    const key = ledgerKey(ledger);
    const known = this.known.get(key);
    if (known !== undefined && this.isYoung(known)) return known;
    const readAt = this.clock();
    const pointer = await this.pointer(ledger);
    return pointer === undefined ? undefined : this.learn(ledger, { generation: pointer.current, readAt });
  }

  /** What was answered from last is relied on from now on, so that no lookup after it sees an older state. Answers the newest that is known. */
  learn(ledger: LedgerName, read: KnownGeneration): KnownGeneration {
    const key = ledgerKey(ledger);
    const known = this.known.get(key);
    if (known !== undefined && known.readAt > read.readAt) return known;
    if (this.known.size >= MAX_KNOWN_LEDGERS) this.known.clear();
    this.known.set(key, read);
    return read;
  }

  now(): number {
    return this.clock();
  }

  isYoung({ readAt }: KnownGeneration): boolean {
    return this.clock() - readAt <= this.knowledgeMs;
  }

  /** What was known turned out to be over. */
  forget(ledger: LedgerName): void {
    this.known.delete(ledgerKey(ledger));
  }

  /** The documents that a projector keeps up. The ledger's document comes before the pointer, so that whoever sees one finds the other. */
  async open(ledger: LedgerName): Promise<OpenedLedger> {
    for (let look = 0; look < MAX_LOOKS; look += 1) {
      const pointer = (await this.pointer(ledger)) ?? (await this.create(ledger));
      const current = await this.document(ledger, pointer.current);
      if (current === undefined) continue;
      const opened: OpenedLedger = withoutSuccessor(current);
      const next = current.successor === pointer.building ? await this.documentOf(ledger, pointer.building) : undefined;
      const former = await this.documentOf(ledger, pointer.former);
      if (next !== undefined) opened.next = next;
      if (former !== undefined) opened.former = former;
      return opened;
    }
    throw new Error(`broken invariant: the current generation of ${ledgerKey(ledger)} has no document`);
  }

  private async create(ledger: LedgerName): Promise<Pointer> {
    await this.documents.insert(LEDGERS, emptyDocument(ledger, FIRST_GENERATION.current, UNOPENED));
    await this.documents.insert(POINTERS, { _id: ledgerKey(ledger), ...FIRST_GENERATION });
    const pointer = (await this.pointer(ledger)) ?? FIRST_GENERATION;
    // Others may have made it, and rebuilt the ledger, since this instance found none.
    const unused = unusedOf(pointer).includes(FIRST_GENERATION.current);
    if (unused) await this.documents.remove(LEDGERS, within(ledger, FIRST_GENERATION.current), 1);
    return pointer;
  }

  private async documentOf(ledger: LedgerName, generation: string | null): Promise<LedgerDocument | undefined> {
    return generation === null ? undefined : this.document(ledger, generation);
  }

  async rebuildState(ledger: LedgerName): Promise<RebuildState> {
    const pointer = await this.pointer(ledger);
    if (pointer === undefined) return { building: undefined, former: null };
    return { building: await this.documentOf(ledger, pointer.building), former: pointer.former };
  }

  /** Begins a generation beside the current one, or completes what an interrupted beginning left. */
  async begin(ledger: LedgerName): Promise<void> {
    const pointer = (await this.pointer(ledger)) ?? (await this.create(ledger));
    const { last, building, former } = pointer;
    if (former !== null) return;
    for (const unused of unusedOf(pointer)) await this.sweep(ledger, unused);
    const generation = building ?? String(last + 1);
    if (building === null) {
      const reserved = { building: generation, last: last + 1 };
      const unused = { last, building: null, former: null };
      if (!(await this.documents.update(POINTERS, ledgerKey(ledger), unused, { set: reserved }))) return;
    }
    await this.documents.insert(LEDGERS, emptyDocument(ledger, generation, UNOPENED));
  }

  /**
   * From now on no batch is applied to the current generation before it is applied to the one being built. False when that has
   * yet to catch up with what is already being applied.
   */
  async follow(ledger: LedgerName): Promise<boolean> {
    const pointer = await this.pointer(ledger);
    const building = pointer?.building ?? undefined;
    if (pointer === undefined || building === undefined) return true;
    const next = await this.document(ledger, building);
    if (next === undefined) return false;
    const where = { successor: null, applying: { atMost: next.checkpoint } };
    await this.documents.update(LEDGERS, documentId(ledger, pointer.current), where, { set: { successor: building } });
    return (await this.document(ledger, pointer.current))?.successor === building;
  }

  /** Makes the generation that was built, and is followed, the current one; nothing when another rebuild has done it. */
  async switchOver(ledger: LedgerName): Promise<void> {
    const pointer = await this.pointer(ledger);
    if (pointer === undefined || pointer.building === null) return;
    const { current, building } = pointer;
    const switched = { current: building, building: null, former: current };
    // What is followed stays so. Without its mark the current one was switched from, and perhaps dropped, since the pointer was read.
    if ((await this.document(ledger, current))?.successor !== building) return;
    await this.documents.update(POINTERS, ledgerKey(ledger), { current, building }, { set: switched });
  }

  /** Drops a former generation. Its ledger document goes first: whoever does not find that starts over, and misses nothing that is gone. */
  async drop(ledger: LedgerName, former: string): Promise<void> {
    const pointer = await this.pointer(ledger);
    if (pointer !== undefined && unusedOf(pointer).includes(former)) await this.sweep(ledger, former);
    if (pointer?.former !== former) return;
    const scope = within(ledger, former);
    await this.documents.remove(LEDGERS, scope, 1);
    await this.sweep(ledger, former);
    await this.documents.update(POINTERS, ledgerKey(ledger), { former }, { set: { former: null } });
  }

  /** Drops all generations at once, and begins with an empty one that has a new name. */
  async forgetAll(ledger: LedgerName): Promise<void> {
    const pointer = await this.pointer(ledger);
    if (pointer === undefined) return;
    const { current, building, former, last } = pointer;
    const fresh = String(last + 1);
    await this.documents.insert(LEDGERS, emptyDocument(ledger, fresh, UNOPENED));
    const begun = { current: fresh, building: null, former: null, last: last + 1 };
    if (!(await this.documents.update(POINTERS, ledgerKey(ledger), { current, building, former, last }, { set: begun })))
      throw new Error(`the generations of ${ledgerKey(ledger)} were changed while it was forgotten`);
    this.forget(ledger);
    // Also what an interruption of this has left: from the pointer's change on, nothing else tells of those generations.
    for (const generation of new Set([current, building, former, ...unusedOf(pointer)])) {
      if (generation === null) continue;
      await this.documents.remove(LEDGERS, within(ledger, generation), 1);
      await this.sweep(ledger, generation);
    }
  }

  /**
   * Removes the documents of a generation whose ledger document is gone. A projector that was in the middle of a batch may have written
   * some after it was dropped: it calls this itself when it notices, and what a crash leaves goes with the next rebuild.
   */
  async sweep(ledger: LedgerName, generation: string): Promise<void> {
    const scope = within(ledger, generation);
    for (const collection of [BINDINGS, KEYS, HISTORY]) {
      while ((await this.documents.remove(collection, scope, DROP_AT_ONCE)) > 0);
    }
  }
}

/** The newest of the generations that were dropped; older ones were swept by the rebuilds since. */
function unusedOf({ current, building, former, last }: Pointer): string[] {
  const newest = Array.from({ length: Math.min(last, MAX_SWEPT + 1) }, (_, index) => String(last - index));
  return newest.filter((generation) => generation !== current && generation !== building && generation !== former);
}
