import { ledgerKey, type LedgerName } from '#domain';
import { EventStoreError, type EventStore, type RecordedEvent } from '#event-store';
import { IDEMPOTENCY_KEPT_MS, ReadModelError, type LedgerBatch, type ReadModel } from '#read-model';
import { readLedgerEvent, UnknownEvent } from './chain.js';
import { foldBatch, type Progress } from './fold-batch.js';
import { readAhead, type AheadBatch, type AheadOptions } from './read-ahead.js';
import type { StreamNames } from './streams.js';

export interface ProjectorTools {
  store: EventStore;
  readModel: ReadModel;
  streams: StreamNames;
  /** Events of the backends' and the catalog's streams, in order; they must be applied when it resolves. */
  projectCatalog(events: RecordedEvent[]): Promise<void>;
  applied?(ledger: LedgerName, checkpoint: number, at: string): void;
  troubled?(trouble: ProjectionTrouble): void;
  clock(): number;
  sleep(ms: number): Promise<void>;
  maxEvents: number;
  /** Whether nobody else writes to the read model. Others would wait too long for one that writes much together. */
  alone?(): boolean;
  /** Called after so many events were applied, before the next are taken. */
  rest?(events: number): Promise<void>;
}

/** Why a ledger, or with no ledger this instance's whole projection, has stopped. */
export interface ProjectionTrouble {
  ledger?: LedgerName;
  stream: string;
  revision: number;
  reason: string;
  /** It is tried again by itself. */
  passing?: true;
}

/** A gap is read in pieces of so many events. */
const GAP_EVENTS = 2_048;
const MAX_KNOWN_LEDGERS = 10_000;
const FORGET_EVERY_MS = 60_000;
const FORGET_AT_MOST = 10_000;
const MAX_RETRY_WAIT_MS = 2_000;
/** Events of a ledger that are folded at a time, where several folds become one transaction: all that they are made of dies young. */
const FOLDED_EVENTS = 512;
/** Two for each page that a store reads at a time, and enough for many pages. */
const TURNS_OF_SOURCE = 64;
/** What passes by itself in a moment, such as a lock, is not worth telling. */
const ATTEMPTS_BEFORE_STALLED = 3;

/**
 * Keeps the read model. The store's order tells it what is new; each ledger is applied strictly by its own stream's
 * revisions, from its own checkpoint: where the next event is not checkpoint + 1, the gap is read from the stream.
 */
export class Projector {
  /** Where each ledger stands: its current generation, and others that are kept up beside it, in the order to apply to them. */
  private readonly known = new Map<string, Progress[]>();
  private readonly stoppedLedgers = new Map<string, ProjectionTrouble>();
  private forgetAt = 0;
  private stalledBecause: string | undefined;
  /** Never more than one is under way, so that the saved position does not go back. */
  private saving: Promise<void> = Promise.resolve();
  /** How many ledgers the newest batch was of. */
  private ledgers = 1;
  /** What is applied, and not to be seen yet. */
  private unannounced: Map<string, () => void> | undefined;
  /** So many events more are applied batch by batch. */
  private singly = 0;

  constructor(private readonly tools: ProjectorTools) {}

  /** Why nothing is applied at the moment, though it is tried again and again: the stores cannot be used. */
  get stalled(): string | undefined {
    return this.stalledBecause;
  }

  get troubles(): ProjectionTrouble[] {
    return [...this.stoppedLedgers.values()];
  }

  /** Runs until the signal aborts; what the stores cannot do now is tried again. */
  async run(signal: AbortSignal): Promise<void> {
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      try {
        const after = await this.tools.readModel.position();
        const followed = { streamPrefixes: this.tools.streams.followed(), after };
        const subscribe = (ended: AbortSignal) => this.tools.store.subscribe(followed, ended);
        const batches = readAhead(subscribe, signal, this.aheadOptions());
        for await (const batch of batches) {
          const events = await this.takeTogether(batch, batches);
          attempt = 0;
          this.stalledBecause = undefined;
          await this.forgetOldKeys();
          await this.tools.rest?.(events);
        }
        await this.saving;
      } catch (error) {
        if (error instanceof UnknownEvent) return this.tools.troubled?.({ stream: '', revision: -1, reason: error.message });
        if (!(error instanceof EventStoreError) && !(error instanceof ReadModelError)) throw error;
        if (attempt >= ATTEMPTS_BEFORE_STALLED) this.stalledBecause = error.message;
        await this.saving.catch(() => undefined);
        this.saving = Promise.resolve();
        if (!signal.aborted) await this.tools.sleep(Math.min(MAX_RETRY_WAIT_MS, 50 * 2 ** attempt));
      }
    }
  }

  private aheadOptions(): AheadOptions {
    const { readModel, maxEvents } = this.tools;
    if (readModel.together === undefined) return { maxEvents: () => maxEvents, turns: 0 };
    return { maxEvents: () => Math.min(maxEvents, FOLDED_EVENTS * this.ledgers), turns: TURNS_OF_SOURCE };
  }

  /** Takes what is at hand, where the read model can do that in one transaction. Answers how many events it was. */
  private async takeTogether(first: AheadBatch, following: AsyncIterator<AheadBatch, void>): Promise<number> {
    const { readModel, maxEvents } = this.tools;
    if (readModel.together === undefined || this.singly > 0 || !this.alone) {
      await this.take(first);
      this.singly -= Math.min(this.singly, first.events.length);
      return first.events.length;
    }
    try {
      this.unannounced = new Map();
      const taken = await readModel.together(async () => {
        let events = 0;
        for (let batch: AheadBatch | void = first; batch !== undefined;) {
          await this.take(batch);
          events += batch.events.length;
          batch = batch.more && events < maxEvents && this.alone ? (await following.next()).value : undefined;
        }
        await this.saving;
        return events;
      });
      for (const announce of this.unannounced.values()) announce();
      return taken;
    } catch (error) {
      // None of it is there, so what was known of the ledgers is not true any more; and what is wrong is wrong with one batch.
      this.known.clear();
      this.singly = maxEvents;
      if (error instanceof EventStoreError || error instanceof ReadModelError) throw error;
      throw new ReadModelError('UNAVAILABLE', 'several batches could not be applied together', { cause: error });
    } finally {
      this.unannounced = undefined;
    }
  }

  private get alone(): boolean {
    return this.tools.alone?.() ?? true;
  }

  private async take({ events, position, caughtUp }: AheadBatch): Promise<void> {
    await this.project(events);
    await this.saving;
    this.saving = this.save(position);
    // Where more is to come, the next is begun meanwhile.
    if (caughtUp) await this.saving;
  }

  private save(position: string): Promise<void> {
    // A ledger that has stopped keeps the position before its event, so that a repaired program finds it again.
    const saving = this.stoppedLedgers.size === 0 ? this.tools.readModel.savePosition(position) : Promise.resolve();
    // Nobody waits for it yet.
    saving.catch(() => undefined);
    return saving;
  }

  /** Applies a run of the store's events, each ledger's together. */
  async project(events: readonly RecordedEvent[]): Promise<void> {
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
    this.ledgers = Math.max(1, byLedger.size);
    if (catalog.length > 0) await this.tools.projectCatalog(catalog);
    for (const of of byLedger.values()) await this.projectLedger(of.ledger, of.events);
  }

  private async projectLedger(ledger: LedgerName, recorded: RecordedEvent[]): Promise<void> {
    const key = ledgerKey(ledger);
    if (this.stoppedLedgers.has(key)) return;
    const to = recorded.at(-1)?.revision ?? -1;
    let generations = this.known.get(key) ?? (await this.reload(ledger));
    for (let index = 0; index < generations.length;) {
      const progress = generations[index] as Progress;
      if (progress.checkpoint >= to) index += 1;
      else {
        const events = await this.following(ledger, progress.checkpoint, recorded);
        const applied = await this.applyEvents(ledger, progress, events);
        if (this.stoppedLedgers.has(key)) return;
        if (applied !== undefined) generations[index] = applied;
        else [generations, index] = [await this.reload(ledger), 0];
      }
    }
  }

  /** The next events after the checkpoint: those at hand, or the gap before them from the stream. */
  private async following(ledger: LedgerName, checkpoint: number, recorded: RecordedEvent[]): Promise<RecordedEvent[]> {
    const start = recorded.findIndex((event) => event.revision > checkpoint);
    if (recorded[start]?.revision === checkpoint + 1) return recorded.slice(start, start + this.tools.maxEvents);
    const stream = this.tools.streams.ledger(ledger);
    const gap = await this.tools.store.readStream(stream, {
      after: checkpoint,
      limit: Math.min(this.tools.maxEvents, GAP_EVENTS),
    });
    if (gap[0]?.revision !== checkpoint + 1)
      throw new EventStoreError('UNAVAILABLE', `${stream}: revision ${checkpoint + 1} cannot be read`);
    return gap;
  }

  /** What was reached; `undefined` when the read model has moved otherwise, or the ledger was stopped. */
  private async applyEvents(ledger: LedgerName, progress: Progress, recorded: RecordedEvent[]): Promise<Progress | undefined> {
    try {
      const batch = foldBatch(ledger, progress, recorded.map(readLedgerEvent));
      const result = await this.tools.readModel.apply(batch);
      if (result === 'superseded') return undefined;
      this.announce(ledger, batch);
      return { generation: progress.generation, checkpoint: batch.to, state: batch.state };
    } catch (error) {
      if (error instanceof UnknownEvent || error instanceof EventStoreError || error instanceof ReadModelError) throw error;
      // Those that were applied with it have to be applied without it before it is said which one it is.
      if (this.unannounced !== undefined) throw error;
      this.stop(ledger, progress.checkpoint + 1, error);
      return undefined;
    }
  }

  /** Says that a batch was applied, as soon as everybody sees it. */
  private announce(ledger: LedgerName, { to, at }: LedgerBatch): void {
    const announce = () => this.tools.applied?.(ledger, to, at);
    if (this.unannounced === undefined) announce();
    else this.unannounced.set(ledgerKey(ledger), announce);
  }

  /** An event that cannot be applied stops its own ledger only, visibly; it is never skipped. */
  private stop(ledger: LedgerName, revision: number, error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    const trouble = { ledger, stream: this.tools.streams.ledger(ledger), revision, reason };
    this.stoppedLedgers.set(ledgerKey(ledger), trouble);
    this.tools.troubled?.(trouble);
  }

  /** A generation about to become current comes first, so that no answer goes backwards when it does; a former one last. */
  private async reload(ledger: LedgerName): Promise<Progress[]> {
    const { next, former, ...current } = await this.tools.readModel.openLedger(ledger);
    const generations: Progress[] = [next, current, former].filter((document) => document !== undefined);
    if (this.known.size >= MAX_KNOWN_LEDGERS) this.known.clear();
    this.known.set(ledgerKey(ledger), generations);
    return generations;
  }

  private async forgetOldKeys(): Promise<void> {
    const now = this.tools.clock();
    if (now < this.forgetAt) return;
    this.forgetAt = now + FORGET_EVERY_MS;
    await this.tools.readModel.forgetIdempotency(new Date(now - IDEMPOTENCY_KEPT_MS).toISOString(), FORGET_AT_MOST);
  }
}
