import { EventStoreError, type EventStore, type StoredText } from '#event-store';
import type { Breath } from './breath.js';
import type { KnownDigests } from './known-digests.js';
import { memberTwice } from './member-twice.js';
import { show, type EventChecker, type Fault, type StoredEvent } from './stored-event.js';
import { TextReader } from './stored-text.js';

const PAGE_EVENTS = 256;
/** Events looked at between two looks at the clock. */
const EVENTS_TOGETHER = 16;

type Page = readonly (StoredEvent | StoredText)[];
export type StoreForAudit = Pick<EventStore, 'readStream' | 'readTexts' | 'headRevision' | 'ping'>;

/** Reads a stream through a checker, up to one revision after another, and stops for good at the first fault. */
export class StreamFold {
  fault: Fault | undefined;
  private readonly texts = new TextReader();

  constructor(
    private readonly store: StoreForAudit,
    private readonly stream: string,
    private readonly checker: EventChecker,
    private readonly breath: Breath,
    private readonly digests: KnownDigests,
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

  private async checkAll(page: Page): Promise<void> {
    for (let index = 0; index < page.length && this.fault === undefined; index += 1) {
      this.take(page[index] as StoredEvent | StoredText);
      if (index % EVENTS_TOGETHER === 0 && this.breath.due) await this.breath.take();
    }
  }

  private take(event: StoredEvent | StoredText): void {
    const next = this.checker.revision + 1;
    if (event.revision > next) return this.miss(next, `the event is missing: revision ${event.revision} comes next`);
    try {
      if (isText(event)) this.takeText(event, next);
      else this.check(event, next);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      this.miss(next, `the event cannot be read: ${error.message}`);
    }
  }

  private takeText(text: StoredText, next: number): void {
    const event = this.texts.read(text);
    // Text that is canonical has no member twice.
    const twice =
      (event.dataText === undefined ? memberTwice(text.data) : undefined) ??
      (event.chained === undefined ? memberTwice(text.metadata) : undefined);
    if (twice === undefined) this.check(event, next);
    else this.fault = { revision: next, eventId: event.id, why: `its text has the member ${show(twice)} twice` };
  }

  private check(event: StoredEvent, next: number): void {
    const why = this.checker.check(event) ?? this.digests.problemAt(next, this.checker.hash);
    if (why !== undefined) this.fault = { revision: next, eventId: event.id, why };
  }

  private miss(revision: number, why: string): void {
    this.fault = { revision, eventId: null, why };
  }

  /** An event that cannot be read is a fault of its own, and told from a store that cannot be used now: that one throws. */
  private async read(after: number, limit: number): Promise<Page> {
    try {
      return await this.readPage(after, limit);
    } catch (error) {
      if (error instanceof EventStoreError && error.code === 'CLOSED') throw error;
      await this.store.ping();
      if (limit > 1) return this.read(after, limit > 16 ? 16 : 1);
      return this.readOne(after);
    }
  }

  private async readOne(after: number): Promise<Page> {
    try {
      return await this.readPage(after, 1);
    } catch (error) {
      await this.store.ping();
      this.miss(after + 1, `the event cannot be read: ${error instanceof Error ? error.message : String(error)}`);
      return [];
    }
  }

  private async readPage(after: number, limit: number): Promise<Page> {
    return (await this.store.readTexts?.(this.stream, after, limit)) ?? this.store.readStream(this.stream, { after, limit });
  }
}

function isText(event: StoredEvent | StoredText): event is StoredText {
  return typeof event.data === 'string';
}
