import {
  isRefusal,
  ledgerKey,
  refuse,
  statusOf,
  UNOPENED,
  type LedgerName,
  type LedgerState,
  type LedgerStatus,
  type Refusal,
} from '#domain';
import type { EventStore } from '#event-store';
import { MAX_PAGE_BINDINGS, readLocalRecordPage, type BindingFilter, type LocatedBinding, type ReadModel } from '#read-model';
import { readLedgerEvent } from './chain.js';
import { LocalModels } from './local-models.js';
import { locate, locateRefusal, viewEvent, type EventView, type Place } from './located.js';
import { readEvents, refusingCursors } from './pages.js';
import { Positions } from './positions.js';
import type { ProjectionProgress } from './progress.js';
import type { StreamNames } from './streams.js';
import type { CheckLedger } from './writer.js';

/** How fresh an answer must be: a revision that it includes, or the ledger's end as of now. */
export interface Freshness {
  atLeast?: number | 'head';
  timeoutMs?: number;
}

export const DEFAULT_FRESHNESS_TIMEOUT_MS = 2_000;
export const MAX_LOOKUP_IDS = 1_000;
const LIST_ALL_PAGE = 500;

export interface LedgerStatusView {
  state: LedgerStatus;
  live: number;
  pending: number;
  unbound: number;
  newestSyncDate: string | null;
  headRevision: number;
  projectedRevision: number;
  /** Position of the newest event in the whole store, where a subscriber can begin; `null` for an unopened ledger. */
  headPosition: string | null;
}

export interface LookupResult {
  found: Record<string, LocatedBinding[]>;
  missing: string[];
}

export interface Digest {
  ledger: string;
  revision: number;
  hash: string;
  at: string;
}

export interface QueryTools {
  store: EventStore;
  readModel: ReadModel;
  streams: StreamNames;
  progress: ProjectionProgress;
  check: CheckLedger;
  /** Why nothing can be answered yet: a read model that is being made anew knows less than was bound. */
  notYet?: () => Refusal | undefined;
}

/** Everything that is asked of one ledger. Answers come from the read model; what it cannot know comes from the stream. */
export class LedgerQueries {
  readonly positions: Positions;
  private readonly localModels: LocalModels;

  constructor(private readonly tools: QueryTools) {
    this.positions = new Positions(tools.store, tools.streams);
    this.localModels = new LocalModels(tools);
  }

  /** to_internal: the live binding of an external id. */
  async toInternal(ledger: LedgerName, externalId: string, freshness?: Freshness): Promise<LocatedBinding | Refusal> {
    const place = await this.placeFor(ledger, freshness);
    if (isRefusal(place)) return place;
    const binding = await this.tools.readModel.findByExternalId(ledger, externalId);
    return binding === undefined
      ? refuse('NOT_BOUND', `external id ${JSON.stringify(externalId)} is not bound in ${ledgerKey(ledger)}`)
      : locate(place, binding);
  }

  /** to_external: the live binding of a record, also a pending one. */
  async toExternal(ledger: LedgerName, recordId: string, freshness?: Freshness): Promise<LocatedBinding | Refusal> {
    const place = await this.placeFor(ledger, freshness);
    if (isRefusal(place)) return place;
    const { bindings } = await this.tools.readModel.findByRecordIds(ledger, [recordId]);
    const [binding] = bindings;
    if (binding === undefined)
      return refuse('NOT_BOUND', `record ${JSON.stringify(recordId)} is not bound in ${ledgerKey(ledger)}`);
    if (bindings.length === 1) return locate(place, binding);
    const detail = `record ${JSON.stringify(recordId)} has ${bindings.length} bindings in ${ledgerKey(ledger)}`;
    return locateRefusal(place, refuse('AMBIGUOUS_RECORD', detail, { candidates: bindings }));
  }

  /** A binding by its id, also an unbound one. */
  async binding(ledger: LedgerName, bindingId: string, freshness?: Freshness): Promise<LocatedBinding | Refusal> {
    const place = await this.placeFor(ledger, freshness);
    if (isRefusal(place)) return place;
    const binding = await this.tools.readModel.findById(ledger, bindingId);
    return binding === undefined
      ? refuse('BINDING_NOT_FOUND', `there is no binding ${JSON.stringify(bindingId)} in ${ledgerKey(ledger)}`)
      : locate(place, binding);
  }

  /** Many at once, by external ids or by record ids; at most `MAX_LOOKUP_IDS`, which the caller has checked. */
  async lookup(
    ledger: LedgerName,
    ids: { externalIds: readonly string[] } | { recordIds: readonly string[] },
    freshness?: Freshness,
  ): Promise<LookupResult | Refusal> {
    const place = await this.placeFor(ledger, freshness);
    if (isRefusal(place)) return place;
    const external = 'externalIds' in ids;
    const wanted = external ? ids.externalIds : ids.recordIds;
    const { bindings } = external
      ? await this.tools.readModel.findByExternalIds(ledger, wanted)
      : await this.tools.readModel.findByRecordIds(ledger, wanted);
    const found = new Map<string, LocatedBinding[]>();
    for (const binding of bindings) {
      const key = external ? (binding.externalId ?? '') : binding.recordId;
      const of = found.get(key);
      if (of === undefined) found.set(key, [locate(place, binding)]);
      else of.push(locate(place, binding));
    }
    // An id may be `__proto__`, so the answer is built from entries and not by assignment.
    return {
      found: Object.fromEntries(found),
      missing: [...new Set(wanted)].filter((id) => !found.has(id)),
    };
  }

  async list(
    ledger: LedgerName,
    filter: BindingFilter,
    page: { limit: number; cursor?: string },
    freshness?: Freshness,
  ): Promise<{ items: LocatedBinding[]; nextCursor: string | null } | Refusal> {
    const place = (await this.notIndexed(ledger, filter)) ?? (await this.placeFor(ledger, freshness));
    if (isRefusal(place)) return place;
    return refusingCursors(async () => {
      const { items, nextCursor } = await this.tools.readModel.list(ledger, filter, page.limit, page.cursor);
      return { items: items.map((binding) => locate(place, binding)), nextCursor };
    });
  }

  /** All of them, page by page, as the reader takes them. */
  async *listAll(ledger: LedgerName, filter: BindingFilter): AsyncGenerator<LocatedBinding[]> {
    let cursor: string | undefined;
    do {
      const page = await this.list(ledger, filter, { limit: LIST_ALL_PAGE, cursor });
      if (isRefusal(page)) throw new Error(`broken invariant: a listing was refused midway: ${page.detail}`);
      yield page.items;
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
  }

  async status(ledger: LedgerName, freshness?: Freshness): Promise<LedgerStatusView | Refusal> {
    const unknown = (await this.tools.check(ledger)) ?? (await this.await(ledger, freshness));
    if (unknown !== undefined) return unknown;
    const { readModel, store, streams } = this.tools;
    const document = await readModel.ledgerDocument(ledger);
    const [head] = await store.readStream(streams.ledger(ledger), {
      direction: 'backwards',
      limit: 1,
    });
    const state: LedgerState = document?.state ?? UNOPENED;
    const { pending, bound, unbound } = state.counts;
    return {
      state: head !== undefined && !state.opened ? 'open' : statusOf(state),
      live: pending + bound,
      pending,
      unbound,
      newestSyncDate: await readModel.newestSyncDate(ledger),
      headRevision: head?.revision ?? -1,
      projectedRevision: document?.checkpoint ?? -1,
      headPosition: head === undefined ? null : (await this.positions.publisher())(head.position),
    };
  }

  /**
   * The ledger's events after a revision, fewer than `limit` also when they have many bytes; with `waitMs`, an empty page waits for
   * the next event that long.
   */
  async events(
    ledger: LedgerName,
    { after, limit, waitMs = 0 }: { after: number; limit: number; waitMs?: number },
    signal?: AbortSignal,
  ): Promise<EventView[] | Refusal> {
    const unknown = await this.tools.check(ledger);
    if (unknown !== undefined) return unknown;
    const stream = this.tools.streams.ledger(ledger);
    let page = await readEvents(this.tools.store, stream, after, limit);
    if (page.length === 0 && waitMs > 0) {
      await this.nextEvent(stream, after, waitMs, signal);
      page = await readEvents(this.tools.store, stream, after, limit);
    }
    if (page.length === 0) return [];
    const place = { ...ledger, localModel: await this.localModelOf(ledger) };
    const publish = await this.positions.publisher();
    return page.map((recorded) => viewEvent(place, publish(recorded.position), readLedgerEvent(recorded)));
  }

  /** What proves, kept elsewhere, that nothing up to this revision was changed since. */
  async digest(ledger: LedgerName): Promise<Digest | Refusal> {
    const unknown = await this.tools.check(ledger);
    if (unknown !== undefined) return unknown;
    const [head] = await this.tools.store.readStream(this.tools.streams.ledger(ledger), {
      direction: 'backwards',
      limit: 1,
    });
    if (head === undefined) return { ledger: ledgerKey(ledger), revision: -1, hash: '', at: '' };
    const { revision, metadata } = readLedgerEvent(head);
    return { ledger: ledgerKey(ledger), revision, hash: metadata.hash, at: metadata.at };
  }

  /** The live bindings of a record, on all backends. */
  async ofLocalRecord(
    record: { localModel: string; recordId: string; includeUnbound: boolean },
    page: { limit: number; cursor?: string } = { limit: MAX_PAGE_BINDINGS },
  ): Promise<{ items: LocatedBinding[]; nextCursor: string | null } | Refusal> {
    return this.tools.notYet?.() ?? refusingCursors(() => readLocalRecordPage(this.tools.readModel, record, page));
  }

  /** Waits until the read model is as fresh as asked. */
  async await(
    ledger: LedgerName,
    { atLeast, timeoutMs = DEFAULT_FRESHNESS_TIMEOUT_MS }: Freshness = {},
  ): Promise<Refusal | undefined> {
    // Every read model includes −1: it asks for nothing.
    if (atLeast === undefined || atLeast === -1) return this.tools.notYet?.();
    const revision = atLeast === 'head' ? await this.tools.store.headRevision(this.tools.streams.ledger(ledger)) : atLeast;
    const late = await this.tools.progress.reach(ledger, revision, timeoutMs);
    if (late === undefined) return undefined;
    // What does not exist will not be reached either, and trying again would not help.
    return (await this.tools.check(ledger)) ?? late;
  }

  localModelOf(ledger: LedgerName): Promise<string | null> {
    return this.localModels.of(ledger);
  }

  /** The ledger, once the read model is as fresh as asked; why there is no such ledger, or no answer yet. */
  async placeFor(ledger: LedgerName, freshness: Freshness | undefined): Promise<Place | Refusal> {
    const late = freshness?.atLeast === undefined ? this.tools.notYet?.() : await this.await(ledger, freshness);
    if (late !== undefined) return late;
    const known = this.localModels.known(ledger);
    if (known !== undefined) return { backend: ledger.backend, model: ledger.model, localModel: known };
    const unknown = await this.tools.check(ledger);
    return unknown ?? { ...ledger, localModel: await this.localModelOf(ledger) };
  }

  private async notIndexed(ledger: LedgerName, { data = {} }: BindingFilter): Promise<Refusal | undefined> {
    const fields = Object.keys(data);
    if (fields.length === 0) return undefined;
    const indexes = (await this.tools.readModel.ledgerDocument(ledger))?.state.rules.indexes ?? [];
    const field = fields.find((each) => !indexes.includes(each));
    return field === undefined
      ? undefined
      : refuse('FIELD_NOT_INDEXED', `data.${field} is not among the fields that the model indexes`);
  }

  private async nextEvent(stream: string, after: number, waitMs: number, signal?: AbortSignal): Promise<void> {
    const timeout = AbortSignal.timeout(waitMs);
    const ended = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
    for await (const batch of this.tools.store.subscribe({ stream, after }, ended)) {
      if (batch.events.length > 0) return;
    }
  }
}
