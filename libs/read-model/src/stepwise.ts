/**
 * The read model over a document store without transactions: what holds a batch's documents together is the order of the
 * steps, not the store. An adapter adds the queries that need none of it (listings, the catalog) and its own primitives.
 */
import { ledgerKey, type Binding, type LedgerName } from '#domain';
import type { DocumentStore } from './document-store.js';
import type { HistoryKey, HistoryPage, StatesAt } from './history.js';
import {
  ReadModelError,
  type ApplyResult,
  type DecisionKeys,
  type DecisionState,
  type FoundBindings,
  type LedgerBatch,
  type LedgerDocument,
  type OpenedLedger,
  type ReadModel,
  type RebuildableReadModel,
  type RebuildState,
} from './port.js';
import { applyStepwise, type StepwiseExtras } from './stepwise-apply.js';
import {
  bindingId,
  BINDINGS,
  KEYS,
  queriesOf,
  toBinding,
  toIdempotencyRecord,
  within,
  withoutSuccessor,
} from './stepwise-documents.js';
import { Generations } from './stepwise-generations.js';
import { StepwiseHistory } from './stepwise-history.js';
import { StepwiseLookup, type ReadTail } from './stepwise-lookup.js';

export * from './document-store.js';
export type { StepwiseExtras } from './stepwise-apply.js';
export type { Generations } from './stepwise-generations.js';
export type { ReadTail } from './stepwise-lookup.js';

export interface StepwiseTools {
  documents: DocumentStore;
  readTail: ReadTail;
  clock(): number;
  /** How long an instance relies on what it knows of a generation; a former one is dropped later than that. */
  knowledgeMs: number;
  extras?: StepwiseExtras;
}

type StepwiseMethods =
  | 'openLedger'
  | 'apply'
  | 'forgetIdempotency'
  | 'readForDecision'
  | 'ledgerDocument'
  | 'findByExternalId'
  | 'findByExternalIds'
  | 'findByRecordIds'
  | 'findById'
  | 'history'
  | 'statesAt';

const MAX_LOOKS = 20;

export class StepwiseReadModel implements Pick<ReadModel, StepwiseMethods>, Omit<RebuildableReadModel, 'forgetCatalog'> {
  readonly generations: Generations;
  private readonly documents: DocumentStore;
  private readonly lookup: StepwiseLookup;
  private readonly past: StepwiseHistory;
  private readonly extras: StepwiseExtras | undefined;

  constructor({ documents, readTail, clock, knowledgeMs, extras }: StepwiseTools) {
    this.documents = documents;
    this.extras = extras;
    this.generations = new Generations(documents, clock, knowledgeMs);
    this.lookup = new StepwiseLookup(documents, this.generations, readTail, clock);
    this.past = new StepwiseHistory(documents, this.generations);
  }

  openLedger(ledger: LedgerName): Promise<OpenedLedger> {
    return this.generations.open(ledger);
  }

  apply(batch: LedgerBatch): Promise<ApplyResult> {
    return applyStepwise(this.documents, this.generations, batch, this.extras);
  }

  forgetIdempotency(before: string, limit: number): Promise<number> {
    return this.documents.remove(KEYS, { at: { below: before } }, limit);
  }

  /**
   * The generation is read before everything and again after it: were it dropped in between, documents would be missing. Its
   * name is never used again, so the same name means the same documents.
   */
  async readForDecision(ledger: LedgerName, keys: DecisionKeys): Promise<DecisionState> {
    for (let look = 0; look < MAX_LOOKS; look += 1) {
      const generation = (await this.generations.pointer(ledger))?.current;
      if (generation === undefined) return { document: undefined, bindings: [], idempotency: [] };
      const document = await this.generations.document(ledger, generation);
      const bindings = await this.bindings(ledger, generation, keys);
      const idempotency = await this.idempotency(ledger, generation, keys.scopedKeys);
      if ((await this.generations.pointer(ledger))?.current === generation && document !== undefined) {
        return { document: withoutSuccessor(document), bindings, idempotency };
      }
    }
    throw switchedTooOften(ledger);
  }

  /** Starts over when the generation that was known is gone: its ledger document is dropped before all others. */
  async ledgerDocument(ledger: LedgerName): Promise<LedgerDocument | undefined> {
    for (let look = 0; look < MAX_LOOKS; look += 1) {
      const known = await this.generations.knownCurrent(ledger);
      if (known === undefined) return undefined;
      const document = await this.generations.document(ledger, known.generation);
      if (document !== undefined && this.generations.isYoung(known)) return withoutSuccessor(document);
      this.generations.forget(ledger);
    }
    throw switchedTooOften(ledger);
  }

  rebuildState(ledger: LedgerName): Promise<RebuildState> {
    return this.generations.rebuildState(ledger);
  }

  beginGeneration(ledger: LedgerName): Promise<void> {
    return this.generations.begin(ledger);
  }

  followGeneration(ledger: LedgerName): Promise<boolean> {
    return this.generations.follow(ledger);
  }

  switchGeneration(ledger: LedgerName): Promise<void> {
    return this.generations.switchOver(ledger);
  }

  dropGeneration(ledger: LedgerName, former: string): Promise<void> {
    return this.generations.drop(ledger, former);
  }

  forgetLedger(ledger: LedgerName): Promise<void> {
    return this.generations.forgetAll(ledger);
  }

  findByExternalId(ledger: LedgerName, externalId: string): Promise<Binding | undefined> {
    return this.lookup.byExternalId(ledger, externalId);
  }

  findByExternalIds(ledger: LedgerName, externalIds: readonly string[]): Promise<FoundBindings> {
    return this.lookup.together(ledger, { recordIds: [], externalIds });
  }

  findByRecordIds(ledger: LedgerName, recordIds: readonly string[]): Promise<FoundBindings> {
    return this.lookup.together(ledger, { recordIds, externalIds: [] });
  }

  findById(ledger: LedgerName, id: string): Promise<Binding | undefined> {
    return this.lookup.byId(ledger, id);
  }

  history(ledger: LedgerName, key: HistoryKey, after: number, limit: number): Promise<HistoryPage> {
    return this.past.history(ledger, key, after, limit);
  }

  statesAt(ledger: LedgerName, key: HistoryKey, revision: number): Promise<StatesAt> {
    return this.past.statesAt(ledger, key, revision);
  }

  private async bindings(ledger: LedgerName, generation: string, keys: DecisionKeys): Promise<Binding[]> {
    const found = new Map<string, Binding>();
    for (const query of queriesOf(within(ledger, generation), keys)) {
      for (const document of await this.documents.find(BINDINGS, query)) found.set(document._id, toBinding(document));
    }
    return [...found.values()];
  }

  private async idempotency(
    ledger: LedgerName,
    generation: string,
    scopedKeys: readonly string[],
  ): Promise<DecisionState['idempotency']> {
    if (scopedKeys.length === 0) return [];
    const ids = scopedKeys.map((key) => bindingId(ledger, generation, key));
    return (await this.documents.find(KEYS, { _id: { in: ids } })).map(toIdempotencyRecord);
  }
}

function switchedTooOften(ledger: LedgerName): ReadModelError {
  return new ReadModelError('UNAVAILABLE', `the generation of ${ledgerKey(ledger)} was not the same for the time of one answer`);
}
