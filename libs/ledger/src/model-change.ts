/**
 * Changes of a binding model: announced, carried to its ledgers, concluded. Whoever finds a change half done, after a crash
 * or because two asked at once, completes it: every step can be repeated.
 */
import {
  MAX_VIOLATIONS,
  changesIdentity,
  concludeModelChange,
  decideBindingModel,
  identityViolation,
  isRefusal,
  jsonEqual,
  ledgerKey,
  narrowedRules,
  refuse,
  rulesInForce,
  rulesOf,
  violated,
  asJson,
  type BindingModel,
  type BindingModelEvent,
  type BindingModelState,
  type DefineBindingModel,
  type LedgerRules,
  type Refusal,
  type RequestContext,
  type SchemaValidator,
  type Violation,
} from '#domain';
import type { EventStore } from '#event-store';
import type { ReadModel } from '#read-model';
import type { Backends, RegisteredLedger } from './backends.js';
import type { Catalog } from './catalog.js';
import { keyed, type ChangeOptions, type KeyedOptions } from './control-keys.js';
import type { FanOut, LedgerPoint } from './fan-out.js';
import type { StreamNames } from './streams.js';
import { violationsOf } from './violations.js';

export interface ModelAnswer {
  outcome: 'created' | 'changed' | 'unchanged';
  model: BindingModelState;
}

export interface ModelChangeParts {
  store: EventStore;
  readModel: ReadModel;
  streams: StreamNames;
  validator: SchemaValidator;
  catalog: Catalog;
  backends: Backends;
  fanOut: FanOut;
}

/** How often a change gives way to others that are under way. */
const MAX_TURNS = 10;
/** How often a ledger is looked through before the announcement, when it does not stay still. */
const MAX_LOOKS = 3;

export class ModelChanges {
  constructor(private readonly parts: ModelChangeParts) {}

  async define(
    command: DefineBindingModel,
    context: RequestContext,
    options: ChangeOptions = {},
  ): Promise<ModelAnswer | Refusal> {
    let asked: KeyedOptions = keyed(options, 'defineModel', command);
    for (let turn = 0; turn < MAX_TURNS; turn += 1) {
      const under = await this.complete(command.model, context);
      if (under !== undefined) return under;
      const changed = await this.parts.catalog.models.change(
        (models) => this.decide(models.get(command.model), command),
        context,
        asked,
      );
      if (isRefusal(changed)) {
        const announced = changed.refused === 'BUSY' && (await this.parts.catalog.model(command.model))?.changing;
        if (announced) continue;
        return changed;
      }
      if (changed.repeats !== undefined) {
        const answered = await this.answered(command.model, changed.repeats);
        if (answered !== undefined) return answered;
        // It was rolled back: what was refused is decided anew.
        asked = options;
        continue;
      }
      const state = changed.state.get(command.model);
      if (state === undefined) throw new Error(`broken invariant: model ${command.model} is not there after it was defined`);
      return this.answer(state, changed.appended[0]?.type, context);
    }
    return refuse('BUSY', 'others were changing the model all the time');
  }

  /** What was answered to the change that this event began; nothing when it was refused. */
  private async answered(model: string, begun: { type: string; revision: number }): Promise<ModelAnswer | Refusal | undefined> {
    const { models } = this.parts.catalog;
    const defined = begun.type === 'ModelDefined';
    const concluded = await models.moment(
      ({ data, type, revision }) =>
        data.model === model && (defined ? revision === begun.revision : revision > begun.revision && type !== 'ModelChanging'),
    );
    if (concluded === undefined) return refuse('BUSY', 'the change is still under way: try again');
    if (concluded.event.type === 'ModelChangeRolledBack') return undefined;
    return { outcome: defined ? 'created' : 'changed', model: concluded.state.get(model) as BindingModelState };
  }

  /** Completes the change that is under way, if one is. Answers why it could not be completed; that it was rolled back is no such reason. */
  async complete(model: string, context: RequestContext): Promise<Refusal | undefined> {
    const state = await this.parts.catalog.model(model);
    if (state === undefined || state.changing === null) return undefined;
    const { revision } = state.changing;
    const violations = await this.announce(state, context);
    if (isRefusal(violations)) return violations;
    const concluded = await this.parts.catalog.models.change(
      async (models) => concludeModelChange(models.get(model) as BindingModelState, revision, violations),
      context,
    );
    if (isRefusal(concluded)) return concluded;
    return this.spread(model, context);
  }

  /** Brings all ledgers of the model to the rules in force; a change that is under way brings them itself. */
  async spread(model: string, context: RequestContext): Promise<Refusal | undefined> {
    const state = await this.parts.catalog.model(model);
    return state === undefined || state.changing !== null ? undefined : this.parts.fanOut.toLedgersWith(state, context);
  }

  private async answer(
    state: BindingModelState,
    event: BindingModelEvent['type'] | undefined,
    context: RequestContext,
  ): Promise<ModelAnswer | Refusal> {
    const { model } = state.definition;
    if (event === 'ModelDefined') return { outcome: 'created', model: state };
    const refusal = event === undefined ? await this.spread(model, context) : await this.complete(model, context);
    if (refusal !== undefined) return refusal;
    if (event === undefined) return { outcome: 'unchanged', model: state };
    const now = await this.parts.catalog.model(model);
    if (now?.concluded?.revision !== state.revision)
      return refuse('BUSY', 'the model was changed again at the same time: ask for it');
    return now.concluded.violations.length > 0 ? violated(now.concluded.violations) : { outcome: 'changed', model: now };
  }

  private async decide(
    state: BindingModelState | undefined,
    command: DefineBindingModel,
  ): Promise<BindingModelEvent[] | Refusal> {
    const { validator, catalog, backends } = this.parts;
    const registered = state === undefined ? [] : await backends.ledgersOf((model) => model === command.model);
    const ledgers = registered.map(keyOf);
    const events = decideBindingModel(state, command, {
      validator,
      backendTypeExists: (await catalog.type(command.backendType)) !== undefined,
      ledgers,
    });
    const [event] = isRefusal(events) ? [] : events;
    if (event?.type !== 'ModelChanging' || state === undefined) return events;
    const violations = await this.foresee(registered, rulesOf(state.definition), narrowedRules(state.definition, event.data));
    return violations.length > 0 ? violated(violations) : events;
  }

  /** Looks before the announcement, with no ledger held: most changes that cannot be made are refused without a trace. */
  private async foresee(ledgers: readonly RegisteredLedger[], before: LedgerRules, after: LedgerRules): Promise<Violation[]> {
    for (const registered of ledgers) {
      const ledger = { backend: registered.backend.id, model: registered.model };
      for (let looks = 0; looks < MAX_LOOKS; looks += 1) {
        const head = await this.parts.store.headRevision(this.parts.streams.ledger(ledger));
        const violations = await violationsOf(this.parts, ledger, { before, after }, head);
        if (violations === 'moved') continue;
        // Where it cannot be told now, it is found out after the announcement.
        if (!isRefusal(violations) && violations.length > 0) return violations;
        break;
      }
    }
    return [];
  }

  /** Holds each ledger to the old and the new rules together. Answers what keeps a ledger from them. */
  private async announce(state: BindingModelState, context: RequestContext): Promise<Violation[] | Refusal> {
    const wanted = state.changing?.definition as BindingModel;
    if (changesIdentity(state.definition, wanted)) {
      const ledgers = await this.parts.backends.ledgersOf((model) => model === wanted.model);
      return ledgers.slice(0, MAX_VIOLATIONS).map((ledger) => identityViolation(keyOf(ledger)));
    }
    // A change that only widens the rules holds no ledger to anything new.
    if (jsonEqual(asJson(rulesInForce(state).rules), asJson(rulesOf(state.definition)))) return [];
    const violations: Violation[] = [];
    const refusal = await this.parts.fanOut.toLedgersWith(state, context, (ledger, at) =>
      this.check(ledger, at, state, violations),
    );
    return violations.length === 0 && refusal !== undefined ? refusal : violations.slice(0, MAX_VIOLATIONS);
  }

  private async check(
    { backend, model }: RegisteredLedger,
    { state, revision }: LedgerPoint,
    changing: BindingModelState,
    violations: Violation[],
  ): Promise<Refusal | [] | undefined> {
    if (violations.length > 0) return violated(violations);
    const found = await violationsOf(
      this.parts,
      { backend: backend.id, model },
      { before: state.rules, after: rulesInForce(changing).rules },
      revision,
    );
    // Without events the ledger is asked again at its new head.
    if (found === 'moved') return [];
    if (isRefusal(found)) return found;
    if (found.length === 0) return undefined;
    violations.push(...found);
    return violated(found);
  }
}

function keyOf({ backend, model }: RegisteredLedger): string {
  return ledgerKey({ backend: backend.id, model });
}
