import {
  evolveLedger,
  LedgerView,
  UNOPENED,
  type Binding,
  type IdempotencyRecord,
  type LedgerName,
  type LedgerState,
  type RecordedLedgerEvent,
} from '#domain';
import { NO_STREAM, type EventStore } from '#event-store';
import type { DecisionKeys, DecisionState, LedgerDocument, ReadModel } from '#read-model';
import { readForDeciding, writtenEvent, type ChainedEvent, type WrittenEvent } from './chain.js';
import { KnownKeys } from './known-keys.js';
import { Tail, type TailLimits } from './tail.js';

/** The ledger at one revision: what the next event follows on. */
export interface HeadPoint {
  revision: number;
  state: LedgerState;
  hash: string;
  at: string;
}

const PAGE_EVENTS = 1_000;
/** Looks at the read model before a batch gives up: each is needed only when something moved in between. */
const MAX_LOOKS = 20;

/**
 * `stale`: the read model shows what is not known to be written yet; settle the append in flight and load again.
 * `behind`: the read model is further behind than the tail may be long.
 */
export type LoadFailure = 'stale' | 'behind';

/** What a writer knows of its ledger: the stream's tail, the acknowledged head, and the head it hopes for while an append is in flight. */
export class LedgerHead {
  private tail: Tail;
  /** Where the ledger was followed from its first event on. */
  private knownKeys: KnownKeys | undefined;
  private based = false;
  private acknowledgedPoint: HeadPoint = { revision: NO_STREAM, state: UNOPENED, hash: '', at: '' };
  private hopedPoint: HeadPoint = this.acknowledgedPoint;

  constructor(
    private readonly ledger: LedgerName,
    private readonly stream: string,
    private readonly store: Pick<EventStore, 'readStream'>,
    private readonly readModel: Pick<ReadModel, 'readForDecision'>,
    private readonly limits: TailLimits,
  ) {
    this.tail = new Tail(NO_STREAM, limits);
  }

  get point(): HeadPoint {
    return this.hopedPoint;
  }

  get acknowledged(): HeadPoint {
    return this.acknowledgedPoint;
  }

  get tailLength(): number {
    return this.tail.length;
  }

  /** The state that the keys touch, at `point`: documents of the read model and the tail after its checkpoint. */
  async load(wanted: DecisionKeys): Promise<LedgerView | LoadFailure> {
    for (let look = 0; look < MAX_LOOKS; look += 1) {
      const keys = this.knownKeys?.among(wanted) ?? wanted;
      const { revision } = this.hopedPoint;
      const first = await this.readModel.readForDecision(this.ledger, keys);
      const usable = await this.follow(first);
      if (usable !== 'usable') return usable;
      // What others appended meanwhile may have one of the keys that no event had before.
      if (keys !== wanted && this.hopedPoint.revision !== revision) continue;
      const documents = new Map(first.bindings.map((binding) => [binding.id, binding]));
      const missing = [...this.tail.matching(keys)].filter((id) => !documents.has(id) && !this.tail.createdHere(id));
      if (missing.length > 0) {
        const second = await this.readModel.readForDecision(this.ledger, {
          recordIds: [],
          externalIds: [],
          bindingIds: missing,
          scopedKeys: [],
        });
        if (second.document?.generation !== first.document?.generation) continue;
        if (newestOf(second.bindings) > this.acknowledgedPoint.revision) {
          if (this.inFlight) return 'stale';
          // What is read now may hold a key by a binding that was created before the tail: look for that too.
          await this.readOn();
          continue;
        }
        for (const binding of second.bindings) documents.set(binding.id, binding);
        if (missing.some((id) => !documents.has(id))) continue;
      }
      return this.viewOf(keys, documents, first.idempotency);
    }
    return 'behind';
  }

  /** Takes the events of the append that is being sent for written. */
  hope(events: readonly ChainedEvent[], state: LedgerState, bytes: number): void {
    const last = events.at(-1);
    if (last === undefined) return;
    this.take(events, bytes);
    this.hopedPoint = { revision: last.revision, state, hash: last.hash, at: last.fields.at };
  }

  acknowledge(): void {
    this.acknowledgedPoint = this.hopedPoint;
  }

  /** The append was not written: the head is where it was. */
  abandon(): void {
    if (!this.inFlight) return;
    this.tail.cutTo(this.acknowledgedPoint.revision);
    this.hopedPoint = this.acknowledgedPoint;
  }

  /** Forgets everything, when it is not known any more what was written. */
  forget(): void {
    this.based = false;
  }

  /** Reads what others appended behind the acknowledged head. Never while an append is in flight. */
  async readOn(): Promise<void> {
    if (this.inFlight) throw new Error('broken invariant: a ledger is read on while an append is in flight');
    for (;;) {
      const page = await this.store.readStream(this.stream, {
        after: this.hopedPoint.revision,
        limit: PAGE_EVENTS,
      });
      // Read all of them before the first is taken: an event that is not known leaves the head where it was.
      const events = page.map(readForDeciding);
      try {
        for (const event of events) this.add(event);
      } catch (error) {
        // A head between the two would look like an append in flight, which nobody would ever land.
        this.abandon();
        throw error;
      }
      this.acknowledge();
      if (page.length < PAGE_EVENTS || this.tail.isFull) return;
    }
  }

  /** Loads the ledger's own state, without bindings, at the stream's end. */
  async loadPoint(): Promise<HeadPoint | LoadFailure> {
    const loaded = await this.load({
      recordIds: [],
      externalIds: [],
      bindingIds: [],
      scopedKeys: [],
    });
    if (!(loaded instanceof LedgerView)) return loaded;
    await this.readOn();
    return this.hopedPoint;
  }

  private get inFlight(): boolean {
    return this.hopedPoint.revision > this.acknowledgedPoint.revision;
  }

  /** Brings tail and head to where the read model's answer can be used with them. */
  private async follow({ document, bindings }: DecisionState): Promise<'usable' | LoadFailure> {
    const checkpoint = document?.checkpoint ?? NO_STREAM;
    if (!this.based || checkpoint < this.tail.after) {
      if (this.inFlight) return 'stale';
      this.rebase(document);
      await this.readOn();
    }
    const newest = Math.max(checkpoint, newestOf(bindings));
    if (newest > this.acknowledgedPoint.revision) {
      if (this.inFlight) return 'stale';
      await this.readOn();
      if (this.tail.isFull) return this.catchUp(document);
      if (newest > this.acknowledgedPoint.revision) {
        throw new Error(
          `broken invariant: the read model is at revision ${newest} of ${this.stream}, which ends at ${this.acknowledgedPoint.revision}`,
        );
      }
    }
    this.tail.pruneTo(checkpoint);
    return this.tail.isFull ? 'behind' : 'usable';
  }

  /** Others wrote so much that the tail is full before its end: start over from the read model's checkpoint next time. */
  private catchUp(document: LedgerDocument | undefined): LoadFailure {
    if ((document?.checkpoint ?? NO_STREAM) > this.tail.projected) this.based = false;
    return 'behind';
  }

  private rebase(document: LedgerDocument | undefined): void {
    this.knownKeys = document === undefined ? new KnownKeys() : undefined;
    this.tail = new Tail(document?.checkpoint ?? NO_STREAM, this.limits);
    this.acknowledgedPoint =
      document === undefined
        ? { revision: NO_STREAM, state: UNOPENED, hash: '', at: '' }
        : {
            revision: document.checkpoint,
            state: document.state,
            hash: document.hash,
            at: document.at,
          };
    this.hopedPoint = this.acknowledgedPoint;
    this.based = true;
  }

  private take(events: readonly WrittenEvent[], bytes: number): void {
    this.tail.append(events, bytes);
    if (this.knownKeys !== undefined) for (const event of events) this.knownKeys.learn(event);
  }

  private add(event: RecordedLedgerEvent): void {
    const written = writtenEvent(event);
    this.take([written], written.json.data.length);
    const { hash, at } = event.metadata;
    this.hopedPoint = {
      revision: event.revision,
      state: evolveLedger(this.hopedPoint.state, event),
      hash,
      at,
    };
  }

  private viewOf(keys: DecisionKeys, documents: Map<string, Binding>, remembered: readonly IdempotencyRecord[]): LedgerView {
    const bindings: Binding[] = [];
    for (const document of documents.values()) bindings.push(this.tail.advance(document.id, document) ?? document);
    for (const id of this.tail.matching(keys)) {
      const created = documents.has(id) ? undefined : this.tail.advance(id, undefined);
      if (created !== undefined) bindings.push(created);
    }
    const inTail = keys.scopedKeys.map((key) => this.tail.remembered(key)).filter((record) => record !== undefined);
    return new LedgerView(this.hopedPoint.state, bindings, [...remembered, ...inTail]);
  }
}

function newestOf(bindings: readonly Binding[]): number {
  let newest = NO_STREAM;
  for (const binding of bindings) if (binding.revision > newest) newest = binding.revision;
  return newest;
}
