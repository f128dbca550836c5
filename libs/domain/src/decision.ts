/** What a command comes to, and the checks and steps that several commands share. */
import {
  isLive,
  type Binding,
  type BindingChange,
  type BindingEvent,
  type BindingEventType,
  type BindingIdentity,
  type LedgerRules,
} from './ledger.js';
import type { CommandOptions, Outcome, Target } from './commands.js';
import type { LedgerView } from './ledger-view.js';
import { refuse, type Problem, type Refusal } from './refusals.js';
import { MAX_DATA_BYTES, MAX_SYNC_DATE_AHEAD_MS, isTooLarge, jsonEqual, mergePatch, type JsonObject } from './values.js';

export interface Circumstances {
  /** What the events will say was their time: ISO 8601, UTC, milliseconds. */
  at: string;
  newId: () => string;
  /** What in the data the ledger's schema does not admit; empty when it admits it. */
  problemsOf: (data: JsonObject, rules: LedgerRules) => Problem[];
}

/** The events of a command, and its outcome. The bindings that it names are to be read from the view after the events. */
export interface Decision {
  outcome: Outcome;
  events: BindingEvent[];
  /** The binding that the answer shows: the one that the last event changed, or the one that was found. */
  bindingId: string | null;
  /** All bindings that the answer names, for commands that may concern several. */
  bindingIds?: string[];
  displacedId?: string;
}

export function targetsOf(view: LedgerView, target: Target): Binding[] {
  if (target.recordId !== undefined) return view.liveOfRecord(target.recordId);
  const found = target.externalId === undefined ? view.binding(target.bindingId ?? '') : view.liveOfExternalId(target.externalId);
  return found === undefined ? [] : [found];
}

export function liveTarget(view: LedgerView, target: Target): Binding | Refusal {
  if (target.bindingId !== undefined) return liveBinding(view, target.bindingId);
  const found = targetsOf(view, target);
  if (found.length > 1) return ambiguous(target.recordId ?? '', found);
  const what =
    target.recordId === undefined
      ? `external id ${JSON.stringify(target.externalId)}`
      : `record ${JSON.stringify(target.recordId)}`;
  return found[0] ?? refuse('NOT_BOUND', `${what} is not bound`);
}

export function liveBinding(view: LedgerView, bindingId: string): Binding | Refusal {
  const binding = view.binding(bindingId);
  if (binding === undefined)
    return refuse('BINDING_NOT_FOUND', `there is no binding ${JSON.stringify(bindingId)} in this ledger`);
  return isLive(binding) ? binding : refuse('NOT_BOUND', `binding ${bindingId} was unbound at ${binding.unboundAt}`);
}

export function ambiguous(recordId: string, candidates: Binding[]): Refusal {
  return refuse(
    'AMBIGUOUS_RECORD',
    `record ${JSON.stringify(recordId)} has ${candidates.length} bindings here: name the binding`,
    { candidates },
  );
}

/** Whether the binding is the one, and in the version, that the caller means. */
export function checked(binding: Binding, { ifBinding, expectedVersion }: CommandOptions): Refusal | undefined {
  if (ifBinding !== undefined && ifBinding !== binding.id)
    return mismatch(`the binding is ${binding.id}, not ${ifBinding}`, binding);
  if (expectedVersion !== undefined && expectedVersion !== binding.version) {
    return mismatch(`the binding has version ${binding.version}, not ${expectedVersion}`, binding);
  }
  return undefined;
}

export function mismatch(detail: string, binding: Binding | undefined): Refusal {
  return refuse(
    'VERSION_MISMATCH',
    detail,
    binding === undefined ? {} : { details: { bindingId: binding.id, version: binding.version } },
  );
}

export function tooFarAhead(syncDate: string | null, { at }: Circumstances): Refusal | undefined {
  if (syncDate === null || syncDate <= at || Date.parse(syncDate) <= Date.parse(at) + MAX_SYNC_DATE_AHEAD_MS) return undefined;
  return refuse('INVALID_SYNC_DATE', `${syncDate} is more than 5 minutes ahead of the ledger's clock (${at})`);
}

export function mergeData(
  view: LedgerView,
  target: Binding,
  patch: JsonObject | undefined,
  circumstances: Circumstances,
): Decision | Refusal {
  const merged = mergedData(view, target, patch, circumstances);
  if ('refused' in merged) return merged;
  return merged.data === undefined ? unchanged(target) : one('changed', next('BindingDataChanged', target, {}, merged));
}

/** The data that a patch makes of the binding's, if it differs. */
export function mergedData(
  view: LedgerView,
  target: Binding,
  patch: JsonObject | undefined,
  circumstances: Circumstances,
): { data?: JsonObject } | Refusal {
  if (patch === undefined) return {};
  const data = mergePatch(target.data, patch);
  return jsonEqual(data, target.data) ? {} : (invalidData(view, data, circumstances) ?? { data });
}

export function invalidData(view: LedgerView, data: JsonObject, circumstances: Circumstances): Refusal | undefined {
  if (isTooLarge(data)) return refuse('INVALID_DATA', `data has at most ${MAX_DATA_BYTES} bytes as JSON`);
  const errors = circumstances.problemsOf(data, view.state.rules);
  return errors.length === 0 ? undefined : refuse('INVALID_DATA', "the data does not match the model's schema", { errors });
}

export function next(
  type: BindingEventType,
  binding: Binding,
  identity: Partial<BindingIdentity>,
  change: BindingChange,
): BindingEvent {
  const { id: bindingId, version, recordId, externalId, state } = binding;
  return {
    type,
    data: { bindingId, externalId, recordId, state, ...identity, ...change, version: version + 1 },
  };
}

export function removal(binding: Binding, cause: NonNullable<BindingChange['cause']>): BindingEvent {
  return next('BindingRemoved', binding, { state: 'unbound' }, { previousState: binding.state, cause });
}

export function one(outcome: Outcome, event: BindingEvent): Decision {
  return { outcome, events: [event], bindingId: event.data.bindingId };
}

export function unchanged(binding: Binding): Decision {
  return { outcome: 'unchanged', events: [], bindingId: binding.id };
}
