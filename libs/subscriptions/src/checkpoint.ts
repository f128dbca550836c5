import type { Position } from '#event-store';

/** A position that was begun, and whether everything at it is done. */
export interface InFlight {
  /** How far the checkpoint is when this and everything before is done: what follows it up to here, nobody wants. */
  reaches: Position;
  done: boolean;
}

/** Entries that were done are given back together. */
const COMPACT_AT = 1_024;

/**
 * How far a subscriber is, though it works on several ledgers at once: everything up to the checkpoint, inclusive, is done,
 * whatever is done behind it. Positions are begun in the store's order; they may be finished in any.
 */
export class CheckpointTracker {
  private entries: InFlight[] = [];
  private first = 0;
  private last: Position;

  /** @param checkpoint where the subscriber resumes: done already. */
  constructor(private reached: Position) {
    this.last = reached;
  }

  get checkpoint(): Position {
    return this.reached;
  }

  /** Positions that were begun and are not below the checkpoint yet. What was only passed is none of them. */
  get inFlight(): number {
    return this.entries.length - this.first;
  }

  begin(position: Position): InFlight {
    this.follow(position, position > this.last);
    const entry = { reaches: position, done: false };
    this.entries.push(entry);
    return entry;
  }

  finish(entry: InFlight): void {
    entry.done = true;
    this.settle();
  }

  /** Everything up to here was looked at; what was wanted of it was begun. */
  passed(position: Position): void {
    if (position === this.last) return;
    this.follow(position, position > this.last);
    const newest = this.entries.at(-1);
    // No entry of its own: however much nobody wants, while one handler is slow, takes neither memory nor room.
    if (newest === undefined) this.reached = position;
    else newest.reaches = position;
  }

  private follow(position: Position, after: boolean): void {
    if (!after) throw new Error(`broken invariant: position ${position} does not come after ${this.last}`);
    this.last = position;
  }

  private settle(): void {
    for (let entry = this.entries[this.first]; entry?.done === true; entry = this.entries[this.first]) {
      this.reached = entry.reaches;
      this.first += 1;
    }
    if (this.first >= COMPACT_AT || this.first === this.entries.length) {
      this.entries = this.entries.slice(this.first);
      this.first = 0;
    }
  }
}
