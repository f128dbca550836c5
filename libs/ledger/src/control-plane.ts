/** Backends and catalog put together, and what the ledgers need of them. */
import { isRefusal, type LedgerName, type Refusal, type RequestContext } from '#domain';
import type { EventStore } from '#event-store';
import type { ReadModel } from '#read-model';
import type { Vault } from '#vault';
import { BackendChanges } from './backend-changes.js';
import { BackendService } from './backend-service.js';
import { Backends } from './backends.js';
import { Catalog } from './catalog.js';
import { CatalogService } from './catalog-service.js';
import { ClockWatch } from './clock-watch.js';
import type { ControlTools } from './control-log.js';
import { FanOut, type LedgerAmender } from './fan-out.js';
import { JsonSchemas } from './json-schema.js';
import { DEFAULT_LIMITS } from './limits.js';
import { ModelChanges } from './model-change.js';
import { controlTools } from './project-catalog.js';
import { Retirements } from './retirement.js';
import { Secrets, type KeyRing } from './secrets.js';
import type { StreamNames } from './streams.js';

export interface ControlPlaneParts {
  store: EventStore;
  readModel: ReadModel;
  vault: Vault;
  keys: KeyRing;
  streams: StreamNames;
  /** Changes single ledgers; it is not called before the first command. */
  amender: LedgerAmender;
  schemas?: JsonSchemas;
  /** Time, chance and ids; the system's own when nothing is given. */
  tools?: Partial<Omit<ControlTools, 'store'>>;
}

/** What was resumed after a start, and what could not be. */
export interface Resumption {
  /** Backends and models that were looked at. */
  looked: number;
  /** Those that could not be brought to their end now; they are tried again at the next start, or when their command is repeated. */
  unfinished: { name: string; reason: string }[];
}

export class ControlPlane {
  readonly catalog: CatalogService;
  readonly backends: BackendService;
  readonly schemas: JsonSchemas;
  private readonly models: ModelChanges;
  private readonly retirements: Retirements;
  private readonly fanOut: FanOut;
  private readonly known: { catalog: Catalog; backends: Backends };
  private readonly secrets: Secrets;
  private readonly tools: ControlTools;
  private readonly clockWatch: ClockWatch;

  constructor(parts: ControlPlaneParts) {
    const { store, readModel, streams, amender } = parts;
    const own: ControlTools = { ...controlTools(store), ...parts.tools };
    this.clockWatch = new ClockWatch(own.clock, DEFAULT_LIMITS.clockToleranceMs);
    const tools = (this.tools = { ...own, clockWatch: this.clockWatch });
    const validator = (this.schemas = parts.schemas ?? new JsonSchemas());
    const catalog = new Catalog(tools, streams);
    const backends = new Backends({ tools, streams, readModel, catalog });
    this.known = { catalog, backends };
    const secrets = (this.secrets = new Secrets(parts.vault, parts.keys));
    const fanOut = (this.fanOut = new FanOut({ amender, backends, catalog, readModel }));
    const models = (this.models = new ModelChanges({ store, readModel, streams, validator, catalog, backends, fanOut }));
    const retirements = (this.retirements = new Retirements({ backends, fanOut, secrets }));
    const changes = new BackendChanges({ catalog, backends, secrets, validator, newId: tools.newId });
    this.catalog = new CatalogService({ catalog, backends, models, validator });
    this.backends = new BackendService({ store, streams, catalog, backends, changes, retirements, fanOut });
  }

  /** Why nothing of backends and catalog is written now: for readiness. */
  get trouble(): string | undefined {
    return this.clockWatch.trouble;
  }

  /**
   * Ledgers of a local model on all backends that are not retired, or on those too, as of the call: from the streams, not from
   * the read model.
   */
  async ledgersOfLocalModel(localModel: string, which: { retired?: boolean } = {}): Promise<LedgerName[]> {
    const { state } = await this.known.catalog.models.current();
    const isMeant = (model: string) => state.get(model)?.definition.localModel === localModel;
    const ledgers = await this.known.backends.ledgersOf(isMeant, which);
    return ledgers.map(({ backend, model }) => ({ backend: backend.id, model }));
  }

  /** Every ledger that a backend has registered, also those of retired backends, as of the call. */
  async ledgers(): Promise<LedgerName[]> {
    const ledgers = await this.known.backends.ledgersOf(() => true, { retired: true });
    return ledgers.map(({ backend, model }) => ({ backend: backend.id, model }));
  }

  /**
   * Completes what a crash interrupted: retirements, changes of models, and whatever a ledger has not seen of its backend and
   * model. Never rejects: what cannot be done now is in the answer.
   */
  async resumeFanOuts(): Promise<Resumption> {
    const resumption: Resumption = { looked: 0, unfinished: [] };
    const context: RequestContext = { actor: 'system', correlationId: this.tools.newId() };
    const attempt = async (name: string, work: () => Promise<Refusal | undefined>): Promise<void> => {
      try {
        const refusal = await work();
        if (refusal !== undefined) resumption.unfinished.push({ name, reason: `${refusal.refused}: ${refusal.detail}` });
      } catch (error) {
        resumption.unfinished.push({ name, reason: error instanceof Error ? error.message : String(error) });
      }
    };
    await attempt('all backends', async () => {
      for await (const { id } of this.known.backends.all()) {
        resumption.looked += 1;
        await attempt(`backend ${id}`, () => this.resumeBackend(id, context));
      }
      return undefined;
    });
    await attempt('all models', async () => {
      for (const model of (await this.known.catalog.models.current()).state.keys()) {
        resumption.looked += 1;
        await attempt(`model ${model}`, () => this.resumeModel(model, context));
      }
      return undefined;
    });
    return resumption;
  }

  private async resumeBackend(id: string, context: RequestContext): Promise<Refusal | undefined> {
    const state = await this.known.backends.find(id);
    if (state === undefined) return undefined;
    if (state.retirement === 'retired') {
      await this.secrets.forgetAll(id);
      return undefined;
    }
    if (state.retirement === 'none') return this.fanOut.toLedgersOf(state, context);
    const result = await this.retirements.complete(id, context);
    // Live bindings end a retirement as well: it is cancelled, and over.
    return isRefusal(result) && result.refused !== 'BACKEND_IN_USE' ? result : undefined;
  }

  private async resumeModel(model: string, context: RequestContext): Promise<Refusal | undefined> {
    return (await this.models.complete(model, context)) ?? (await this.models.spread(model, context));
  }
}
