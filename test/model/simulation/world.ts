import { ledgerKey, type LedgerName } from '#domain';
import { DEFAULT_LIMITS, LedgerWriter, Projector, readLedgerEvent, StreamNames, type ProjectionTrouble, type WriterTools } from '#ledger';
import type { Plan } from '../plan.js';
import { DocumentServer, SimulatedDocumentStore } from './document-store.js';
import { EventStoreServer, SimulatedEventStore } from './event-store.js';
import { NO_FAULTS, type FaultRates } from './faults.js';
import { Random } from './random.js';
import { SimulatedReadModel } from './read-model.js';
import { Scheduler, SimulatedProcess } from './scheduler.js';

export const LEDGERS: LedgerName[] = [{ backend: 'shop', model: 'partner' }];
export const STREAMS = new StreamNames();
export const KNOWLEDGE_MS = 150;
const COMMAND_TIMEOUT_MS = 1_500;
const MAX_LOOKUP_TAIL = 10_000;
const PROJECTORS = 3;

/** A process that takes commands and answers lookups. */
export interface Instance {
  process: SimulatedProcess;
  readModel: SimulatedReadModel;
  store: SimulatedEventStore;
  writer(ledger: LedgerName): LedgerWriter;
}

/** All processes over the two stores, and what goes wrong with them. */
export class World {
  readonly scheduler: Scheduler;
  readonly events: EventStoreServer;
  readonly documents = new DocumentServer();
  readonly rates: FaultRates;
  readonly instances: Instance[];
  readonly troubles: ProjectionTrouble[] = [];
  /** What no promise of the program under test should end in. */
  readonly errors: unknown[] = [];
  private readonly applied = new Map<string, number>();
  private projectors: SimulatedProcess[] = [];
  private started = 0;
  private ids = 0;

  constructor(readonly plan: Plan) {
    this.scheduler = new Scheduler(new Random(plan.seed + 1));
    this.events = new EventStoreServer(() => this.scheduler.trueTime);
    this.rates = { ...plan.rates };
    this.instances = plan.clockOffsetsMs.map((_, index) => this.startInstance(index));
    for (let index = 0; index < PROJECTORS; index += 1) this.startProjector();
    this.scheduler.afterStep = () => {
      this.noteApplied();
      this.crashSomething();
    };
  }

  /** From here on nothing goes wrong any more. */
  heal(): void {
    Object.assign(this.rates, NO_FAULTS);
    if (this.projectors.length === 0) this.startProjector();
  }

  startProcess(name: string, clockOffsetMs = 0): SimulatedProcess {
    this.started += 1;
    return this.scheduler.start(new SimulatedProcess(`${name}${this.started}`, clockOffsetMs));
  }

  newId(process: SimulatedProcess): string {
    this.ids += 1;
    return `${process.name}-${String(this.ids).padStart(5, '0')}`;
  }

  eventStoreOf(process: SimulatedProcess): SimulatedEventStore {
    return new SimulatedEventStore(this.events, this.scheduler, process, this.rates);
  }

  readModelOf(process: SimulatedProcess): SimulatedReadModel {
    const store = this.eventStoreOf(process);
    return new SimulatedReadModel({
      documents: new SimulatedDocumentStore(this.documents, this.scheduler, process, this.rates),
      readTail: async (ledger, after) => (await store.readStream(STREAMS.ledger(ledger), { after, limit: MAX_LOOKUP_TAIL })).map(readLedgerEvent),
      clock: () => this.scheduler.clockOf(process),
      knowledgeMs: KNOWLEDGE_MS,
    });
  }

  /** The newest revision of a ledger that every generation which was asked had applied: answers are never older from then on. */
  appliedTo(ledger: LedgerName): number {
    return this.applied.get(ledgerKey(ledger)) ?? -1;
  }

  private noteApplied(): void {
    for (const ledger of LEDGERS) {
      const pointer = this.documents.get('generations', ledgerKey(ledger));
      if (pointer === undefined) continue;
      const asked = { ...ledger, generation: { in: [pointer['current'], pointer['former']] as string[] } };
      const applied = Math.min(...this.documents.matching('ledgers', asked).map(({ checkpoint }) => checkpoint as number));
      if (applied > this.appliedTo(ledger)) this.applied.set(ledgerKey(ledger), applied);
    }
  }

  private startInstance(index: number): Instance {
    const process = this.startProcess('writer', this.plan.clockOffsetsMs[index]);
    const [readModel, store] = [this.readModelOf(process), this.eventStoreOf(process)];
    const tools = this.writerTools(process, readModel, store);
    const writers = new Map<string, LedgerWriter>();
    const writer = (ledger: LedgerName): LedgerWriter => {
      const known = writers.get(ledgerKey(ledger)) ?? new LedgerWriter(ledger, STREAMS.ledger(ledger), tools);
      writers.set(ledgerKey(ledger), known);
      return known;
    };
    return { process, readModel, store, writer };
  }

  private writerTools(process: SimulatedProcess, readModel: SimulatedReadModel, store: SimulatedEventStore): WriterTools {
    const { batchCommands, tailEvents } = this.plan.limits;
    const rules = { localModel: 'res.partner', cardinality: this.plan.cardinality, dataSchema: null, indexes: [] };
    return {
      store,
      readModel,
      clock: () => this.scheduler.clockOf(process),
      random: () => this.scheduler.random.next(),
      sleep: (ms) => this.scheduler.sleep(process, ms),
      newId: () => this.newId(process),
      problemsOf: () => [],
      limits: { ...DEFAULT_LIMITS, batchCommands, tailEvents, commandTimeoutMs: COMMAND_TIMEOUT_MS },
      open: async () => ({ rules, backendRevision: 0, modelRevision: 0 }),
      check: async () => undefined,
      observer: {},
    };
  }

  private startProjector(): void {
    const process = this.startProcess('projector');
    this.projectors.push(process);
    const projector = new Projector({
      store: this.eventStoreOf(process),
      readModel: this.readModelOf(process),
      streams: STREAMS,
      projectCatalog: async () => undefined,
      troubled: (trouble) => this.troubles.push(trouble),
      clock: () => this.scheduler.clockOf(process),
      sleep: (ms) => this.scheduler.sleep(process, ms),
      maxEvents: this.plan.limits.projectionEvents,
    });
    projector.run(new AbortController().signal).catch((error: unknown) => this.errors.push(error));
  }

  private crashSomething(): void {
    const { random } = this.scheduler;
    if (this.projectors.length > 0 && random.chance(this.rates.projectorCrash)) this.crashProjector();
    if (random.chance(this.rates.writerCrash)) this.crashInstance(random.below(this.instances.length));
  }

  private crashProjector(): void {
    const [ended] = this.projectors.splice(this.scheduler.random.below(this.projectors.length), 1);
    if (ended !== undefined) this.scheduler.crash(ended);
    this.scheduler.later(this.scheduler.network, () => this.startProjector(), { afterMs: this.scheduler.random.below(200) });
  }

  private crashInstance(index: number): void {
    this.scheduler.crash((this.instances[index] as Instance).process);
    this.instances[index] = this.startInstance(index);
  }
}
