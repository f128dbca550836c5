import { evolve, type Binding, type IdempotencyRecord } from '#domain';
import { NO_STREAM } from '#event-store';
import type { DecisionKeys } from '#read-model';
import type { WrittenEvent } from './chain.js';
import type { LedgerLimits } from './limits.js';
import { TailSegment } from './tail-segment.js';

export type TailLimits = Pick<LedgerLimits, 'tailEvents' | 'tailBytes'>;

/** A segment is forgotten as a whole: by this share of the tail's limits, what is kept may go beyond what is not projected. */
const SEGMENTS = 4;

/**
 * The end of a ledger's stream that the read model may not have applied yet: the events after `after` up to `head`,
 * contiguous, found by binding and by the keys that their events give. It is kept in segments, since to forget a segment costs
 * nothing, and to forget event by event as much as to take them in.
 */
export class Tail {
  private segments: TailSegment[] = [];
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

  append(events: readonly WrittenEvent[], bytes: number): void {
    let segment = this.segments.at(-1);
    if (segment === undefined || this.isFullSegment(segment)) {
      this.segments.push((segment = new TailSegment(this.headRevision + 1)));
    }
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

  /** Forgets the events behind a revision, which were only hoped for. */
  cutTo(head: number): void {
    this.segments = this.segments.filter(({ firstRevision }) => firstRevision <= head);
    this.segments.at(-1)?.cutTo(head);
    this.headRevision = Math.max(this.segments.at(-1)?.lastRevision ?? NO_STREAM, this.afterRevision);
  }

  /** Ids of the bindings that hold one of the keys at the head, or are named by id; perhaps of some that held one before. */
  matching(keys: DecisionKeys): Set<string> {
    const ids = new Set<string>();
    for (const segment of this.segments) segment.addMatching(keys, ids);
    return ids;
  }

  /** True when the tail holds the whole life of the binding, so that no document is needed for it. */
  createdHere(bindingId: string): boolean {
    for (const segment of this.segments) {
      const type = segment.firstTypeOf(bindingId);
      if (type !== undefined) return type === 'BindingCreated';
    }
    return false;
  }

  /** The binding at the tail's head, from its document (none, if it was created here). */
  advance(bindingId: string, document: Binding | undefined): Binding | undefined {
    let binding = document;
    for (const segment of this.segments) {
      for (const event of segment.eventsOf(bindingId, binding?.version ?? 0)) binding = evolve(binding, event, event);
    }
    return binding;
  }

  remembered(scopedKey: string): IdempotencyRecord | undefined {
    for (const segment of this.segments.toReversed()) {
      const record = segment.remembered(scopedKey);
      if (record !== undefined) return record;
    }
    return undefined;
  }

  private isFullSegment({ length, bytes }: TailSegment): boolean {
    return length * SEGMENTS >= this.limits.tailEvents || bytes * SEGMENTS >= this.limits.tailBytes;
  }
}
