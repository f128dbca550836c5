/**
 * `decide`: what a command becomes, given a ledger's state: events and an answer, or a refusal. Pure; the clock, new ids and
 * the check of data against the model's schema come in as `Circumstances`.
 */
import {
  MAX_BINDINGS_OF_RECORD,
  isLive,
  statusOf,
  type Bind,
  type Binding,
  type BindingChange,
  type BindingEvent,
  type BindingEventType,
  type BindingIdentity,
  type ChangeData,
  type Command,
  type CommandOptions,
  type LedgerRules,
  type LedgerState,
  type Move,
  type Outcome,
  type Sync,
  type Target,
  type Unbind,
} from './ledger.js';
import type { LedgerView } from './ledger-view.js';
import { isRefusal, refuse, type Problem, type Refusal } from './refusals.js';
import { MAX_DATA_BYTES, MAX_SYNC_DATE_AHEAD_MS, jsonEqual, mergePatch, utf8Length, type JsonObject } from './values.js';

export interface Circumstances {
  /** What the events will say was their time: ISO 8601, UTC, milliseconds. */
  at: string;
  newId(): string;
  /** What in the data the ledger's schema does not admit; empty when it admits it. */
  problemsOf(data: JsonObject, rules: LedgerRules): Problem[];
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

export function decide(view: LedgerView, command: Command, circumstances: Circumstances): Decision | Refusal {
  const closed = refusalOfState(view.state);
  if (closed !== undefined) return closed;
  switch (command.op) {
    case 'bind':
      return decideBind(view, command, circumstances);
    case 'sync':
      return decideSync(view, command, circumstances);
    case 'changeData':
      return decideChangeData(view, command, circumstances);
    case 'unbind':
      return decideUnbind(view, command);
    case 'move':
      return decideMove(view, command);
  }
}

function refusalOfState(state: LedgerState): Refusal | undefined {
  const status = statusOf(state);
  if (status === 'closed')
    return refuse('LEDGER_CLOSED', 'the backend is retired, or being retired: its ledgers take no more changes');
  if (status === 'paused') return refuse('BACKEND_PAUSED', 'the backend is paused: try again when it is resumed');
  return undefined;
}

// ── bind ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

function decideBind(view: LedgerView, command: Bind, circumstances: Circumstances): Decision | Refusal {
  const { externalId } = command;
  const named = command.bindingId === undefined ? undefined : liveBinding(view, command.bindingId);
  if (named !== undefined && isRefusal(named)) return named;
  const recordId = named?.recordId ?? command.recordId;
  if (recordId === undefined) return refuse('MALFORMED', 'a bind names a record or a binding');
  if (externalId === undefined)
    return named === undefined ? decidePending(view, recordId, command, circumstances) : unchanged(named);

  const holder = view.liveOfExternalId(externalId);
  if (holder !== undefined && (named === undefined ? holder.recordId === recordId : holder.id === named.id)) {
    return checked(holder, command) ?? rebindOfSamePair(view, holder, command, circumstances);
  }
  if (holder !== undefined && command.ifTaken === 'return') return { outcome: 'taken', events: [], bindingId: holder.id };
  if (holder !== undefined && command.ifTaken !== 'takeOver') {
    return refuse(
      'EXTERNAL_ID_TAKEN',
      `external id ${JSON.stringify(externalId)} is bound to record ${JSON.stringify(holder.recordId)}`,
      { holder },
    );
  }
  const target = named ?? bindingToGiveTheIdTo(view, recordId, command);
  if (target !== undefined && isRefusal(target)) return target;
  const decision = giveExternalId(view, target, recordId, externalId, command, circumstances);
  if (holder === undefined || isRefusal(decision)) return decision;
  return {
    ...decision,
    events: [removal(holder, 'takenOver'), ...decision.events],
    displacedId: holder.id,
  };
}

/** A bind without external id announces a record that is about to be exported; one that has a binding has it already. */
function decidePending(view: LedgerView, recordId: string, command: Bind, circumstances: Circumstances): Decision | Refusal {
  const live = view.liveOfRecord(recordId);
  if (live.length > 1) return ambiguous(recordId, live);
  const [binding] = live;
  if (binding !== undefined) return checked(binding, command) ?? unchanged(binding);
  return create(view, recordId, null, command.syncDate ?? null, command, circumstances);
}

/** The binding of the record that becomes bound to the external id; none when a new one is to be made. */
function bindingToGiveTheIdTo(view: LedgerView, recordId: string, command: Bind): Binding | undefined | Refusal {
  const live = view.liveOfRecord(recordId);
  const pending = live.filter((binding) => binding.state === 'pending');
  if (pending.length > 1) return ambiguous(recordId, pending);
  if (pending.length === 1) return pending[0];
  const [bound] = live;
  if (bound === undefined) return undefined;
  if (view.state.rules.cardinality === 'many' && command.ifBound !== 'replace') {
    if (live.length < MAX_BINDINGS_OF_RECORD) return undefined;
    return refuse(
      'TOO_MANY_BINDINGS',
      `record ${JSON.stringify(recordId)} has ${live.length} live bindings, which is the most there may be`,
    );
  }
  return live.length > 1 ? ambiguous(recordId, live) : bound;
}

function giveExternalId(
  view: LedgerView,
  target: Binding | undefined,
  recordId: string,
  externalId: string,
  command: Bind,
  circumstances: Circumstances,
): Decision | Refusal {
  const syncDate = command.syncDate === undefined ? circumstances.at : command.syncDate;
  if (target === undefined) return create(view, recordId, externalId, syncDate, command, circumstances);
  const mismatch = checked(target, command);
  if (mismatch !== undefined) return mismatch;
  if (target.state === 'bound' && command.ifBound !== 'replace') {
    const detail = `record ${JSON.stringify(target.recordId)} is bound to external id ${JSON.stringify(target.externalId)}`;
    return refuse('RECORD_ALREADY_BOUND', detail, { holder: target });
  }
  const change = changeOf(view, target, { syncDate, data: command.data }, circumstances);
  if (isRefusal(change)) return change;
  const assigned = target.state === 'pending';
  const previous = assigned
    ? { previousExternalId: null, previousState: 'pending' as const }
    : { previousExternalId: target.externalId };
  const event = next(
    assigned ? 'ExternalIdAssigned' : 'ExternalIdReplaced',
    target,
    { externalId, state: 'bound' },
    { ...change, ...previous },
  );
  return { outcome: assigned ? 'assigned' : 'replaced', events: [event], bindingId: target.id };
}

function create(
  view: LedgerView,
  recordId: string,
  externalId: string | null,
  syncDate: string | null,
  command: Bind,
  circumstances: Circumstances,
): Decision | Refusal {
  if (command.expectedVersion !== undefined || command.ifBinding !== undefined)
    return mismatch('there is no such binding of the record yet', undefined);
  const data = mergePatch({}, command.data ?? {});
  const refusal = tooFarAhead(syncDate, circumstances) ?? invalidData(view, data, circumstances);
  if (refusal !== undefined) return refusal;
  const bindingId = circumstances.newId();
  const state = externalId === null ? 'pending' : 'bound';
  const event: BindingEvent = {
    type: 'BindingCreated',
    data: { bindingId, version: 1, recordId, externalId, state, syncDate, data },
  };
  return { outcome: 'created', events: [event], bindingId };
}

/** The same pair again: the date moves on, as in `sync`; without a date only the data is merged. */
function rebindOfSamePair(view: LedgerView, holder: Binding, command: Bind, circumstances: Circumstances): Decision | Refusal {
  if (command.syncDate !== null)
    return syncTo(view, holder, command.syncDate ?? circumstances.at, command.data, false, circumstances);
  return command.data === undefined ? unchanged(holder) : mergeData(view, holder, command.data, circumstances);
}

// ── sync, data, unbind, move ─────────────────────────────────────────────────────────────────────────────────────────

function decideSync(view: LedgerView, command: Sync, circumstances: Circumstances): Decision | Refusal {
  const target = liveTarget(view, command);
  if (isRefusal(target)) return target;
  return (
    checked(target, command) ??
    syncTo(view, target, command.syncDate ?? circumstances.at, command.data, command.force === true, circumstances)
  );
}

/** A sync date never moves backwards: what comes late is older than what is known, so its data is not applied either. */
function syncTo(
  view: LedgerView,
  target: Binding,
  syncDate: string,
  data: JsonObject | undefined,
  force: boolean,
  circumstances: Circumstances,
): Decision | Refusal {
  const ahead = tooFarAhead(syncDate, circumstances);
  if (ahead !== undefined) return ahead;
  const newer = target.syncDate === null || syncDate > target.syncDate;
  if (!newer && !force) return unchanged(target);
  if (syncDate === target.syncDate) return data === undefined ? unchanged(target) : mergeData(view, target, data, circumstances);
  const change: BindingChange & { syncDate: string } = { syncDate };
  const merged = data === undefined ? undefined : mergedData(view, target, data, circumstances);
  if (merged !== undefined && isRefusal(merged)) return merged;
  if (merged?.data !== undefined) change.data = merged.data;
  if (!newer) change.forced = true;
  return {
    outcome: 'synced',
    events: [next('SyncDateUpdated', target, {}, change)],
    bindingId: target.id,
  };
}

function decideChangeData(view: LedgerView, command: ChangeData, circumstances: Circumstances): Decision | Refusal {
  const target = liveTarget(view, command);
  if (isRefusal(target)) return target;
  return checked(target, command) ?? mergeData(view, target, command.data, circumstances);
}

function mergeData(view: LedgerView, target: Binding, patch: JsonObject, circumstances: Circumstances): Decision | Refusal {
  const merged = mergedData(view, target, patch, circumstances);
  if (isRefusal(merged)) return merged;
  if (merged.data === undefined) return unchanged(target);
  return {
    outcome: 'changed',
    events: [next('BindingDataChanged', target, {}, { data: merged.data })],
    bindingId: target.id,
  };
}

/** Unbinding what is not bound answers `unchanged`: a retry finds done what it asked for. */
function decideUnbind(view: LedgerView, command: Unbind): Decision | Refusal {
  const targets = targetsOf(view, command).filter(isLive);
  if (targets.length === 0)
    return {
      outcome: 'unchanged',
      events: [],
      bindingId: null,
      ...(command.all ? { bindingIds: [] } : {}),
    };
  if (targets.length > 1 && command.all !== true) return ambiguous(command.recordId ?? '', targets);
  for (const target of targets) {
    const refusal = checked(target, command);
    if (refusal !== undefined) return refusal;
  }
  const events = targets.map((target) => removal(target, command.cause ?? 'requested'));
  const decision: Decision = { outcome: 'unbound', events, bindingId: targets.at(-1)?.id ?? null };
  return command.all ? { ...decision, bindingIds: targets.map((target) => target.id) } : decision;
}

function decideMove(view: LedgerView, command: Move): Decision | Refusal {
  const moving = bindingsToMove(view, command);
  if (isRefusal(moving)) return moving;
  for (const binding of moving) {
    const refusal = checked(binding, command);
    if (refusal !== undefined) return refusal;
  }
  const bindingIds = moving.map((binding) => binding.id);
  const bindingId = bindingIds.at(-1) ?? null;
  const staying = view.liveOfRecord(command.toRecordId);
  if (moving.every((binding) => binding.recordId === command.toRecordId))
    return { outcome: 'unchanged', events: [], bindingId, bindingIds };
  const room = view.state.rules.cardinality === 'many' ? MAX_BINDINGS_OF_RECORD : 1;
  if (staying.length + moving.length > room) {
    const [holder] = staying;
    return view.state.rules.cardinality === 'one' && holder !== undefined
      ? refuse('RECORD_ALREADY_BOUND', `record ${JSON.stringify(command.toRecordId)} has a binding already`, { holder })
      : refuse('TOO_MANY_BINDINGS', `record ${JSON.stringify(command.toRecordId)} would have more than ${room} live bindings`);
  }
  const events = moving.map((binding) =>
    next('BindingMoved', binding, { recordId: command.toRecordId }, { previousRecordId: binding.recordId }),
  );
  return { outcome: 'moved', events, bindingId, bindingIds };
}

function bindingsToMove(view: LedgerView, command: Move): Binding[] | Refusal {
  if (command.fromRecordId !== undefined) return view.liveOfRecord(command.fromRecordId);
  const binding = liveBinding(view, command.bindingId ?? '');
  return isRefusal(binding) ? binding : [binding];
}

// ── What several commands need ───────────────────────────────────────────────────────────────────────────────────────

function targetsOf(view: LedgerView, target: Target): Binding[] {
  if (target.recordId !== undefined) return view.liveOfRecord(target.recordId);
  const found = target.externalId === undefined ? view.binding(target.bindingId ?? '') : view.liveOfExternalId(target.externalId);
  return found === undefined ? [] : [found];
}

function liveTarget(view: LedgerView, target: Target): Binding | Refusal {
  if (target.bindingId !== undefined) return liveBinding(view, target.bindingId);
  const found = targetsOf(view, target);
  if (found.length > 1) return ambiguous(target.recordId ?? '', found);
  const what =
    target.recordId === undefined
      ? `external id ${JSON.stringify(target.externalId)}`
      : `record ${JSON.stringify(target.recordId)}`;
  return found[0] ?? refuse('NOT_BOUND', `${what} is not bound`);
}

function liveBinding(view: LedgerView, bindingId: string): Binding | Refusal {
  const binding = view.binding(bindingId);
  if (binding === undefined)
    return refuse('BINDING_NOT_FOUND', `there is no binding ${JSON.stringify(bindingId)} in this ledger`);
  return isLive(binding) ? binding : refuse('NOT_BOUND', `binding ${bindingId} was unbound at ${binding.unboundAt}`);
}

function ambiguous(recordId: string, candidates: Binding[]): Refusal {
  return refuse(
    'AMBIGUOUS_RECORD',
    `record ${JSON.stringify(recordId)} has ${candidates.length} bindings here: name the binding`,
    { candidates },
  );
}

/** Whether the binding is the one, and in the version, that the caller means. */
function checked(binding: Binding, { ifBinding, expectedVersion }: CommandOptions): Refusal | undefined {
  if (ifBinding !== undefined && ifBinding !== binding.id)
    return mismatch(`the binding is ${binding.id}, not ${ifBinding}`, binding);
  if (expectedVersion !== undefined && expectedVersion !== binding.version) {
    return mismatch(`the binding has version ${binding.version}, not ${expectedVersion}`, binding);
  }
  return undefined;
}

function mismatch(detail: string, binding: Binding | undefined): Refusal {
  return refuse(
    'VERSION_MISMATCH',
    detail,
    binding === undefined ? {} : { details: { bindingId: binding.id, version: binding.version } },
  );
}

function tooFarAhead(syncDate: string | null, { at }: Circumstances): Refusal | undefined {
  if (syncDate === null || syncDate <= at || Date.parse(syncDate) <= Date.parse(at) + MAX_SYNC_DATE_AHEAD_MS) return undefined;
  return refuse('INVALID_SYNC_DATE', `${syncDate} is more than 5 minutes ahead of the ledger's clock (${at})`);
}

/** The change that a date and a patch make: the date only if it is newer, the data only if it differs. */
function changeOf(
  view: LedgerView,
  target: Binding,
  { syncDate, data }: { syncDate: string | null; data: JsonObject | undefined },
  circumstances: Circumstances,
): BindingChange | Refusal {
  const ahead = tooFarAhead(syncDate, circumstances);
  if (ahead !== undefined) return ahead;
  const change = data === undefined ? {} : mergedData(view, target, data, circumstances);
  if (isRefusal(change)) return change;
  if (syncDate === null || (target.syncDate !== null && syncDate <= target.syncDate)) return change;
  return { ...change, syncDate };
}

function mergedData(
  view: LedgerView,
  target: Binding,
  patch: JsonObject,
  circumstances: Circumstances,
): { data?: JsonObject } | Refusal {
  const data = mergePatch(target.data, patch);
  return jsonEqual(data, target.data) ? {} : (invalidData(view, data, circumstances) ?? { data });
}

function invalidData(view: LedgerView, data: JsonObject, circumstances: Circumstances): Refusal | undefined {
  if (utf8Length(JSON.stringify(data)) > MAX_DATA_BYTES)
    return refuse('INVALID_DATA', `data has at most ${MAX_DATA_BYTES} bytes as JSON`);
  const errors = circumstances.problemsOf(data, view.state.rules);
  return errors.length === 0 ? undefined : refuse('INVALID_DATA', "the data does not match the model's schema", { errors });
}

function next(type: BindingEventType, binding: Binding, identity: Partial<BindingIdentity>, change: BindingChange): BindingEvent {
  const { id: bindingId, version, recordId, externalId, state } = binding;
  return {
    type,
    data: { bindingId, version: version + 1, recordId, externalId, state, ...identity, ...change },
  };
}

function removal(binding: Binding, cause: NonNullable<BindingChange['cause']>): BindingEvent {
  return next('BindingRemoved', binding, { state: 'unbound' }, { previousState: binding.state, cause });
}

function unchanged(binding: Binding): Decision {
  return { outcome: 'unchanged', events: [], bindingId: binding.id };
}
