import { isRefusal, refuse, type Command, type LedgerName, type Refusal, type RequestContext } from '#domain';
import type { EventStore } from '#event-store';
import type { ReadModel } from '#read-model';
import type { BatchTools, CommandRequest, CommandResult } from './batch.js';
import type { Amend, AmendResult } from './command-queue.js';
import { EventFeed } from './event-feed.js';
import { idMaker, randomIdMaker } from './ids.js';
import { DEFAULT_LIMITS, type LedgerLimits } from './limits.js';
import { locateResult, type LocatedResult } from './located.js';
import { ProjectionProgress } from './progress.js';
import type { ProjectionTrouble } from './projector.js';
import { LedgerQueries, type QueryTools } from './queries.js';
import type { StreamNames } from './streams.js';
import {
  systemTools,
  type CheckLedger,
  type LedgerWriter,
  type OpenLedger,
  type WriterObserver,
  type WriterTools,
} from './writer.js';
import { Writers } from './writers.js';

export interface BindingLedgerParts {
  store: EventStore;
  readModel: ReadModel;
  streams: StreamNames;
  progress: ProjectionProgress;
  open: OpenLedger;
  check: CheckLedger;
  problemsOf: BatchTools['problemsOf'];
  notYet?: QueryTools['notYet'];
  limits?: Partial<LedgerLimits>;
  observer?: WriterObserver;
  clock?: () => number;
}

/** The ledgers of one store, for the faces of this process: commands go through one writer per ledger, queries to the read model. */
export class BindingLedger {
  readonly queries: LedgerQueries;
  /** The events of all bindings of all ledgers. */
  readonly feed: EventFeed;
  readonly limits: LedgerLimits;
  private readonly writers: Writers;

  constructor(parts: BindingLedgerParts) {
    const { store, readModel, streams, progress, open, check, problemsOf, observer = {} } = parts;
    this.limits = { ...DEFAULT_LIMITS, ...parts.limits };
    const tools: WriterTools = {
      ...systemTools,
      store,
      readModel,
      limits: this.limits,
      open,
      check,
      problemsOf,
      observer,
      newId: idMaker(),
      newEventId: randomIdMaker(),
    };
    if (parts.clock !== undefined) tools.clock = parts.clock;
    this.writers = new Writers(streams, tools);
    this.queries = new LedgerQueries({ store, readModel, streams, progress, check, notYet: parts.notYet });
    const { positions } = this.queries;
    this.feed = new EventFeed({ store, streams, positions, localModelOf: (ledger) => this.queries.localModelOf(ledger) });
  }

  /** Does one command. Business refusals are answers; a broken invariant throws. */
  async execute(ledger: LedgerName, command: Command, context: RequestContext): Promise<LocatedResult> {
    const [result] = await this.executeAll(ledger, [{ command, context }]);
    return result as LocatedResult;
  }

  /** Does the commands in order, each answered for itself. Appended together as far as they fit. */
  async executeAll(ledger: LedgerName, requests: CommandRequest[]): Promise<LocatedResult[]> {
    return this.located(ledger, await this.writer(ledger).submit({ requests, atomic: false }));
  }

  /** As `executeAll`, but waits for room in the ledger's queue instead of being refused `BUSY`. */
  async executeAllInTurn(ledger: LedgerName, requests: CommandRequest[]): Promise<LocatedResult[]> {
    return this.located(ledger, await this.writer(ledger).submitInTurn({ requests, atomic: false }));
  }

  /** Does all of the commands or none: if one is refused, each answer is its refusal, or `BATCH_REFUSED` for those that would have been done. */
  async executeAtomic(ledger: LedgerName, requests: CommandRequest[]): Promise<LocatedResult[] | Refusal> {
    const results = await this.located(ledger, await this.writer(ledger).submit({ requests, atomic: true }));
    const refusals = results.flatMap((result, index) =>
      isRefusal(result) ? [{ line: index + 1, code: result.refused, detail: result.detail }] : [],
    );
    const [first] = refusals;
    if (first === undefined) return results;
    if (refusals.length === results.length && refusals.every(({ code }) => code === first.code && WHOLE_BATCH.has(code)))
      return refuse(first.code, first.detail);
    return refuse('BATCH_REFUSED', `${refusals.length} of ${requests.length} commands were refused, so none was done`, {
      details: { refusals },
    });
  }

  /** Appends control events to a ledger at the revision that they were decided at: the fan-out of backends and models. */
  async amend(ledger: LedgerName, amend: Amend, context: RequestContext): Promise<AmendResult> {
    return this.writer(ledger).amend(amend, context);
  }

  /** Commands waiting, by ledger, and whether that is known to be a ledger: what callers name may be none. For metrics. */
  queueDepths(): { ledger: LedgerName; commands: number; known: boolean }[] {
    return this.writers
      .all()
      .map(({ ledger, depth, localModel }) => ({ ledger, commands: depth, known: localModel !== undefined }));
  }

  /** Why this process cannot write somewhere: for readiness. */
  writerTroubles(): { ledger: LedgerName; reason: string }[] {
    return this.writers.all().flatMap(({ ledger, trouble }) => (trouble === undefined ? [] : [{ ledger, reason: trouble }]));
  }

  /** Takes no more commands, and resolves when those accepted are answered. */
  close(): Promise<void> {
    this.feed.close();
    return this.writers.close();
  }

  private async located(ledger: LedgerName, results: readonly CommandResult[]): Promise<LocatedResult[]> {
    const place = { ...ledger, localModel: await this.localModelOf(ledger) };
    return results.map((result) => locateResult(place, result));
  }

  /** What is done is answered as done: its writer knows the local model, although no store may be reached by now. */
  private async localModelOf(ledger: LedgerName): Promise<string | null> {
    return this.writers.of(ledger).localModel ?? this.queries.localModelOf(ledger).catch(() => null);
  }

  private writer(ledger: LedgerName): LedgerWriter {
    return this.writers.of(ledger);
  }
}

const WHOLE_BATCH: ReadonlySet<string> = new Set([
  'BUSY',
  'STORE_UNAVAILABLE',
  'OUTCOME_UNKNOWN',
  'TOO_LARGE',
  'BACKEND_NOT_FOUND',
  'MODEL_NOT_FOUND',
  'MODEL_BACKEND_MISMATCH',
  'BACKEND_PAUSED',
  'LEDGER_CLOSED',
]);

export type { ProjectionTrouble };
