/**
 * Binding models: what is bound, to backends of which type, and by which rules. A model is changed in two steps. First the
 * change is announced, and each ledger is held to the old and the new rules together, after a check that what it has keeps
 * to them; then the new rules stand alone, or, if a ledger had something that does not keep to them, the old ones again.
 * So there is no moment at which a ledger takes something that the rules it may end with do not admit.
 */
import { asJson, problemsOfText } from './backend-type.js';
import type { Cardinality, LedgerRules } from './ledger.js';
import { refuse, type Problem, type Refusal } from './refusals.js';
import { refusalOfSchema, type SchemaValidator } from './schema-rules.js';
import { jsonEqual, parseId, parseName, type JsonObject } from './values.js';

export interface BindingModel {
  model: string;
  backendType: string;
  localModel: string | null;
  dataSchema: JsonObject | null;
  cardinality: Cardinality;
  indexes: string[];
}

export type BindingModelEvent =
  | { type: 'ModelDefined'; data: BindingModel }
  /** The change that is announced. */
  | { type: 'ModelChanging'; data: BindingModel }
  /** The definition that holds from now on. */
  | { type: 'ModelChanged'; data: BindingModel }
  /** The definition that holds again, and what stood in the way. */
  | { type: 'ModelChangeRolledBack'; data: BindingModel & { violations: Violation[] } };

/** What keeps a ledger from new rules. `bindingId` and `recordId` name an example. */
export interface Violation {
  ledger: string;
  problem: string;
  bindingId?: string;
  recordId?: string;
  externalId?: string | null;
  errors?: Problem[];
}

export interface BindingModelState {
  /** What holds; while a change is announced, still the definition before it. */
  definition: BindingModel;
  /** Of the model's newest event in `catalog-models`. */
  revision: number;
  /** Of the event that the ledgers' rules follow from. */
  rulesRevision: number;
  changing: { definition: BindingModel; revision: number } | null;
  /** How the newest change that is over ended; `revision` is that of its announcement. */
  concluded: { revision: number; violations: Violation[] } | null;
  createdAt: string;
  updatedAt: string;
}

export interface DefineBindingModel {
  model: string;
  backendType: string;
  localModel: string | null;
  dataSchema?: JsonObject | null;
  cardinality?: Cardinality;
  indexes?: string[];
}

export interface BindingModelCircumstances {
  validator: SchemaValidator;
  backendTypeExists: boolean;
  /** Keys of the ledgers that are registered for the model. */
  ledgers: readonly string[];
}

export const MAX_INDEXES = 5;
/** At most this many violations are named. */
export const MAX_VIOLATIONS = 10;
const MAX_FIELD_LENGTH = 100;

export function decideBindingModel(
  state: BindingModelState | undefined,
  command: DefineBindingModel,
  { validator, backendTypeExists, ledgers }: BindingModelCircumstances,
): BindingModelEvent[] | Refusal {
  const wanted = definitionOf(command);
  const refusal = refusalOfDefinition(wanted, validator);
  if (refusal !== undefined) return refusal;
  if (!backendTypeExists)
    return refuse('BACKEND_TYPE_NOT_FOUND', `there is no backend type ${JSON.stringify(wanted.backendType)}`);
  if (state === undefined) return [{ type: 'ModelDefined', data: wanted }];
  if (state.changing !== null) return refuse('BUSY', 'another change of the model is under way');
  if (jsonEqual(asJson(state.definition), asJson(wanted))) return [];
  if (changesIdentity(state.definition, wanted) && ledgers.length > 0)
    return violated(ledgers.slice(0, MAX_VIOLATIONS).map(identityViolation));
  return [{ type: 'ModelChanging', data: wanted }];
}

/** The end of the change that was announced at `revision`; nothing if it is over already. */
export function concludeModelChange(state: BindingModelState, revision: number, violations: Violation[]): BindingModelEvent[] {
  if (state.changing?.revision !== revision) return [];
  if (violations.length === 0) return [{ type: 'ModelChanged', data: state.changing.definition }];
  return [{ type: 'ModelChangeRolledBack', data: { ...state.definition, violations } }];
}

export function evolveBindingModel(
  state: BindingModelState | undefined,
  event: BindingModelEvent,
  { revision, at }: { revision: number; at: string },
): BindingModelState {
  if (event.type === 'ModelDefined') {
    return {
      definition: event.data,
      revision,
      rulesRevision: revision,
      changing: null,
      concluded: null,
      createdAt: at,
      updatedAt: at,
    };
  }
  if (state === undefined)
    throw new Error(`broken invariant: ${event.type} at revision ${revision} is the first event of model ${event.data.model}`);
  if (event.type === 'ModelChanging')
    return { ...state, revision, changing: { definition: event.data, revision }, updatedAt: at };
  if (state.changing === null)
    throw new Error(`broken invariant: ${event.type} at revision ${revision} ends no change of model ${event.data.model}`);
  const { violations, ...definition } = { violations: [], ...event.data };
  const rulesRevision = narrowsOnly(state) && event.type === 'ModelChanged' ? state.changing.revision : revision;
  return {
    ...state,
    definition,
    revision,
    rulesRevision,
    changing: null,
    concluded: { revision: state.changing.revision, violations },
    updatedAt: at,
  };
}

/** True when the announced rules are the narrower ones: ledgers that took them with the announcement need no second change. */
function narrowsOnly({ definition, changing }: BindingModelState): boolean {
  if (changing === null) return false;
  return jsonEqual(asJson(narrowedRules(definition, changing.definition)), asJson(rulesOf(changing.definition)));
}

// ── The rules that a model gives its ledgers ─────────────────────────────────────────────────────────────────────────

export function rulesOf({ localModel, cardinality, dataSchema, indexes }: BindingModel): LedgerRules {
  return { localModel, cardinality, dataSchema, indexes };
}

/** The rules that a ledger opens with now, and the revision that they follow from. */
export function rulesInForce({ definition, rulesRevision, changing }: BindingModelState): {
  rules: LedgerRules;
  revision: number;
} {
  if (changing === null) return { rules: rulesOf(definition), revision: rulesRevision };
  return { rules: narrowedRules(definition, changing.definition), revision: changing.revision };
}

/** What both definitions admit. */
export function narrowedRules(before: BindingModel, after: BindingModel): LedgerRules {
  return {
    localModel: before.localModel,
    cardinality: before.cardinality === 'one' ? 'one' : after.cardinality,
    dataSchema: bothSchemas(before.dataSchema, after.dataSchema),
    indexes: before.indexes,
  };
}

/** Both are schemas in themselves, each with an `$id` of its own, so that references within them keep their meaning. */
function bothSchemas(before: JsonObject | null, after: JsonObject | null): JsonObject | null {
  if (before === null || after === null) return before ?? after;
  if (jsonEqual(before, after)) return before;
  return {
    allOf: [
      { ...before, $id: 'urn:binding-model:before' },
      { ...after, $id: 'urn:binding-model:after' },
    ],
  };
}

/** What every open ledger was made with. */
export function changesIdentity(before: BindingModel, after: BindingModel): boolean {
  return before.backendType !== after.backendType || before.localModel !== after.localModel;
}

export function identityViolation(ledger: string): Violation {
  return { ledger, problem: 'the backend type and the local model of a model that has ledgers cannot change' };
}

export function violated(violations: Violation[]): Refusal {
  const detail = 'what the ledgers of the model hold does not keep to the changed model; it stays as it was';
  return refuse('MODEL_CHANGE_VIOLATED', detail, { details: { examples: violations } });
}

function definitionOf({
  model,
  backendType,
  localModel,
  dataSchema = null,
  cardinality = 'one',
  indexes = [],
}: DefineBindingModel): BindingModel {
  return { model, backendType, localModel, dataSchema, cardinality, indexes };
}

function refusalOfDefinition(
  { model, backendType, localModel, dataSchema, indexes }: BindingModel,
  validator: SchemaValidator,
): Refusal | undefined {
  const problem =
    parseName(model).problem ?? parseName(backendType).problem ?? (localModel === null ? undefined : parseId(localModel).problem);
  if (problem !== undefined) return refuse('INVALID_ID', `a model has a name, a backend type and a local model: ${problem}`);
  const errors = problemsOfIndexes(indexes);
  if (errors.length > 0) return refuse('MALFORMED', 'the indexes are not well formed', { errors });
  return dataSchema === null ? undefined : refusalOfSchema(dataSchema, 'dataSchema', validator);
}

function problemsOfIndexes(indexes: readonly string[]): Problem[] {
  if (indexes.length > MAX_INDEXES) return [{ path: '/indexes', message: `there are at most ${MAX_INDEXES} indexes` }];
  return indexes.flatMap((field, index) => {
    const path = `/indexes/${index}`;
    if (indexes.indexOf(field) < index) return [{ path, message: `${JSON.stringify(field)} stands there twice` }];
    if (field.startsWith('$') || field.includes('.') || field === '__proto__')
      return [{ path, message: `${JSON.stringify(field)} cannot be a member of data` }];
    return problemsOfText(field, path, MAX_FIELD_LENGTH);
  });
}
