import { isDeepStrictEqual } from 'node:util';
import { ledgerKey, type Binding, type LedgerName } from '#domain';
import type { EventStore } from '#event-store';
import type { LedgerDocument, ReadModel } from '#read-model';
import { readLedgerEvent } from './chain.js';
import { foldBatch } from './fold-batch.js';
import type { StreamNames } from './streams.js';

/** One thing that the read model says otherwise than the events. */
export interface Difference {
  /** `null`: of the ledger itself. */
  bindingId: string | null;
  /** Of the binding or the ledger's document; `binding` where one side has none, `history` for its history rows. */
  field: string;
  /** What each side says, as JSON, cut where it is long; `null` where it says nothing. */
  readModel: string | null;
  events: string | null;
}

export interface DifferencesReport {
  ledger: string;
  ok: boolean;
  /** The revision up to which the events were applied. */
  revision: number;
  /** Bindings that were compared. */
  compared: number;
  /** How many things differ; the first of them are listed. */
  differing: number;
  differences: Difference[];
}

export interface DifferencesTools {
  store: Pick<EventStore, 'readStream' | 'headRevision'>;
  streams: Pick<StreamNames, 'ledger'>;
  /** What answers, and goes on being written. */
  readModel: ReadModel;
  /** An empty one of its own, to apply the events to. */
  scratch: ReadModel;
  maxEvents: number;
  sleep(ms: number): Promise<void>;
  /** Told after each batch that was applied to the empty one, and each page of bindings; may throw to end it. */
  progress(revision: number): void;
}

export const MAX_LISTED_DIFFERENCES = 100;
const MAX_SHOWN_LENGTH = 200;
const PAGE_BINDINGS = 500;
const PAGE_REVISIONS = 1_000;
/** Looks at a binding that seems to differ, while it is being written. */
const MAX_LOOKS = 3;
const MAX_WAITS = 200;
const WAIT_MS = 25;

/**
 * Applies a ledger's events to an empty read model and compares it with the one that answers, though that is written meanwhile: where a
 * binding is newer there, the events up to just that revision are applied, so that both are compared as of the same event.
 */
export async function differencesOf(tools: DifferencesTools, ledger: LedgerName): Promise<DifferencesReport> {
  return new Comparison(tools, ledger).run();
}

class Comparison {
  private readonly differences: Difference[] = [];
  private differing = 0;
  private compared = 0;
  private checkpoint = -1;

  constructor(
    private readonly tools: DifferencesTools,
    private readonly ledger: LedgerName,
  ) {}

  async run(): Promise<DifferencesReport> {
    const document = await this.tools.readModel.ledgerDocument(this.ledger);
    await this.advance(document?.checkpoint ?? -1);
    await this.compareLedgers(document);
    for (const state of [undefined, 'unbound'] as const) await this.walk(state);
    const { compared, differing, differences, checkpoint } = this;
    const ledger = ledgerKey(this.ledger);
    return { ledger, ok: differing === 0, revision: checkpoint, compared, differing, differences };
  }

  /** Applies events up to a revision, as far as there are any. */
  private async advance(to: number): Promise<void> {
    const { store, streams, scratch, maxEvents, progress } = this.tools;
    let at: Pick<LedgerDocument, 'generation' | 'checkpoint' | 'state'> = await scratch.openLedger(this.ledger);
    while (at.checkpoint < to) {
      const limit = Math.min(maxEvents, to - at.checkpoint);
      const page = await store.readStream(streams.ledger(this.ledger), { after: at.checkpoint, limit });
      if (page.length === 0) return;
      const batch = foldBatch(this.ledger, at, page.map(readLedgerEvent));
      await scratch.apply(batch);
      at = { generation: at.generation, checkpoint: batch.to, state: batch.state };
      this.checkpoint = batch.to;
      progress(batch.to);
    }
  }

  private async compareLedgers(document: LedgerDocument | undefined): Promise<void> {
    const { scratch, store, streams } = this.tools;
    if (document === undefined) {
      const head = await store.headRevision(streams.ledger(this.ledger));
      return this.compareField(null, 'checkpoint', undefined, head < 0 ? undefined : head);
    }
    const expected = await scratch.ledgerDocument(this.ledger);
    for (const field of ['checkpoint', 'hash', 'at'] as const) this.compareField(null, field, document[field], expected?.[field]);
    for (const [field, told] of Object.entries(expected?.state ?? {}))
      this.compareField(null, field, (document.state as unknown as Record<string, unknown>)[field], told);
  }

  /** Both listings in the order of ids; what is in one alone, or not the same, is looked at by itself. */
  private async walk(state: 'unbound' | undefined): Promise<void> {
    const found = new Bindings(this.tools.readModel, this.ledger, state);
    const told = new Bindings(this.tools.scratch, this.ledger, state);
    for (;;) {
      const [one, other] = [await found.peek(), await told.peek()];
      if (one === undefined && other === undefined) return;
      const id = one === undefined || (other !== undefined && other.id < one.id) ? (other as Binding).id : one.id;
      if (one?.id === id) found.take();
      if (other?.id === id) told.take();
      this.compared += 1;
      if (this.compared % PAGE_BINDINGS === 0) this.tools.progress(this.checkpoint);
      if (!isDeepStrictEqual(one, other)) await this.look(id);
      await this.compareHistories(id);
    }
  }

  private async look(id: string): Promise<void> {
    for (let looks = 1; ; looks += 1) {
      const found = await this.tools.readModel.findById(this.ledger, id);
      if (found !== undefined) await this.advance(found.revision);
      const told = await this.tools.scratch.findById(this.ledger, id);
      if (isDeepStrictEqual(found, told)) return;
      if (looks === MAX_LOOKS) return this.compareBindings(id, found, told);
      // A batch may be under way there, of which another binding was seen here.
      await this.reached();
    }
  }

  /** Waits, bounded, until what answers has applied what was applied here. */
  private async reached(): Promise<void> {
    for (let waits = 0; waits < MAX_WAITS; waits += 1) {
      const document = await this.tools.readModel.ledgerDocument(this.ledger);
      if ((document?.checkpoint ?? -1) >= this.checkpoint) return;
      await this.tools.sleep(WAIT_MS);
    }
  }

  private compareBindings(id: string, found: Binding | undefined, told: Binding | undefined): void {
    if (found === undefined || told === undefined) return this.compareField(id, 'binding', found, told);
    const [one, other] = [found, told] as unknown as Record<string, unknown>[];
    const fields = new Set([...Object.keys(one ?? {}), ...Object.keys(other ?? {})]);
    for (const field of fields) this.compareField(id, field, one?.[field], other?.[field]);
  }

  /** At which revisions the binding's events stand, as far as both sides know. */
  private async compareHistories(bindingId: string): Promise<void> {
    const { readModel, scratch } = this.tools;
    for (let after = -1; ;) {
      const [found, told] = [
        await readModel.history(this.ledger, { bindingId }, after, PAGE_REVISIONS),
        await scratch.history(this.ledger, { bindingId }, after, PAGE_REVISIONS),
      ];
      const full = Math.max(found.revisions.length, told.revisions.length) === PAGE_REVISIONS;
      const last = full ? Math.min(found.revisions.at(-1) ?? Infinity, told.revisions.at(-1) ?? Infinity) : Infinity;
      const upTo = Math.min(found.upTo, told.upTo, last);
      const [one, other] = [found, told].map(({ revisions }) => revisions.filter((revision) => revision <= upTo));
      if (!isDeepStrictEqual(one, other)) return this.compareField(bindingId, 'history', one, other);
      if (!full || one?.length === 0) return;
      after = upTo;
    }
  }

  private compareField(bindingId: string | null, field: string, found: unknown, told: unknown): void {
    if (isDeepStrictEqual(found, told)) return;
    this.differing += 1;
    if (this.differences.length >= MAX_LISTED_DIFFERENCES) return;
    this.differences.push({ bindingId, field, readModel: shown(found), events: shown(told) });
  }
}

/** A listing, a page at a time. */
class Bindings {
  private page: Binding[] = [];
  private place = 0;
  private cursor: string | null | undefined;

  constructor(
    private readonly readModel: ReadModel,
    private readonly ledger: LedgerName,
    private readonly state: 'unbound' | undefined,
  ) {}

  async peek(): Promise<Binding | undefined> {
    while (this.place >= this.page.length && this.cursor !== null) {
      const filter = this.state === undefined ? {} : { state: this.state };
      const { items, nextCursor } = await this.readModel.list(this.ledger, filter, PAGE_BINDINGS, this.cursor);
      [this.page, this.place, this.cursor] = [items, 0, nextCursor];
    }
    return this.page[this.place];
  }

  take(): void {
    this.place += 1;
  }
}

function shown(value: unknown): string | null {
  if (value === undefined) return null;
  const text = JSON.stringify(value);
  return text.length > MAX_SHOWN_LENGTH ? `${text.slice(0, MAX_SHOWN_LENGTH)}…` : text;
}
