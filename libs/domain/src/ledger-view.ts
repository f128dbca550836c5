import {
  countInto,
  evolve,
  evolveLedger,
  isBindingEvent,
  isLive,
  type Binding,
  type LedgerEvent,
  type LedgerState,
  type Stamp,
} from './ledger.js';
import type { Answer } from './commands.js';
import { KeyIndex } from './key-index.js';

/** What a ledger remembers of a command that carried an idempotency key. */
export interface IdempotencyRecord {
  /** Scoped to ledger and actor: `scopedKey`. */
  scopedKey: string;
  /** Hash of the request, so that the same key with another request is noticed. */
  request: string;
  answer: Answer;
  at: string;
}

/** Says where the actor ends: else actor and key could be cut elsewhere, and one actor be given another's answer. */
export function scopedKey(actor: string, key: string): string {
  return `${actor.length} ${actor} ${key}`;
}

/**
 * The part of a ledger's state that a batch of commands touches, at one revision. Commands are decided over it one after
 * the other, each seeing what those before it did. It answers only for the keys it was loaded with.
 */
export class LedgerView {
  /** The view's own copy, whose counts change with each event. */
  state: LedgerState;
  private readonly bindings = new Map<string, Binding>();
  private readonly byRecord = new KeyIndex();
  private readonly byExternalId = new KeyIndex();
  private readonly idempotency = new Map<string, IdempotencyRecord>();

  constructor(state: LedgerState, bindings: Iterable<Binding> = [], records: Iterable<IdempotencyRecord> = []) {
    this.state = { ...state, counts: { ...state.counts } };
    for (const binding of bindings) this.put(binding);
    for (const record of records) this.remember(record);
  }

  binding(id: string): Binding | undefined {
    return this.bindings.get(id);
  }

  /** Live bindings of a record, oldest first. */
  liveOfRecord(recordId: string): Binding[] {
    const live = this.byRecord.of(recordId).map((id) => this.known(id));
    return live.length <= 1
      ? live
      : live.sort((a, b) => (a.createdAt < b.createdAt || (a.createdAt === b.createdAt && a.id < b.id) ? -1 : 1));
  }

  /** The live binding that holds the external id. @throws when two hold it: the ledger is broken. */
  liveOfExternalId(externalId: string): Binding | undefined {
    const ids = this.byExternalId.of(externalId);
    if (ids.length > 1) throw new Error(`broken invariant: external id ${externalId} is bound ${ids.length} times`);
    const [id] = ids;
    return id === undefined ? undefined : this.known(id);
  }

  remembered(scoped: string): IdempotencyRecord | undefined {
    return this.idempotency.get(scoped);
  }

  remember(record: IdempotencyRecord): void {
    this.idempotency.set(record.scopedKey, record);
  }

  apply(event: LedgerEvent, stamp: Stamp): void {
    if (isBindingEvent(event)) {
      countInto(this.state.counts, event);
      this.put(evolve(this.bindings.get(event.data.bindingId), event, stamp));
    } else this.state = evolveLedger(this.state, event);
  }

  /** A copy that can be changed and thrown away, for a batch of which all is done or nothing. */
  fork(): LedgerView {
    return new LedgerView(this.state, this.bindings.values(), this.idempotency.values());
  }

  private known(id: string): Binding {
    const binding = this.bindings.get(id);
    if (binding === undefined) throw new Error(`broken invariant: binding ${id} is indexed but not there`);
    return binding;
  }

  private put(binding: Binding): void {
    const before = this.bindings.get(binding.id);
    if (before !== undefined && isLive(before)) {
      this.byRecord.remove(before.recordId, before.id);
      if (before.externalId !== null) this.byExternalId.remove(before.externalId, before.id);
    }
    this.bindings.set(binding.id, binding);
    if (!isLive(binding)) return;
    this.byRecord.add(binding.recordId, binding.id);
    if (binding.externalId !== null) this.byExternalId.add(binding.externalId, binding.id);
  }
}
