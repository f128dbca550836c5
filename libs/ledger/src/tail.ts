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
  type Stamp,
} from '#domain';
import { NO_STREAM } from '#event-store';
import type { DecisionKeys } from '#read-model';
import type { LedgerLimits } from './limits.js';

export type TailLimits = Pick<LedgerLimits, 'tailEvents' | 'tailBytes'>;

/** A segment is forgotten as a whole: by this share of the tail's limits, what is kept may go beyond what is not projected. */
const SEGMENTS = 4;

/**
 * The end of a ledger's stream that the read model may not have applied yet: the events after `after` up to `head`,
 * contiguous, found by binding and by the keys that their events give. It is kept in segments, since to forget a segment costs
 * nothing, and to forget event by event as much as to take them in.
 */
export class Tail {
  private segments: Segment[] = [];
  private headRevision: number;
  private projectedRevision: number;

  constructor(
    private afterRevision: number,
    private readonly limits: TailLimits,
  ) {
    this.headRevision = this.projectedRevision = afterRevision;
  }

  get after(): number {
    return this.afterRevision;
  }

  get head(): number {
    return this.headRevision;
  }

  /** The newest checkpoint of the read model that it was told. */
  get projected(): number {
    return this.projectedRevision;
  }

  /** Events that are not projected. */
  get length(): number {
    return this.headRevision - this.projectedRevision;
  }

  /** True when the read model is so far behind that it must be waited for. */
  get isFull(): boolean {
    const bytes = this.segments.reduce((sum, segment) => sum + segment.bytes, 0);
    return this.length > this.limits.tailEvents || bytes > this.limits.tailBytes;
  }

  append(events: readonly RecordedLedgerEvent[], bytes: number): void {
    let segment = this.segments.at(-1);
    if (segment === undefined || this.isFullSegment(segment)) this.segments.push((segment = new Segment()));
    for (const event of events) {
      if (event.revision !== this.headRevision + 1)
        throw new Error(`broken invariant: event ${event.revision} follows on ${this.headRevision} in a tail`);
      segment.append(event);
      this.headRevision = event.revision;
    }
    segment.bytes += bytes;
  }

  /** The read model has the events up to a revision: segments of which it has all are forgotten. */
  pruneTo(checkpoint: number): void {
    if (checkpoint <= this.projectedRevision) return;
    this.projectedRevision = checkpoint;
    const kept = this.segments.findIndex((segment) => segment.lastRevision > checkpoint);
    if (kept === 0) return;
    this.segments = kept < 0 ? [] : this.segments.slice(kept);
    this.afterRevision = this.segments[0] === undefined ? checkpoint : this.segments[0].firstRevision - 1;
    this.headRevision = Math.max(this.headRevision, this.afterRevision);
  }

  /** The same tail up to a revision, without the events behind it that were only hoped for. */
  truncatedTo(head: number): Tail {
    const tail = new Tail(this.afterRevision, this.limits);
    tail.segments = this.segments
      .filter(({ firstRevision }) => firstRevision <= head)
      .map((segment) => segment.truncatedTo(head));
    tail.headRevision = Math.max(tail.segments.at(-1)?.lastRevision ?? NO_STREAM, this.afterRevision);
    tail.projectedRevision = this.projectedRevision;
    return tail;
  }

  /** Ids of the bindings that hold one of the keys at the head, or are named by id; perhaps of some that held one before. */
  matching(keys: DecisionKeys): Set<string> {
    const ids = new Set<string>();
    for (const { byRecord, byExternalId, byBinding } of this.segments) {
      for (const recordId of keys.recordIds) byRecord.addTo(ids, recordId);
      for (const externalId of keys.externalIds) byExternalId.addTo(ids, externalId);
      for (const id of keys.bindingIds) if (byBinding.has(id)) ids.add(id);
    }
    return ids;
  }

  /** True when the tail holds the whole life of the binding, so that no document is needed for it. */
  createdHere(bindingId: string): boolean {
    const first = this.segments.find(({ byBinding }) => byBinding.has(bindingId));
    return first?.eventsOf(bindingId)[0]?.type === 'BindingCreated';
  }

  /** The binding at the tail's head, from its document (none, if it was created here). */
  advance(bindingId: string, document: Binding | undefined): Binding | undefined {
    let binding = document;
    for (const segment of this.segments) {
      for (const event of segment.eventsOf(bindingId)) {
        if (event.data.version > (binding?.version ?? 0)) binding = evolve(binding, event, event);
      }
    }
    return binding;
  }

  remembered(scopedKey: string): IdempotencyRecord | undefined {
    return this.segments.findLast(({ idempotency }) => idempotency.has(scopedKey))?.idempotency.get(scopedKey);
  }

  private isFullSegment({ events, bytes }: Segment): boolean {
    return events.length * SEGMENTS >= this.limits.tailEvents || bytes * SEGMENTS >= this.limits.tailBytes;
  }
}

/** As much of an event as a binding's next state needs: what is kept of it longer than it takes to write it. */
type TailEvent = Pick<RecordedLedgerEvent, 'type' | 'data'> & Stamp;
type TailBindingEvent = TailEvent & BindingEvent;

/** A run of events. A key that an event took from its binding is found still: whoever finds it looks what the binding holds now. */
class Segment {
  readonly events: TailEvent[] = [];
  readonly byRecord = new KeyIndex();
  readonly byExternalId = new KeyIndex();
  readonly idempotency = new Map<string, IdempotencyRecord>();
  /** Most bindings have one event here, which needs no list. */
  readonly byBinding = new Map<string, TailBindingEvent | TailBindingEvent[]>();
  bytes = 0;

  get firstRevision(): number {
    return this.events[0]?.revision ?? Infinity;
  }

  get lastRevision(): number {
    return this.events.at(-1)?.revision ?? NO_STREAM;
  }

  append(event: RecordedLedgerEvent): void {
    const { type, data, revision, metadata } = event;
    const { at, reason, actor, idempotency } = metadata;
    this.add({ type, data, revision, at, reason });
    if (idempotency === undefined || !isBindingEvent(event)) return;
    const record = idempotencyRecordOf(event, stampOf(event), actor, idempotency);
    this.idempotency.set(record.scopedKey, record);
  }

  truncatedTo(head: number): Segment {
    if (this.lastRevision <= head) return this;
    const segment = new Segment();
    for (const event of this.events) if (event.revision <= head) segment.add(event);
    for (const [key, record] of this.idempotency) if (record.answer.revision <= head) segment.idempotency.set(key, record);
    segment.bytes = Math.round((this.bytes * segment.events.length) / this.events.length);
    return segment;
  }

  eventsOf(bindingId: string): readonly TailBindingEvent[] {
    const events = this.byBinding.get(bindingId);
    if (events === undefined) return NONE;
    return Array.isArray(events) ? events : [events];
  }

  private add(event: TailEvent): void {
    this.events.push(event);
    if (!isBindingOf(event)) return;
    const { bindingId, recordId, externalId, state } = event.data;
    const known = this.byBinding.get(bindingId);
    if (known === undefined) this.byBinding.set(bindingId, event);
    else if (Array.isArray(known)) known.push(event);
    else this.byBinding.set(bindingId, [known, event]);
    if (state === 'unbound') return;
    this.byRecord.add(recordId, bindingId);
    if (externalId !== null) this.byExternalId.add(externalId, bindingId);
  }
}

function isBindingOf(event: TailEvent): event is TailBindingEvent {
  return isBindingEvent(event);
}

const NONE: readonly TailBindingEvent[] = [];
