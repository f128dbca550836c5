import { isRefusal, ledgerKey, type LedgerName } from '#domain';
import { EventStoreError } from '#event-store';
import { projectCatalog, Projector, readLedgerEvent, type ProjectionTrouble } from '#ledger';
import { ReadModelError } from '#read-model';
import type { Plan } from '../plan.js';
import { DocumentServer, SimulatedDocumentStore } from './document-store.js';
import { EventStoreServer, SimulatedEventStore } from './event-store.js';
import { NO_FAULTS, type FaultRates } from './faults.js';
import { BACKEND, Instance, LEDGERS, LOCAL_MODEL, MODELS, STREAMS } from './instance.js';
import { Random } from './random.js';
import { SimulatedReadModel } from './read-model.js';
import { Scheduler, SimulatedProcess } from './scheduler.js';

const KNOWLEDGE_MS = 100;
const MAX_LOOKUP_TAIL = 10_000;
const PROJECTORS = 3;
const MAX_SET_UP_TRIES = 20;
const SET_UP_WAIT_MS = 30_000;
const MAX_RESTART_DELAY_MS = 200;
export const SYSTEM = { actor: 'system', correlationId: 'system' };

/** All processes over the two stores, and what goes wrong with them. */
export class World {
  readonly scheduler: Scheduler;
  readonly events: EventStoreServer;
  readonly documents = new DocumentServer();
  readonly rates: FaultRates = { ...NO_FAULTS };
  readonly instances: Instance[];
  readonly troubles: ProjectionTrouble[] = [];
  /** What no promise of the program under test should end in. */
  readonly errors: unknown[] = [];
  private readonly applied = new Map<string, number>();
  private readonly checkpoints = new Map<string, number>();
  private projectors: SimulatedProcess[] = [];
  private started = 0;
  private ids = 0;

  constructor(readonly plan: Plan) {
    this.scheduler = new Scheduler(new Random(plan.schedule));
    this.events = new EventStoreServer(() => this.scheduler.trueTime, this.scheduler.random);
    this.instances = plan.clockOffsetsMs.map((_, index) => this.startInstance(index));
    for (let index = 0; index < PROJECTORS; index += 1) this.startProjector();
    this.scheduler.afterStep = () => this.crashSomething();
    this.documents.changed = (collection) => {
      if (collection === 'ledgers' || collection === 'generations') this.noteApplied();
    };
  }

  /** Defines the models and the backend, before anything goes wrong. */
  async setUp(): Promise<void> {
    const [{ plane }] = this.instances as [Instance];
    const { cardinality } = this.plan;
    const define = async (): Promise<void> => {
      await this.accepted(() => plane.catalog.defineType({ type: 'shops' }, SYSTEM));
      for (const model of MODELS)
        await this.accepted(() =>
          plane.catalog.defineModel({ model, backendType: 'shops', localModel: LOCAL_MODEL, cardinality }, SYSTEM),
        );
      await this.accepted(() =>
        plane.backends.register({ id: BACKEND, type: 'shops', location: 'https://shop.example' }, SYSTEM),
      );
    };
    this.watch(define());
    await this.scheduler.run();
    Object.assign(this.rates, this.plan.rates);
  }

  /** From here on nothing goes wrong any more. */
  heal(): void {
    Object.assign(this.rates, NO_FAULTS);
    for (let index = this.projectors.length; index < PROJECTORS; index += 1) this.startProjector();
  }

  /** Notes what a promise ends in that should not fail, but where a store could not be used. */
  watch(work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      if (!(error instanceof EventStoreError) && !(error instanceof ReadModelError)) this.errors.push(error);
    });
  }

  startProcess(name: string, clockOffsetMs = 0): SimulatedProcess {
    this.started += 1;
    return this.scheduler.start(new SimulatedProcess(`${name}${this.started}`, clockOffsetMs));
  }

  toolsOf(process: SimulatedProcess) {
    return {
      clock: () => this.scheduler.clockOf(process),
      random: () => this.scheduler.random.next(),
      sleep: (ms: number) => this.scheduler.sleep(process, ms),
      newId: () => `${process.name}-${String((this.ids += 1)).padStart(5, '0')}`,
    };
  }

  eventStoreOf(process: SimulatedProcess): SimulatedEventStore {
    return new SimulatedEventStore(this.events, this.scheduler, process, this.rates);
  }

  readModelOf(process: SimulatedProcess): SimulatedReadModel {
    const store = this.eventStoreOf(process);
    return new SimulatedReadModel({
      documents: new SimulatedDocumentStore(this.documents, this.scheduler, process, this.rates),
      readTail: async (ledger, after) =>
        (await store.readStream(STREAMS.ledger(ledger), { after, limit: MAX_LOOKUP_TAIL })).map(readLedgerEvent),
      clock: () => this.scheduler.clockOf(process),
      knowledgeMs: KNOWLEDGE_MS,
    });
  }

  /** The newest revision of a ledger that every generation which was asked had applied: answers are never older from then on. */
  appliedTo(ledger: LedgerName): number {
    return this.applied.get(ledgerKey(ledger)) ?? -1;
  }

  /** Those whose rebuild was begun and is not over. */
  ledgersBeingRebuilt(): LedgerName[] {
    return LEDGERS.filter((ledger) => {
      const pointer = this.documents.get('generations', ledgerKey(ledger));
      return pointer !== undefined && (pointer['building'] !== null || pointer['former'] !== null);
    });
  }

  private noteApplied(): void {
    for (const ledger of LEDGERS) {
      const pointer = this.documents.get('generations', ledgerKey(ledger));
      if (pointer === undefined) continue;
      const asked = { ...ledger, generation: { in: [pointer['current'], pointer['former']] as string[] } };
      const documents = this.documents.matching('ledgers', asked);
      for (const { _id, checkpoint } of documents) this.noteCheckpoint(_id, checkpoint as number);
      const current = documents.find(({ generation }) => generation === pointer['current']);
      if (current !== undefined)
        this.noteCheckpoint(`the current generation of ${ledgerKey(ledger)}`, current['checkpoint'] as number);
      const applied = Math.min(...documents.map(({ checkpoint }) => checkpoint as number));
      if (applied > this.appliedTo(ledger)) this.applied.set(ledgerKey(ledger), applied);
    }
  }

  private noteCheckpoint(document: string, checkpoint: number): void {
    const before = this.checkpoints.get(document) ?? -1;
    if (checkpoint < before)
      this.errors.push(new Error(`the checkpoint of ${document} goes back from ${before} to ${checkpoint}`));
    this.checkpoints.set(document, checkpoint);
  }

  private startInstance(index: number): Instance {
    return new Instance(this, this.startProcess('writer', this.plan.clockOffsetsMs[index]));
  }

  private startProjector(): void {
    const process = this.startProcess('projector');
    this.projectors.push(process);
    const [store, readModel] = [this.eventStoreOf(process), this.readModelOf(process)];
    const { clock, sleep } = this.toolsOf(process);
    const projector = new Projector({
      store,
      readModel,
      streams: STREAMS,
      projectCatalog: (events) => projectCatalog({ store, readModel, streams: STREAMS }, events),
      troubled: (trouble) => this.troubles.push(trouble),
      clock,
      sleep,
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
    const { random, network } = this.scheduler;
    const [ended] = this.projectors.splice(random.below(this.projectors.length), 1);
    if (ended !== undefined) this.scheduler.crash(ended);
    const restart = () => {
      if (this.projectors.length < PROJECTORS) this.startProjector();
    };
    this.scheduler.later(network, restart, { afterMs: random.below(MAX_RESTART_DELAY_MS) });
  }

  /** Whoever starts goes on with what a crash left half done. */
  private crashInstance(index: number): void {
    this.scheduler.crash((this.instances[index] as Instance).process);
    const started = this.startInstance(index);
    this.instances[index] = started;
    this.watch(started.plane.resumeFanOuts());
  }

  /** Whose clock is off may write again after a while. */
  private async accepted(define: () => Promise<object>): Promise<void> {
    const [{ process }] = this.instances as [Instance];
    for (let tries = 1; ; tries += 1) {
      const result = await define();
      if (!isRefusal(result)) return;
      if (tries === MAX_SET_UP_TRIES) throw new Error(`the model could not be set up: ${result.refused}`);
      await this.scheduler.sleep(process, SET_UP_WAIT_MS);
    }
  }
}
