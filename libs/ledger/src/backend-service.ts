import {
  changesIdentity,
  decideLedger,
  decidePause,
  isRefusal,
  ledgerRegistration,
  refuse,
  rulesInForce,
  secretPathsOf,
  type BackendState,
  type BindingModelState,
  type ChangeBackend,
  type LedgerName,
  type OpeningRules,
  type Refusal,
  type RegisterBackend,
  type RequestContext,
  type SecretPaths,
} from '#domain';
import { MAX_PAGE_EVENTS, type EventStore } from '#event-store';
import type { BackendChanges, Credentials } from './backend-changes.js';
import { backendHistory, type BackendHistoryEvent } from './backend-history.js';
import { viewBackend, type BackendView } from './backend-views.js';
import type { Backends } from './backends.js';
import type { Catalog } from './catalog.js';
import { keyed, type ChangeOptions } from './control-keys.js';
import type { FanOut } from './fan-out.js';
import type { Retirements } from './retirement.js';
import type { StreamNames } from './streams.js';

export interface BackendAnswer {
  outcome: 'created' | 'changed' | 'unchanged';
  backend: BackendView;
}

export interface BackendServiceParts {
  store: EventStore;
  streams: StreamNames;
  catalog: Catalog;
  backends: Backends;
  changes: BackendChanges;
  retirements: Retirements;
  fanOut: FanOut;
}

/** At most this many backends in one page. */
export const MAX_PAGE_BACKENDS = 1_000;

/** Everything that is done with backends. Every method that changes something can be repeated: it goes on where it was interrupted. */
export class BackendService {
  constructor(private readonly parts: BackendServiceParts) {}

  async register(command: RegisterBackend, context: RequestContext, options?: ChangeOptions): Promise<BackendAnswer | Refusal> {
    const state = await this.parts.changes.register(command, context, options);
    return isRefusal(state) ? state : { outcome: 'created', backend: await this.view(state) };
  }

  async change(
    id: string,
    command: ChangeBackend,
    context: RequestContext,
    options?: ChangeOptions,
  ): Promise<BackendAnswer | Refusal> {
    const changed = await this.parts.changes.change(id, command, context, options);
    return isRefusal(changed)
      ? changed
      : { outcome: changed.changed ? 'changed' : 'unchanged', backend: await this.view(changed.state) };
  }

  /** The secrets of a backend. That they were read is recorded before. */
  async readCredentials(id: string, context: RequestContext, options?: ChangeOptions): Promise<Credentials | Refusal> {
    return this.parts.changes.readCredentials(id, context, options);
  }

  /** Writes to the backend's ledgers are refused until `resume`. */
  async pause(id: string, context: RequestContext, options?: ChangeOptions): Promise<BackendAnswer | Refusal> {
    return this.setPaused(id, true, context, options);
  }

  async resume(id: string, context: RequestContext, options?: ChangeOptions): Promise<BackendAnswer | Refusal> {
    return this.setPaused(id, false, context, options);
  }

  /** Retires the backend for good; refused while bindings live. */
  async retire(id: string, context: RequestContext, options?: ChangeOptions): Promise<BackendView | Refusal> {
    const state = await this.parts.retirements.retire(id, context, options);
    return isRefusal(state) ? state : this.view(state);
  }

  async get(id: string): Promise<BackendView | Refusal> {
    const state = await this.parts.backends.find(id);
    return state === undefined ? notFound(id) : this.view(state);
  }

  /** By id, after the given one; retired ones too. */
  async list(after?: string, limit = MAX_PAGE_BACKENDS): Promise<BackendView[]> {
    const states = await this.parts.backends.page(after, Math.min(limit, MAX_PAGE_BACKENDS));
    return Promise.all(states.map((state) => this.view(state)));
  }

  /** What was done with the backend, what that changed from what, and who read its credentials: events after a revision. */
  async history(id: string, { after = -1, limit }: { after?: number; limit: number }): Promise<BackendHistoryEvent[] | Refusal> {
    const state = await this.parts.backends.find(id);
    if (state === undefined) return notFound(id);
    const secrets = await this.secretsOf(state.type);
    const { store, streams } = this.parts;
    return backendHistory(store, streams.backend(id), secrets, { after, limit: Math.min(limit, MAX_PAGE_EVENTS) });
  }

  /**
   * Registers a ledger before its first event: the backend may refuse it. The model's rules are read after that, so that a
   * change of them either finds the ledger registered, or is in what is answered here.
   */
  readonly registerLedger = async ({ backend, model }: LedgerName, context: RequestContext): Promise<OpeningRules | Refusal> => {
    const known = await this.parts.catalog.model(model);
    const missing = await this.missing(backend, model, known);
    if (missing !== undefined) return missing;
    const { definition } = known as BindingModelState;
    const stream = await this.parts.backends.stream(backend);
    const registered = await stream.change(async (state) => decideLedger(state as BackendState, definition), context);
    if (isRefusal(registered)) return registered;
    const state = registered.state as BackendState;
    const now = (await this.parts.catalog.model(model)) as BindingModelState;
    // What a ledger is made with cannot be changed later, so it is not opened in the middle of such a change.
    if (now.changing !== null && changesIdentity(now.definition, now.changing.definition))
      return refuse('BUSY', 'the model is being changed: try again');
    const mismatch = decideLedger(state, now.definition);
    if (isRefusal(mismatch)) return mismatch;
    const { rules, revision } = rulesInForce(now);
    return { rules, modelRevision: revision, backendRevision: ledgerRegistration(state, model) as number };
  };

  /** Why there cannot be such a ledger; nothing when there can, whatever its backend's state. */
  readonly checkLedger = async ({ backend, model }: LedgerName): Promise<Refusal | undefined> => {
    return this.missing(backend, model, await this.parts.catalog.model(model));
  };

  private async missing(backend: string, model: string, known: BindingModelState | undefined): Promise<Refusal | undefined> {
    const state = await this.parts.backends.find(backend);
    if (state === undefined) return notFound(backend);
    if (known === undefined) return refuse('MODEL_NOT_FOUND', `there is no model ${JSON.stringify(model)}`);
    const active: BackendState = { ...state, paused: false, retirement: 'none' };
    const decision = decideLedger(active, known.definition);
    return isRefusal(decision) ? decision : undefined;
  }

  private async setPaused(
    id: string,
    paused: boolean,
    context: RequestContext,
    options: ChangeOptions = {},
  ): Promise<BackendAnswer | Refusal> {
    if ((await this.parts.backends.find(id)) === undefined) return notFound(id);
    const stream = await this.parts.backends.stream(id);
    const decide = async (state: BackendState | undefined) => decidePause(state as BackendState, paused);
    const changed = await stream.change(decide, context, keyed(options, paused ? 'pause' : 'resume', {}));
    if (isRefusal(changed)) return changed;
    if (changed.repeats !== undefined) return this.pausedBefore(changed.state as BackendState, changed.repeats, context);
    const state = changed.state as BackendState;
    const refusal = await this.parts.fanOut.toLedgersOf(state, context);
    return refusal ?? { outcome: changed.appended.length > 0 ? 'changed' : 'unchanged', backend: await this.view(state) };
  }

  /** The first answer again; what a crash left undone of it is done, unless something newer holds by now. */
  private async pausedBefore(
    now: BackendState,
    event: { revision: number },
    context: RequestContext,
  ): Promise<BackendAnswer | Refusal> {
    const unfinished = now.controlRevision === event.revision ? await this.parts.fanOut.toLedgersOf(now, context) : undefined;
    if (unfinished !== undefined) return unfinished;
    const { state } = await (await this.parts.backends.stream(now.id)).momentOf(event);
    return { outcome: 'changed', backend: await this.view(state as BackendState) };
  }

  private async view(state: BackendState): Promise<BackendView> {
    return viewBackend(state, await this.secretsOf(state.type));
  }

  private async secretsOf(type: string): Promise<SecretPaths> {
    return secretPathsOf((await this.parts.catalog.type(type))?.settingsSchema ?? null);
  }
}

export function notFound(id: string): Refusal {
  return refuse('BACKEND_NOT_FOUND', `there is no backend ${JSON.stringify(id)}`);
}
