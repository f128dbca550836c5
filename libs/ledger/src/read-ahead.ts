import { setImmediate as nextTurn } from 'node:timers/promises';
import type { SubscriptionBatch } from '#event-store';

export interface AheadBatch extends SubscriptionBatch {
  /** The next one is at hand: whoever asks for it is not kept waiting, and hears of no error. */
  more: boolean;
  /** Characters of its events, roughly. */
  length: number;
}

export interface AheadOptions {
  /** About so many events are handed on together at most. Asked again and again. */
  maxEvents: () => number;
  /** A source that is behind has so many turns of the event loop to have the next batch ready: reading may be synchronous. */
  turns: number;
}

/**
 * Reads a subscription on while what it gave before is being worked on, so that neither waits for the other, and hands on together
 * what has come meanwhile. But for those turns nothing is waited for to make a batch larger. An error of the
 * subscription is thrown behind what it gave; it has to end by the signal, which is aborted when the reader leaves.
 */
export async function* readAhead(
  subscribe: (signal: AbortSignal) => AsyncIterable<SubscriptionBatch>,
  signal: AbortSignal,
  { maxEvents, turns }: AheadOptions,
): AsyncGenerator<AheadBatch, void, undefined> {
  const leaving = new AbortController();
  const buffer = new Buffered(maxEvents);
  void buffer.fill(subscribe(AbortSignal.any([signal, leaving.signal])));
  try {
    for (let taken = await buffer.take(); taken !== undefined; taken = await buffer.take()) {
      for (let turn = 0; turn < turns && !taken.batch.caughtUp && !buffer.isReady; turn += 1) await nextTurn();
      yield { ...taken.batch, length: taken.length, more: buffer.isHolding };
    }
  } finally {
    // Not waited for: a store that does not answer must not keep the reader from trying again.
    leaving.abort();
    buffer.leave();
  }
}

/** Batches are joined while they have fewer characters, as far as one event of so many tells: of an odd number, for what alternates. */
export const MAX_JOINED_LENGTH = 16_777_216;
const SAMPLED_EVENTS = 17;

/** One batch that grows until it is taken. */
class Buffered {
  private held: SubscriptionBatch | undefined;
  private heldLength = 0;
  private end: { error?: unknown } | undefined;
  private left = false;
  private wakeReader: () => void = () => undefined;
  private wakeSource: () => void = () => undefined;

  constructor(private readonly maxEvents: () => number) {}

  /** Settles when the source has ended, or failed; never throws, that is the reader's to hear. */
  async fill(source: AsyncIterable<SubscriptionBatch>): Promise<void> {
    try {
      for await (const batch of source) {
        this.held = this.held === undefined ? batch : together(this.held, batch);
        this.heldLength += lengthOf(batch);
        this.wakeReader();
        if (this.isFull) await new Promise<void>((resolve) => (this.wakeSource = resolve));
        if (this.left) break;
      }
      this.end = {};
    } catch (error) {
      this.end = { error };
    }
    this.wakeReader();
  }

  /** What has come, or comes next; `undefined` when the source has ended. */
  async take(): Promise<{ batch: SubscriptionBatch; length: number } | undefined> {
    while (this.held === undefined && this.end === undefined) {
      await new Promise<void>((resolve) => (this.wakeReader = resolve));
    }
    const [batch, length] = [this.held, this.heldLength];
    this.held = undefined;
    this.heldLength = 0;
    this.wakeSource();
    if (batch === undefined && this.end !== undefined && 'error' in this.end) throw this.end.error;
    return batch && { batch, length };
  }

  leave(): void {
    this.left = true;
    this.wakeSource();
  }

  get isHolding(): boolean {
    return this.held !== undefined;
  }

  /** Waiting makes it no larger, or not soon. */
  get isReady(): boolean {
    return this.end !== undefined || this.held?.caughtUp === true || this.held?.events.length === 0 || this.isFull;
  }

  private get isFull(): boolean {
    if (this.held === undefined || this.left) return false;
    return this.held.events.length >= this.maxEvents() || this.heldLength >= MAX_JOINED_LENGTH;
  }
}

function lengthOf({ events }: SubscriptionBatch): number {
  let length = 0;
  for (let index = 0; index < events.length; index += SAMPLED_EVENTS) length += JSON.stringify(events[index]?.data).length;
  return length * SAMPLED_EVENTS;
}

function together(one: SubscriptionBatch, other: SubscriptionBatch): SubscriptionBatch {
  return { ...other, events: [...one.events, ...other.events] };
}
