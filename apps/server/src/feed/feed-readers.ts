/** Who reads the events of all ledgers at this moment: so many and no more. */
import type { FeedMetrics } from '../metrics.js';
import { refusedError } from '../http/problem.js';

/** Readers of one process at once: streams, and pages that wait. */
export const MAX_FEED_READERS = 1_000;
/** A stream on which nothing was sent for so long sends its position. */
export const HEARTBEAT_MS = 15_000;

export interface FeedOptions {
  maxReaders: number;
  heartbeatMs: number;
}

export class FeedReaders {
  private count = 0;

  constructor(
    readonly options: FeedOptions,
    private readonly metrics: FeedMetrics,
  ) {}

  /** Does something as one of the readers. @throws {RefusedError} `BUSY` when there are too many. */
  async run<T>(read: () => Promise<T>): Promise<T> {
    const { maxReaders } = this.options;
    if (this.count >= maxReaders)
      throw refusedError('BUSY', `${maxReaders} read events already, which is all that one process serves`);
    this.metrics.readers.set((this.count += 1));
    try {
      return await read();
    } finally {
      this.metrics.readers.set((this.count -= 1));
    }
  }

  sent(events: number): void {
    this.metrics.sent.inc(events);
  }

  cutOff(): void {
    this.metrics.cutOff.inc();
  }
}
