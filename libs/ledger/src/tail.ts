import {
  idempotencyRecordOf,
  isBindingEvent,
  stampOf,
  evolve,
  KeyIndex,
  type Binding,
  type BindingEvent,
  type IdempotencyRecord,
  type RecordedLedgerEvent,
} from '#domain';
import type { DecisionKeys } from '#read-model';

type RecordedBindingEvent = RecordedLedgerEvent & BindingEvent;

/**
 * The end of a ledger's stream that the read model may not have applied yet: the events after `after` up to `head`,
 * contiguous, found by binding and by the keys that each binding holds after its newest event here.
 */
export class Tail {
  private events: RecordedLedgerEvent[] = [];
  private readonly byBinding = new Map<string, RecordedBindingEvent[]>();
  private readonly byRecord = new KeyIndex();
  private readonly byExternalId = new KeyIndex();
  private readonly idempotency = new Map<string, IdempotencyRecord>();

  constructor(private afterRevision: number) {}

  get after(): number {
    return this.afterRevision;
  }

  get head(): number {
    return this.events.at(-1)?.revision ?? this.afterRevision;
  }

  get length(): number {
    return this.events.length;
  }

  append(event: RecordedLedgerEvent): void {
    if (event.revision !== this.head + 1)
      throw new Error(`broken invariant: event ${event.revision} follows on ${this.head} in a tail`);
    this.events.push(event);
    if (!isBindingEvent(event)) return;
    const of = this.byBinding.get(event.data.bindingId);
    const before = of?.at(-1);
    if (before !== undefined) this.unindex(before);
    if (of === undefined) this.byBinding.set(event.data.bindingId, [event]);
    else of.push(event);
    this.index(event);
    const { idempotency, actor } = event.metadata;
    if (idempotency === undefined) return;
    const record = idempotencyRecordOf(event, stampOf(event), actor, idempotency);
    this.idempotency.set(record.scopedKey, record);
  }

  /** Forgets the events up to a revision: the read model has them. */
  pruneTo(checkpoint: number): void {
    let count = 0;
    for (const event of this.events) {
      if (event.revision > checkpoint) break;
      count += 1;
      if (isBindingEvent(event)) this.forget(event);
    }
    this.events = count === 0 ? this.events : this.events.slice(count);
    this.afterRevision = Math.max(this.afterRevision, checkpoint);
  }

  /** The same tail up to a revision, without the events behind it that were only hoped for. */
  truncatedTo(head: number): Tail {
    const tail = new Tail(this.afterRevision);
    for (const event of this.events) if (event.revision <= head) tail.append(event);
    return tail;
  }

  /** Ids of the bindings that hold one of the keys after their newest event here, or are named by id. */
  matching(keys: DecisionKeys): Set<string> {
    const ids = new Set<string>();
    for (const recordId of keys.recordIds) for (const id of this.byRecord.of(recordId)) ids.add(id);
    for (const externalId of keys.externalIds) for (const id of this.byExternalId.of(externalId)) ids.add(id);
    for (const id of keys.bindingIds) if (this.byBinding.has(id)) ids.add(id);
    return ids;
  }

  /** True when the tail holds the whole life of the binding, so that no document is needed for it. */
  createdHere(bindingId: string): boolean {
    return this.byBinding.get(bindingId)?.[0]?.type === 'BindingCreated';
  }

  /** The binding at the tail's head, from its document (none, if it was created here). */
  advance(bindingId: string, document: Binding | undefined): Binding | undefined {
    let binding = document;
    for (const event of this.byBinding.get(bindingId) ?? []) {
      if (event.data.version > (binding?.version ?? 0)) binding = evolve(binding, event, stampOf(event));
    }
    return binding;
  }

  remembered(scopedKey: string): IdempotencyRecord | undefined {
    return this.idempotency.get(scopedKey);
  }

  private index({ data }: RecordedBindingEvent): void {
    if (data.state === 'unbound') return;
    this.byRecord.add(data.recordId, data.bindingId);
    if (data.externalId !== null) this.byExternalId.add(data.externalId, data.bindingId);
  }

  private unindex({ data }: RecordedBindingEvent): void {
    this.byRecord.remove(data.recordId, data.bindingId);
    if (data.externalId !== null) this.byExternalId.remove(data.externalId, data.bindingId);
  }

  private forget(event: RecordedBindingEvent): void {
    const of = this.byBinding.get(event.data.bindingId);
    of?.shift();
    if (of?.length === 0) {
      this.unindex(event);
      this.byBinding.delete(event.data.bindingId);
    }
    const { idempotency, actor } = event.metadata;
    if (idempotency === undefined) return;
    const { scopedKey } = idempotencyRecordOf(event, stampOf(event), actor, idempotency);
    if (this.idempotency.get(scopedKey)?.answer.revision === event.revision) this.idempotency.delete(scopedKey);
  }
}
