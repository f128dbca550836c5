import { ledgerKey, type LedgerName } from '#domain';
import {
  ControlPlane,
  DEFAULT_LIMITS,
  JsonSchemas,
  KeyRing,
  LedgerWriter,
  rebuildLedger,
  StreamNames,
  type WriterTools,
} from '#ledger';
import type { SimulatedEventStore } from './event-store.js';
import type { SimulatedReadModel } from './read-model.js';
import type { SimulatedProcess } from './scheduler.js';
import { SimulatedVault } from './vault.js';
import type { World } from './world.js';

export const BACKEND = 'shop';
export const MODELS = ['partner', 'product', 'order', 'invoice'];
export const LOCAL_MODEL = 'res.partner';
export const LEDGERS: LedgerName[] = MODELS.map((model) => ({ backend: BACKEND, model }));
export const STREAMS = new StreamNames();
const COMMAND_TIMEOUT_MS = 1_500;
/** Longer than an instance relies on what it knows of a generation. */
const GRACE_MS = 110;
const MAX_COMPARE_MS = 100;
const SCHEMAS = new JsonSchemas();
const NO_KEYS = KeyRing.parse(undefined);

/** A process of the program under test that takes commands, answers lookups and changes backends and models. */
export class Instance {
  readonly readModel: SimulatedReadModel;
  readonly plane: ControlPlane;
  private readonly store: SimulatedEventStore;
  private readonly writers = new Map<string, LedgerWriter>();
  private readonly tools: WriterTools;

  constructor(
    private readonly world: World,
    readonly process: SimulatedProcess,
  ) {
    this.readModel = world.readModelOf(process);
    this.store = world.eventStoreOf(process);
    const { store, readModel } = this;
    const { clock, random, sleep, newId } = world.toolsOf(process);
    this.plane = new ControlPlane({
      store,
      readModel,
      vault: new SimulatedVault(),
      keys: NO_KEYS,
      streams: STREAMS,
      amender: { amend: (ledger, amend, context) => this.writer(ledger).amend(amend, context) },
      schemas: SCHEMAS,
      tools: { clock, random, sleep, newId },
    });
    const { batchCommands, tailEvents } = world.plan.limits;
    this.tools = {
      store,
      readModel,
      clock,
      random,
      sleep,
      newId,
      problemsOf: () => [],
      limits: { ...DEFAULT_LIMITS, batchCommands, tailEvents, commandTimeoutMs: COMMAND_TIMEOUT_MS },
      open: this.plane.backends.registerLedger,
      check: this.plane.backends.checkLedger,
      observer: {},
    };
  }

  writer(ledger: LedgerName): LedgerWriter {
    const key = ledgerKey(ledger);
    const writer = this.writers.get(key) ?? new LedgerWriter(ledger, STREAMS.ledger(ledger), this.tools);
    this.writers.set(key, writer);
    return writer;
  }

  rebuild(ledger: LedgerName): Promise<void> {
    const { store, readModel } = this;
    const { sleep, random } = this.world.toolsOf(this.process);
    const { projectionEvents: maxEvents } = this.world.plan.limits;
    const compare = () => sleep(random() * MAX_COMPARE_MS);
    return rebuildLedger({ store, readModel, streams: STREAMS, sleep, maxEvents, graceMs: GRACE_MS, compare }, ledger);
  }
}
