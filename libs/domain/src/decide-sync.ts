/** What becomes of `sync` and `changeData`. */
import type { Binding, BindingChange } from './ledger.js';
import type { ChangeData, Sync } from './commands.js';
import {
  checked,
  liveTarget,
  mergeData,
  mergedData,
  next,
  one,
  tooFarAhead,
  unchanged,
  type Circumstances,
  type Decision,
} from './decision.js';
import type { LedgerView } from './ledger-view.js';
import { isRefusal, type Refusal } from './refusals.js';

export function decideSync(view: LedgerView, command: Sync, circumstances: Circumstances): Decision | Refusal {
  const target = liveTarget(view, command);
  if (isRefusal(target)) return target;
  return checked(target, command) ?? syncTo(view, target, command, circumstances);
}

export function decideChangeData(view: LedgerView, command: ChangeData, circumstances: Circumstances): Decision | Refusal {
  const target = liveTarget(view, command);
  if (isRefusal(target)) return target;
  return checked(target, command) ?? mergeData(view, target, command.data, circumstances);
}

/**
 * A sync date never moves backwards: what comes late is older than what is known, so its data is not applied either.
 * Without a date of its own a command is never late: its data counts though the clock stood still, or has not yet
 * reached a date that was given before.
 */
export function syncTo(
  view: LedgerView,
  target: Binding,
  { syncDate: given, data, force = false }: Pick<Sync, 'syncDate' | 'data' | 'force'>,
  circumstances: Circumstances,
): Decision | Refusal {
  const syncDate = given ?? circumstances.at;
  const ahead = tooFarAhead(syncDate, circumstances);
  if (ahead !== undefined) return ahead;
  const newer = target.syncDate === null || syncDate > target.syncDate;
  const late = !newer && given !== undefined;
  if (late && !force) return unchanged(target);
  const change: BindingChange | Refusal = mergedData(view, target, data, circumstances);
  if (isRefusal(change)) return change;
  if (newer) return one('synced', next('SyncDateUpdated', target, {}, { ...change, syncDate }));
  if (force && syncDate !== target.syncDate)
    return one('synced', next('SyncDateUpdated', target, {}, { ...change, syncDate, forced: true }));
  if (change.data === undefined) return unchanged(target);
  return one('changed', next('BindingDataChanged', target, {}, late ? { ...change, forced: true } : change));
}
