import { ledgerKey, type LedgerName } from '#domain';
import { EventStoreError, type EventStore, type RecordedEvent } from '#event-store';
import { ReadModelError, type ApplyResult, type LedgerBatch, type ReadModel } from '#read-model';
import { readLedgerEvent, UnknownEvent } from './chain.js';
import { foldBatch, type Progress } from './fold-batch.js';
import type { StreamNames } from './streams.js';

/** Why a ledger, or with no ledger this instance's whole projection, has stopped. */
export interface ProjectionTrouble {
  ledger?: LedgerName;
  stream: string;
  revision: number;
  reason: string;
  /** It is tried again by itself. */
  passing?: true;
}

export interface LedgerProjectionTools {
  store: EventStore;
  readModel: ReadModel;
  streams: StreamNames;
  applied?(ledger: LedgerName, checkpoint: number, at: string): void;
  troubled?(trouble: ProjectionTrouble): void;
  maxEvents: number;
}

/** A gap is read in pieces of so many events. */
const GAP_EVENTS = 2_048;
const MAX_KNOWN_LEDGERS = 10_000;

/**
 * Applies events to the documents of ledgers, each ledger's strictly by its own stream's revisions, from its own checkpoint: where
 * the next event is not checkpoint + 1, the gap is read from the stream.
 */
export class LedgerProjection {
  /**
   * Where each ledger stands: its current generation, and others that are kept up beside it, in the order to apply to them. What
   * is gathered counts as applied.
   */
  private readonly known = new Map<string, Progress[]>();
  private readonly stopped = new Map<string, ProjectionTrouble>();
  /** Folded, in order, and not applied yet. */
  private gathered: LedgerBatch[] = [];

  constructor(private readonly tools: LedgerProjectionTools) {}

  get troubles(): ProjectionTrouble[] {
    return [...this.stopped.values()];
  }

  /** The next events of a ledger. They are applied at once, or gathered where the read model takes many batches together. */
  async take(ledger: LedgerName, recorded: RecordedEvent[]): Promise<void> {
    if (this.stopped.has(ledgerKey(ledger))) return;
    const generations = this.known.get(ledgerKey(ledger)) ?? (await this.reload(ledger));
    if (this.gather(ledger, generations, recorded)) return;
    await this.finish();
    await this.applyUpTo(ledger, recorded.at(-1)?.revision ?? -1, recorded);
  }

  /** Applies what is gathered. When that throws, `forget` is to be called, and what came since the saved position taken anew. */
  async finish(): Promise<void> {
    const { gathered } = this;
    if (gathered.length === 0) return;
    this.gathered = [];
    const results = await this.resultsOf(gathered);
    for (const [key, { ledger, to }] of newestOf(gathered.filter((_, index) => results[index] === 'superseded'))) {
      this.known.delete(key);
      await this.applyUpTo(ledger, to, []);
    }
  }

  /** Forgets what is gathered, and what it knows of ledgers. */
  forget(): void {
    this.gathered = [];
    this.known.clear();
  }

  /**
   * Folds events while they are few, and keeps only what they come to: what they are made of dies young. False where they
   * have to be applied one batch after the other: around a rebuild, over a gap, and where they cannot be folded.
   */
  private gather(ledger: LedgerName, generations: Progress[], recorded: RecordedEvent[]): boolean {
    const [progress, ...others] = generations;
    if (this.tools.readModel.applyAll === undefined || progress === undefined || others.length > 0) return false;
    const start = recorded.findIndex((event) => event.revision > progress.checkpoint);
    if (start < 0) return true;
    if (recorded[start]?.revision !== progress.checkpoint + 1) return false;
    try {
      const batch = foldBatch(ledger, progress, recorded.slice(start).map(readLedgerEvent));
      this.gathered.push(batch);
      generations[0] = { generation: progress.generation, checkpoint: batch.to, state: batch.state };
      return true;
    } catch {
      // It is folded again by whoever says what is wrong with it.
      return false;
    }
  }

  /** What became of each batch; `undefined` for one that stopped its ledger. */
  private async resultsOf(batches: readonly LedgerBatch[]): Promise<(ApplyResult | undefined)[]> {
    const results: (ApplyResult | undefined)[] = [];
    try {
      results.push(...((await this.tools.readModel.applyAll?.(batches)) ?? []));
    } catch (error) {
      if (passesBy(error)) throw error;
      // One of them cannot be applied, so none was.
      for (const batch of batches) results.push(await this.applyAlone(batch));
      return results;
    }
    const applied = newestOf(batches.filter((_, index) => results[index] === 'applied'));
    for (const { ledger, to, at } of applied.values()) this.tools.applied?.(ledger, to, at);
    return results;
  }

  private async applyAlone(batch: LedgerBatch): Promise<ApplyResult | undefined> {
    try {
      const result = await this.tools.readModel.apply(batch);
      if (result === 'applied') this.tools.applied?.(batch.ledger, batch.to, batch.at);
      return result;
    } catch (error) {
      if (passesBy(error)) throw error;
      this.stop(batch.ledger, batch.after + 1, error);
      return undefined;
    }
  }

  /** Applies to each generation of the ledger what it has not had: of the events at hand, or from the stream. */
  private async applyUpTo(ledger: LedgerName, to: number, recorded: RecordedEvent[]): Promise<void> {
    const key = ledgerKey(ledger);
    if (this.stopped.has(key)) return;
    let generations = this.known.get(key) ?? (await this.reload(ledger));
    for (let index = 0; index < generations.length;) {
      const progress = generations[index] as Progress;
      if (progress.checkpoint >= to) index += 1;
      else {
        const events = await this.following(ledger, progress.checkpoint, recorded);
        const applied = await this.applyEvents(ledger, progress, events);
        if (this.stopped.has(key)) return;
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
      if (error instanceof UnknownEvent || passesBy(error)) throw error;
      this.stop(ledger, progress.checkpoint + 1, error);
      return undefined;
    }
  }

  /** An event that cannot be applied stops its own ledger only, visibly; it is never skipped. */
  private stop(ledger: LedgerName, revision: number, error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    const trouble = { ledger, stream: this.tools.streams.ledger(ledger), revision, reason };
    this.stopped.set(ledgerKey(ledger), trouble);
    this.tools.troubled?.(trouble);
  }

  /** A generation about to become current comes first, so that no answer goes backwards when it does; a former one last. */
  private async reload(ledger: LedgerName): Promise<Progress[]> {
    const { next, former, ...current } = await this.tools.readModel.openLedger(ledger);
    const generations: Progress[] = [next, current, former].filter((document) => document !== undefined);
    if (this.known.size >= MAX_KNOWN_LEDGERS) await this.forgetAll();
    this.known.set(ledgerKey(ledger), generations);
    return generations;
  }

  /** What is gathered is applied before: what the read model says of a ledger is behind it. */
  private async forgetAll(): Promise<void> {
    await this.finish();
    this.known.clear();
  }
}

/** Of each ledger, by its key. */
function newestOf(batches: readonly LedgerBatch[]): Map<string, LedgerBatch> {
  return new Map(batches.map((batch) => [ledgerKey(batch.ledger), batch]));
}

/** What the stores cannot do at the moment. */
function passesBy(error: unknown): boolean {
  return error instanceof EventStoreError || error instanceof ReadModelError;
}
