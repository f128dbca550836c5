/**
 * `decide`: what a command becomes, given a ledger's state: events and an answer, or a refusal. Pure; the clock, new ids and
 * the check of data against the model's schema come in as `Circumstances`.
 */
import { MAX_BINDINGS_OF_RECORD, isLive, statusOf, type Binding, type LedgerState } from './ledger.js';
import type { Command, Move, Unbind } from './commands.js';
import { decideBind } from './decide-bind.js';
import { decideChangeData, decideSync } from './decide-sync.js';
import { ambiguous, checked, liveBinding, next, removal, targetsOf, type Circumstances, type Decision } from './decision.js';
import type { LedgerView } from './ledger-view.js';
import { isRefusal, refuse, type Refusal } from './refusals.js';

export type { Circumstances, Decision } from './decision.js';

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
