import { EventStoreError, type EventStore } from '#event-store';
import type { Breath } from './breath.js';
import type { EventChecker, Fault, KnownDigest, StoredEvent } from './stored-event.js';

const PAGE_EVENTS = 256;
/** Events looked at between two looks at the clock. */
const EVENTS_TOGETHER = 16;

export type StoreForAudit = Pick<EventStore, 'readStream' | 'headRevision' | 'ping'>;

/** Reads a stream through a checker, up to one revision after another, and stops for good at the first fault. */
export class StreamFold {
  fault: Fault | undefined;

  constructor(
    private readonly store: StoreForAudit,
    private readonly stream: string,
    private readonly checker: EventChecker,
    private readonly breath: Breath,
    private readonly digest?: KnownDigest,
    private readonly moved: (revision: number) => void = () => {},
  ) {}

  /** False when a fault was found up to there. */
  async to(revision: number): Promise<boolean> {
    while (this.fault === undefined && this.checker.revision < revision) {
      const after = this.checker.revision;
      const page = await this.read(after, Math.min(PAGE_EVENTS, revision - after));
      if (page.length === 0 && this.fault === undefined) this.miss(after + 1, 'the stream ends before it');
      await this.checkAll(page);
      this.moved(this.checker.revision);
    }
    return this.fault === undefined;
  }

  private async checkAll(page: readonly StoredEvent[]): Promise<void> {
    for (let index = 0; index < page.length && this.fault === undefined; index += 1) {
      this.check(page[index] as StoredEvent);
      if (index % EVENTS_TOGETHER === 0 && this.breath.due) await this.breath.take();
    }
  }

  private check(event: StoredEvent): void {
    const next = this.checker.revision + 1;
    if (event.revision > next) return this.miss(next, `the event is missing: revision ${event.revision} comes next`);
    const why = this.checker.check(event);
    if (why !== undefined) this.fault = { revision: next, eventId: event.id, why };
    else if (this.digest?.revision === next && this.digest.hash !== this.checker.hash) {
      const detail = `the digest kept of this revision is ${this.digest.hash}, the hash here is ${this.checker.hash}`;
      this.fault = { revision: next, eventId: event.id, why: `${detail}: something up to here was rewritten, with its hashes` };
    }
  }

  private miss(revision: number, why: string): void {
    this.fault = { revision, eventId: null, why };
  }

  /** An event that cannot be read is a fault of its own, and told from a store that cannot be used now: that one throws. */
  private async read(after: number, limit: number): Promise<StoredEvent[]> {
    try {
      return await this.store.readStream(this.stream, { after, limit, withJson: true });
    } catch (error) {
      if (error instanceof EventStoreError && error.code === 'CLOSED') throw error;
      await this.store.ping();
      if (limit > 1) return this.read(after, limit > 16 ? 16 : 1);
      return this.readOne(after);
    }
  }

  private async readOne(after: number): Promise<StoredEvent[]> {
    try {
      return await this.store.readStream(this.stream, { after, limit: 1, withJson: true });
    } catch (error) {
      await this.store.ping();
      this.miss(after + 1, `the event cannot be read: ${error instanceof Error ? error.message : String(error)}`);
      return [];
    }
  }
}
