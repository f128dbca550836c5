import type { RecordedEvent, Revision } from '#event-store';

/** So often the store's time is looked up for one stream. */
const STAMP_EVERY_MS = 5_000;
const MAX_KNOWN_STREAMS = 10_000;

/**
 * When the store wrote an event. Its answer to an append does not say, so it is read back: of a stream's first append, and of one
 * every few seconds later. That is enough for whoever compares clocks, and costs the other appends nothing.
 */
export class StampSampler {
  private readonly nextAt = new Map<string, number>();

  constructor(
    private readonly clock: () => number,
    private readonly read: (stream: string, revision: Revision) => Promise<RecordedEvent | undefined>,
  ) {}

  /** Nothing when it was looked up a moment ago, or cannot be: the append has succeeded all the same. */
  async stampOf(stream: string, revision: Revision, id: string | undefined): Promise<string | undefined> {
    const now = this.clock();
    if (now < (this.nextAt.get(stream) ?? -Infinity)) return undefined;
    if (this.nextAt.size >= MAX_KNOWN_STREAMS) this.nextAt.clear();
    this.nextAt.set(stream, now + STAMP_EVERY_MS);
    const event = await this.read(stream, revision).catch(() => undefined);
    return event?.id === id ? event?.storedAt : undefined;
  }
}
