import type { LedgerName } from '#domain';
import { EventStoreError, type RecordedEvent } from '#event-store';
import { IDEMPOTENCY_KEPT_MS, ReadModelError } from '#read-model';
import { UnknownEvent } from './chain.js';
import { LedgerProjection, type LedgerProjectionTools, type ProjectionTrouble } from './ledger-projection.js';
import { MAX_JOINED_LENGTH, readAhead, type AheadOptions } from './read-ahead.js';

export type { ProjectionTrouble } from './ledger-projection.js';

export interface ProjectorTools extends LedgerProjectionTools {
  /** Events of the backends' and the catalog's streams, in order; they must be applied when it resolves. */
  projectCatalog(events: RecordedEvent[]): Promise<void>;
  clock(): number;
  sleep(ms: number): Promise<void>;
  /** Called when all is applied that there was, the last time so many events. */
  rest?(events: number): Promise<void>;
}

const FORGET_EVERY_MS = 60_000;
const FORGET_AT_MOST = 10_000;
const MAX_RETRY_WAIT_MS = 2_000;
/** Events of a ledger that are folded at a time, where many such folds are applied together. */
const FOLDED_EVENTS = 512;
/** Two for each page that a store reads at a time, and enough for many pages. */
const TURNS_OF_SOURCE = 64;
/** So many batches of the subscription are taken before the position is saved: they may be small, where most of the store is of others. */
const MAX_TAKEN_BATCHES = 32;
/** What passes by itself in a moment, such as a lock, is not worth telling. */
const ATTEMPTS_BEFORE_STALLED = 3;

const NOTHING_TAKEN = { batches: 0, events: 0, length: 0 };

/** Keeps the read model. The store's order tells it what is new; `ledger-projection.ts` says how a ledger's events are applied. */
export class Projector {
  private readonly ledgers: LedgerProjection;
  private forgetAt = 0;
  private stalledBecause: string | undefined;
  /** Events, and their characters, that were taken and of which the position is not saved. */
  private taken = NOTHING_TAKEN;
  /** How many ledgers the newest events were of. */
  private ledgersAtOnce = 1;

  constructor(private readonly tools: ProjectorTools) {
    this.ledgers = new LedgerProjection(tools);
  }

  /** Why nothing is applied at the moment, though it is tried again and again: the stores cannot be used. */
  get stalled(): string | undefined {
    return this.stalledBecause;
  }

  get troubles(): ProjectionTrouble[] {
    return this.ledgers.troubles;
  }

  /** Runs until the signal aborts; what the stores cannot do now is tried again. */
  async run(signal: AbortSignal): Promise<void> {
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      // Never more than one is under way, so that the saved position does not go back.
      let saving: Promise<void> = Promise.resolve();
      try {
        const after = await this.tools.readModel.position();
        const followed = { streamPrefixes: this.tools.streams.followed(), after };
        const subscribe = (ended: AbortSignal) => this.tools.store.subscribe(followed, ended);
        for await (const batch of readAhead(subscribe, signal, this.aheadOptions())) {
          await this.take(batch.events, batch.length);
          if (batch.more && batch.events.length > 0 && this.hasRoom) continue;
          const events = await this.finish();
          await saving;
          saving = this.save(batch.position);
          // Where more is to come, the next is begun meanwhile.
          if (batch.caughtUp) await saving;
          attempt = 0;
          this.stalledBecause = undefined;
          await this.forgetOldKeys();
          if (batch.caughtUp) await this.tools.rest?.(events);
        }
        await saving;
      } catch (error) {
        if (error instanceof UnknownEvent) return this.tools.troubled?.({ stream: '', revision: -1, reason: error.message });
        if (!(error instanceof EventStoreError) && !(error instanceof ReadModelError)) throw error;
        if (attempt >= ATTEMPTS_BEFORE_STALLED) this.stalledBecause = error.message;
        await saving.catch(() => undefined);
        if (!signal.aborted) await this.tools.sleep(Math.min(MAX_RETRY_WAIT_MS, 50 * 2 ** attempt));
      } finally {
        // What was taken and not applied comes again: from the saved position on.
        this.forget();
      }
    }
  }

  /** Applies a run of the store's events, each ledger's together. */
  async project(events: readonly RecordedEvent[]): Promise<void> {
    try {
      await this.take(events, 0);
      await this.finish();
    } finally {
      this.forget();
    }
  }

  private forget(): void {
    this.ledgers.forget();
    this.taken = NOTHING_TAKEN;
  }

  private async take(events: readonly RecordedEvent[], length: number): Promise<void> {
    const { taken } = this;
    this.taken = { batches: taken.batches + 1, events: taken.events + events.length, length: taken.length + length };
    const catalog: RecordedEvent[] = [];
    const byLedger = new Map<string, { ledger: LedgerName; events: RecordedEvent[] }>();
    for (const event of events) {
      const ledger = this.tools.streams.ledgerOf(event.stream);
      if (ledger === undefined) catalog.push(event);
      else {
        const of = byLedger.get(event.stream);
        if (of === undefined) byLedger.set(event.stream, { ledger, events: [event] });
        else of.events.push(event);
      }
    }
    this.ledgersAtOnce = Math.max(1, byLedger.size);
    if (catalog.length > 0) {
      await this.ledgers.finish();
      await this.tools.projectCatalog(catalog);
    }
    for (const of of byLedger.values()) await this.ledgers.take(of.ledger, of.events);
  }

  /** Applies what was taken. Answers how many events it was. */
  private async finish(): Promise<number> {
    await this.ledgers.finish();
    const { events } = this.taken;
    this.taken = NOTHING_TAKEN;
    return events;
  }

  private get gathers(): boolean {
    return this.tools.readModel.applyAll !== undefined;
  }

  /** Whether more may be taken before what was taken is applied. */
  private get hasRoom(): boolean {
    const { batches, events, length } = this.taken;
    return this.gathers && batches < MAX_TAKEN_BATCHES && events < this.tools.maxEvents && length < MAX_JOINED_LENGTH;
  }

  private aheadOptions(): AheadOptions {
    const { maxEvents } = this.tools;
    if (!this.gathers) return { maxEvents: () => maxEvents, turns: 0 };
    const room = () => Math.max(1, maxEvents - this.taken.events);
    return { maxEvents: () => Math.min(room(), FOLDED_EVENTS * this.ledgersAtOnce), turns: TURNS_OF_SOURCE };
  }

  private save(position: string): Promise<void> {
    // A ledger that has stopped keeps the position before its event, so that a repaired program finds it again.
    const saving = this.troubles.length === 0 ? this.tools.readModel.savePosition(position) : Promise.resolve();
    // Nobody waits for it yet.
    saving.catch(() => undefined);
    return saving;
  }

  private async forgetOldKeys(): Promise<void> {
    const now = this.tools.clock();
    if (now < this.forgetAt) return;
    this.forgetAt = now + FORGET_EVERY_MS;
    await this.tools.readModel.forgetIdempotency(new Date(now - IDEMPOTENCY_KEPT_MS).toISOString(), FORGET_AT_MOST);
  }
}
