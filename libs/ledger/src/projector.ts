import {
  evolveLedgerBy,
  idempotencyRecordOf,
  isBindingEvent,
  ledgerKey,
  stampOf,
  updateOf,
  type IdempotencyRecord,
  type LedgerName,
  type RecordedLedgerEvent,
} from '#domain';
import { EventStoreError, type EventStore, type RecordedEvent } from '#event-store';
import {
  historyRowOf,
  IDEMPOTENCY_KEPT_MS,
  ReadModelError,
  type BindingWrite,
  type HistoryRow,
  type LedgerBatch,
  type LedgerDocument,
  type ReadModel,
} from '#read-model';
import { readLedgerEvent, UnknownEvent } from './chain.js';
import { readAhead } from './read-ahead.js';
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

/** Where a ledger stands: what its document says, as far as this projector knows. */
type Progress = Pick<LedgerDocument, 'generation' | 'checkpoint' | 'state'>;

/** A gap is read in pieces of so many events. */
const GAP_EVENTS = 2_048;
const MAX_KNOWN_LEDGERS = 10_000;
const FORGET_EVERY_MS = 60_000;
const FORGET_AT_MOST = 10_000;
const MAX_RETRY_WAIT_MS = 2_000;
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
      // Never more than one is under way, so that the saved position does not go back.
      let saving: Promise<void> = Promise.resolve();
      try {
        const after = await this.tools.readModel.position();
        const followed = { streamPrefixes: this.tools.streams.followed(), after };
        const subscribe = (ended: AbortSignal) => this.tools.store.subscribe(followed, ended);
        for await (const batch of readAhead(subscribe, signal, this.tools.maxEvents)) {
          await this.project(batch.events);
          await saving;
          saving = this.save(batch.position);
          // Where more is to come, the next is begun meanwhile.
          if (batch.caughtUp) await saving;
          attempt = 0;
          this.stalledBecause = undefined;
          await this.forgetOldKeys();
          await this.tools.rest?.(batch.events.length);
        }
        await saving;
      } catch (error) {
        if (error instanceof UnknownEvent) return this.tools.troubled?.({ stream: '', revision: -1, reason: error.message });
        if (!(error instanceof EventStoreError) && !(error instanceof ReadModelError)) throw error;
        if (attempt >= ATTEMPTS_BEFORE_STALLED) this.stalledBecause = error.message;
        await saving.catch(() => undefined);
        if (!signal.aborted) await this.tools.sleep(Math.min(MAX_RETRY_WAIT_MS, 50 * 2 ** attempt));
      }
    }
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
      this.tools.applied?.(ledger, batch.to, batch.at);
      return { generation: progress.generation, checkpoint: batch.to, state: batch.state };
    } catch (error) {
      if (error instanceof UnknownEvent || error instanceof EventStoreError || error instanceof ReadModelError) throw error;
      this.stop(ledger, progress.checkpoint + 1, error);
      return undefined;
    }
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

/** Folds consecutive events of a ledger to one write per binding. Nothing is read for it: each event carries its identity. */
export function foldBatch(ledger: LedgerName, progress: Progress, events: readonly RecordedLedgerEvent[]): LedgerBatch {
  const writes = new Map<string, BindingWrite>();
  const history: HistoryRow[] = [];
  const idempotency: IdempotencyRecord[] = [];
  for (const event of events) {
    if (!isBindingEvent(event)) continue;
    const stamp = stampOf(event);
    const update = updateOf(event, stamp);
    const write = writes.get(update.id);
    const row = historyRowOf(event, event.revision);
    if (write !== undefined) Object.assign(write.update, update);
    else writes.set(update.id, row === undefined ? { createdRevision: event.revision, update } : { update });
    if (row !== undefined) history.push(row);
    const stored = event.metadata.idempotency;
    if (stored !== undefined) idempotency.push(idempotencyRecordOf(event, stamp, event.metadata.actor, stored));
  }
  const last = events.at(-1);
  if (last === undefined) throw new Error('broken invariant: a batch has at least one event');
  const { hash, at } = last.metadata;
  const { generation, checkpoint } = progress;
  return {
    ledger,
    generation,
    after: checkpoint,
    to: last.revision,
    hash,
    at,
    state: evolveLedgerBy(progress.state, events),
    bindings: [...writes.values()],
    history,
    idempotency,
  };
}
