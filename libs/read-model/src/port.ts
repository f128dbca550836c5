/**
 * The read model as the ledger sees it: one document per binding and one per ledger, kept by a projector from the ledger's
 * stream, and rebuildable from it at any time. `contract.ts` beside this file is the suite that an adapter passes.
 */
import type { Binding, BindingState, BindingUpdate, IdempotencyRecord, JsonObject, LedgerName, LedgerState } from '#domain';
import type { HistoryKey, HistoryPage, HistoryRow, StatesAt } from './history.js';

export { readLocalRecordPage } from './local-record-page.js';
export { MAX_PAGE_BYTES, PageSteps, bytesOf } from './page-size.js';
export { historyRowOf, HISTORY_FIELDS, MAX_HOLDINGS_OF_RECORD } from './history.js';
export type { HistoryField, HistoryKey, HistoryPage, HistoryRow, KeyOfHolders, StatesAt, ToldBy } from './history.js';

/** Idempotency records are kept this long. */
export const IDEMPOTENCY_KEPT_MS = 24 * 3_600_000;
/** At most this many bindings in one page. */
export const MAX_PAGE_BINDINGS = 1_000;

export interface LedgerDocument {
  ledger: LedgerName;
  /** Names the set of documents; a rebuild makes a new one. */
  generation: string;
  /** The newest revision that is applied in full; −1 before the first. */
  checkpoint: number;
  /** The newest revision of which an application has begun; above `checkpoint` the documents may be ahead of it. */
  applying: number;
  /** Of the event at the checkpoint: its chain hash and recorded time; empty before the first. */
  hash: string;
  at: string;
  /** The ledger's rules, state and counts at the checkpoint. */
  state: LedgerState;
}

/** What a projector keeps up: the current generation and, around a rebuild, the other one. */
export interface OpenedLedger extends LedgerDocument {
  /** Of the generation that is about to become current: every batch is applied to it first. */
  next?: LedgerDocument;
  /** Of the generation that was current before: kept up, after the current one, until it is dropped. */
  former?: LedgerDocument;
}

/** One write per binding and batch: the newest identity, and everything that the batch's events changed. */
export interface BindingWrite {
  /** The revision of the binding's creation, where the batch holds it: then `update` is the whole of the binding. */
  createdRevision?: number;
  update: BindingUpdate;
}

/** Consecutive events of one ledger, folded. */
export interface LedgerBatch {
  ledger: LedgerName;
  generation: string;
  /** The checkpoint that the batch follows on. */
  after: number;
  /** The revision of its last event, which becomes the checkpoint. */
  to: number;
  hash: string;
  at: string;
  state: LedgerState;
  bindings: BindingWrite[];
  /** A row for each event of a binding but its creation. */
  history: HistoryRow[];
  idempotency: IdempotencyRecord[];
}

/** `superseded`: the checkpoint is not `after` any more (another projector was here), or the generation is gone. */
export type ApplyResult = 'applied' | 'superseded';

export interface DecisionKeys {
  recordIds: readonly string[];
  externalIds: readonly string[];
  bindingIds: readonly string[];
  scopedKeys: readonly string[];
}

/**
 * What a writer decides from, together with the stream's tail after `document.checkpoint`. The document was read before
 * the bindings, and its generation is the one that all of them came from; bindings may be newer than the checkpoint.
 */
export interface DecisionState {
  document: LedgerDocument | undefined;
  /** Live bindings that match a record or external id, and bindings of any state that match a binding id. Each once. */
  bindings: Binding[];
  idempotency: IdempotencyRecord[];
}

/** A binding with the ledger that it stands in. */
export type LocatedBinding = Binding & LedgerName & { localModel: string | null };

/** Bindings that were true together at the ledger's `revision`. */
export interface FoundBindings {
  bindings: Binding[];
  /** −1 for a ledger that nothing was projected of. */
  revision: number;
}

export interface BindingFilter {
  recordId?: string;
  externalId?: string;
  /** Absent: live ones, pending and bound. */
  state?: BindingState;
  /** Instants. `syncedBefore` also finds those never synchronized, and lists them first, then the oldest. */
  syncedBefore?: string;
  syncedAfter?: string;
  createdBefore?: string;
  /** Indexed data fields and the scalar that each must have, as text. */
  data?: Record<string, string>;
}

export interface BindingPage {
  items: Binding[];
  /** Where the next page begins; opaque, made by the adapter from the last item's place, `null` after the last page. */
  nextCursor: string | null;
}

/** A binding as it is stored. */
export interface BindingText {
  id: string;
  /**
   * JSON: a list of record id, external id, sync date, state, version, revision, `createdAt`, `updatedAt`, `unboundAt`, cause and
   * reason, `null` for what there is not; and right behind it the data.
   */
  text: string;
}

/** So many bindings of a record, behind one of them. */
export interface LocalRecordPage {
  limit: number;
  /** By ledger, as `ledgerKey` names it, and id. */
  after?: { ledger: string; id: string };
}

export type CatalogKind = 'backend' | 'type' | 'model';
export interface CatalogDocument {
  id: string;
  /** Of the event in its stream that the document reflects: a lower one never overwrites a higher one. */
  revision: number;
  document: JsonObject;
}

/** Whoever projects, where several processes share a read model: one at a time holds the lease. */
export interface ProjectionLease {
  /** Takes the lease if it is free, and says so; the holder must be heard of again and again, or it is free for others. */
  hold(): Promise<boolean>;
  /** Others need not wait until it is over. */
  release(): Promise<void>;
}

export interface ReadModel extends RebuildableReadModel {
  // ── For the projector ──
  /** Makes the ledger's document at checkpoint −1 if there is none, and answers it, with those of other generations to keep up. */
  openLedger(ledger: LedgerName): Promise<OpenedLedger>;
  /** The position in the whole store up to which every ledger is applied; '' before the first. */
  position(): Promise<string>;
  savePosition(position: string): Promise<void>;
  /** Removes idempotency records older than `before`, at most `limit`; answers how many. */
  forgetIdempotency(before: string, limit: number): Promise<number>;
  saveCatalog(kind: CatalogKind, document: CatalogDocument): Promise<void>;
  /**
   * As `apply` for one batch after the other, but readers see all of them or none, and none is applied when it throws. Absent where
   * that would cost no less.
   */
  applyAll?(batches: readonly LedgerBatch[]): Promise<ApplyResult[]>;

  // ── For the writer ──
  readForDecision(ledger: LedgerName, keys: DecisionKeys): Promise<DecisionState>;

  // ── For queries ──
  ledgerDocument(ledger: LedgerName): Promise<LedgerDocument | undefined>;
  ledgerDocuments(): Promise<LedgerDocument[]>;
  /** The live binding that holds the external id. The hot path. */
  findByExternalId(ledger: LedgerName, externalId: string): Promise<Binding | undefined>;
  findByExternalIds(ledger: LedgerName, externalIds: readonly string[]): Promise<FoundBindings>;
  findByRecordIds(ledger: LedgerName, recordIds: readonly string[]): Promise<FoundBindings>;
  findById(ledger: LedgerName, bindingId: string): Promise<Binding | undefined>;
  /** Live bindings of a record in all ledgers of its local model, with `includeUnbound` also former ones; ordered by ledger and id. */
  findOfLocalRecord(
    localModel: string,
    recordId: string,
    includeUnbound: boolean,
    page?: LocalRecordPage,
  ): Promise<LocatedBinding[]>;
  /** A page may end early, at `MAX_PAGE_BYTES`. @throws {ReadModelError} `BAD_CURSOR` */
  list(ledger: LedgerName, filter: BindingFilter, limit: number, cursor?: string): Promise<BindingPage>;
  /**
   * Live bindings, or former ones, in the order of their ids, each as one text: for whoever compares them all with what they should be,
   * and need not take apart what is the same. Of a read model that has rows. A page may end early, at `MAX_PAGE_BYTES`; it is empty when
   * there is none behind the id.
   */
  listTexts?(ledger: LedgerName, unbound: boolean, afterId: string, limit: number): Promise<BindingText[]>;
  /** The newest sync date of a live binding. */
  newestSyncDate(ledger: LedgerName): Promise<string | null>;
  /** Revisions of the events that concern a key, after one. */
  history(ledger: LedgerName, key: HistoryKey, after: number, limit: number): Promise<HistoryPage>;
  /** The binding, or those that held a key, at a revision, told by their events: live ones and, by binding id, also an unbound one. */
  statesAt(ledger: LedgerName, key: HistoryKey, revision: number): Promise<StatesAt>;
  catalogDocument(kind: CatalogKind, id: string): Promise<CatalogDocument | undefined>;
  /** By id, after the given one. */
  catalogDocuments(kind: CatalogKind, after: string | undefined, limit: number): Promise<CatalogDocument[]>;

  /** Absent where no other process can share the read model. */
  lease?(): ProjectionLease;
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** The generation that is being built, as far as it is, and the one that was current before; at most one of them is there. */
export interface RebuildState {
  building: LedgerDocument | undefined;
  former: string | null;
}

/**
 * Rebuilding a ledger's documents beside those that answer. Each step can be repeated, by whoever goes on after a crash: begin,
 * apply batches to the new generation until it has caught up, follow, switch over, and after a grace time drop.
 */
export interface RebuildableReadModel {
  /** Applies a batch so that a reader sees all of it or can tell that it is under way. */
  apply(batch: LedgerBatch): Promise<ApplyResult>;
  rebuildState(ledger: LedgerName): Promise<RebuildState>;
  /** Begins a new generation; goes on with one that was begun, and does nothing while a former one is still to be dropped. */
  beginGeneration(ledger: LedgerName): Promise<void>;
  /** From now on every batch is applied to the new generation first. False when that is behind what is being applied. */
  followGeneration(ledger: LedgerName): Promise<boolean>;
  /** Lets the new generation answer, once it is followed; the former one is kept up too. */
  switchGeneration(ledger: LedgerName): Promise<void>;
  /** Drops a former generation; nothing when it was dropped before. */
  dropGeneration(ledger: LedgerName, former: string): Promise<void>;
  /**
   * Forgets a ledger, where its documents are not made of its events: it begins anew, and the projector knows no more of it than of a
   * new one. May be interrupted and repeated.
   */
  forgetLedger(ledger: LedgerName): Promise<void>;
  /** Forgets the catalog and the position: the projector begins with the store's first event, and passes over what ledgers have. */
  forgetCatalog(): Promise<void>;
}

export type ReadModelErrorCode = 'UNAVAILABLE' | 'BAD_CURSOR' | 'CLOSED';

export class ReadModelError extends Error {
  override readonly name = 'ReadModelError';
  constructor(
    readonly code: ReadModelErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
