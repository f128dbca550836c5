import { EventEmitter, once } from 'node:events';
import type { EventStore, RecordedEvent, SubscribeTo, SubscriptionBatch } from '#event-store';

/** A consumer of a subscription that remembers what came, and can be asked to wait for more. */
export class Follower {
  readonly batches: SubscriptionBatch[] = [];
  /** Settles when the subscription has ended. */
  readonly ended: Promise<void>;
  #over = false;
  readonly #abort = new AbortController();
  readonly #arrivals = new EventEmitter();

  constructor(store: EventStore, to: SubscribeTo, pause: () => Promise<void> = async () => undefined) {
    this.ended = this.#run(store.subscribe(to, this.#abort.signal), pause);
    // Who waits for more learns of the end below; who awaits `ended` sees the failure.
    this.ended.catch(() => undefined);
  }

  get events(): RecordedEvent[] {
    return this.batches.flatMap(({ events }) => events);
  }

  /** Every event as `stream@revision`. */
  get seen(): string[] {
    return this.events.map(({ stream, revision }) => `${stream}@${revision}`);
  }

  get caughtUp(): boolean {
    return this.batches.at(-1)?.caughtUp ?? false;
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.#over) await this.ended.then(() => Promise.reject(new Error('The subscription ended too soon')));
      await once(this.#arrivals, 'change');
    }
  }

  /** Waits for so many events, ends the subscription and returns all that came. */
  async take(count: number): Promise<RecordedEvent[]> {
    await this.until(() => this.events.length >= count);
    await this.stop();
    return this.events;
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.ended;
  }

  async #run(batches: AsyncIterable<SubscriptionBatch>, pause: () => Promise<void>): Promise<void> {
    try {
      for await (const batch of batches) {
        this.batches.push(batch);
        this.#arrivals.emit('change');
        await pause();
      }
    } finally {
      this.#over = true;
      this.#arrivals.emit('change');
    }
  }
}
