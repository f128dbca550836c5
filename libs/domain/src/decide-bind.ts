/** What becomes of `bind`: a new binding, an external id for one that is there, or a newer sync date for the same pair. */
import { MAX_BINDINGS_OF_RECORD, type Binding, type BindingChange, type BindingEvent } from './ledger.js';
import type { Bind } from './commands.js';
import { syncTo } from './decide-sync.js';
import {
  ambiguous,
  checked,
  invalidData,
  liveBinding,
  mergeData,
  mergedData,
  mismatch,
  next,
  one,
  removal,
  tooFarAhead,
  unchanged,
  type Circumstances,
  type Decision,
} from './decision.js';
import type { LedgerView } from './ledger-view.js';
import { isRefusal, refuse, type Refusal } from './refusals.js';
import { mergePatch } from './values.js';

export function decideBind(view: LedgerView, command: Bind, circumstances: Circumstances): Decision | Refusal {
  const { externalId } = command;
  const named = command.bindingId === undefined ? undefined : namedBinding(view, command.bindingId, command);
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

function namedBinding(view: LedgerView, bindingId: string, command: Bind): Binding | Refusal {
  const binding = liveBinding(view, bindingId);
  return isRefusal(binding) ? binding : (checked(binding, command) ?? binding);
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
  const unmeant = checked(target, command);
  if (unmeant !== undefined) return unmeant;
  if (target.state === 'bound' && command.ifBound !== 'replace') {
    const detail = `record ${JSON.stringify(target.recordId)} is bound to external id ${JSON.stringify(target.externalId)}`;
    return refuse('RECORD_ALREADY_BOUND', detail, { holder: target });
  }
  const change = changeOf(view, target, syncDate, command, circumstances);
  if (isRefusal(change)) return change;
  const identity = { externalId, state: 'bound' as const };
  return target.state === 'pending'
    ? one(
        'assigned',
        next('ExternalIdAssigned', target, identity, { ...change, previousExternalId: null, previousState: 'pending' }),
      )
    : one('replaced', next('ExternalIdReplaced', target, identity, { ...change, previousExternalId: target.externalId }));
}

/** The change that a date and a patch make: the date only if it is newer, the data only if it differs. */
function changeOf(
  view: LedgerView,
  target: Binding,
  syncDate: string | null,
  { data }: Bind,
  circumstances: Circumstances,
): BindingChange | Refusal {
  const ahead = tooFarAhead(syncDate, circumstances);
  if (ahead !== undefined) return ahead;
  const change = mergedData(view, target, data, circumstances);
  if (isRefusal(change)) return change;
  if (syncDate === null || (target.syncDate !== null && syncDate <= target.syncDate)) return change;
  return { ...change, syncDate };
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
    data: { bindingId, data, externalId, recordId, state, syncDate, version: 1 },
  };
  return one('created', event);
}

/** The same pair again: the date moves on, as in `sync`; with `null` for a date only the data is merged. */
function rebindOfSamePair(view: LedgerView, holder: Binding, command: Bind, circumstances: Circumstances): Decision | Refusal {
  const { syncDate, data } = command;
  return syncDate === null
    ? mergeData(view, holder, data, circumstances)
    : syncTo(view, holder, { syncDate, data }, circumstances);
}
