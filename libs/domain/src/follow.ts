/**
 * How a ledger follows its backend and its model: which events bring it to what they say. Each event carries the revision
 * of the event that it follows from; a ledger that has seen this cause, or a newer one, is left alone, so that a slow
 * process never undoes a newer change. A ledger that was registered but never opened is opened in the same append.
 */
import type { ControlEvent, LedgerRules, LedgerState } from './ledger.js';

/** What a ledger that was not opened yet is opened with. */
export interface OpeningRules {
  rules: LedgerRules;
  modelRevision: number;
  /** Of the registration of the ledger in the backend's stream. */
  backendRevision: number;
}

/** After a pause, a resumption or a cancelled retirement at revision `cause` of the backend's stream. */
export function followBackend(ledger: LedgerState, cause: number, paused: boolean, opening: OpeningRules): ControlEvent[] {
  if (ledger.backendRevision >= cause) return [];
  const causes = { backendRevision: cause };
  const events: ControlEvent[] = [];
  if (!ledger.opened)
    events.push({ type: 'LedgerOpened', data: { ...causes, rules: opening.rules, modelRevision: opening.modelRevision } });
  else if (ledger.closed) events.push({ type: 'LedgerOpened', data: { ...causes, rules: ledger.rules } });
  // Without a difference the event still says that the cause was seen.
  if (events.length === 0 || ledger.paused !== paused)
    events.push({ type: paused ? 'LedgerPaused' : 'LedgerResumed', data: causes });
  return events;
}

/** Closes the ledger for a retirement that began at revision `cause`. Only where no binding is live: the caller has looked. */
export function followRetirement(ledger: LedgerState, cause: number, opening: OpeningRules): ControlEvent[] {
  if (ledger.backendRevision >= cause) return [];
  const { rules, modelRevision } = opening;
  return [{ type: 'LedgerClosed', data: { backendRevision: cause, ...(ledger.opened ? {} : { rules, modelRevision }) } }];
}

/** After a change of the model at revision `cause` of the models' stream. A closed ledger takes the rules too, for when it is opened again. */
export function followModel(ledger: LedgerState, cause: number, rules: LedgerRules, registration: number): ControlEvent[] {
  if (ledger.modelRevision >= cause) return [];
  if (!ledger.opened) return [{ type: 'LedgerOpened', data: { rules, modelRevision: cause, backendRevision: registration } }];
  return [{ type: 'LedgerRulesChanged', data: { rules, modelRevision: cause } }];
}

export function liveBindings({ counts }: LedgerState): number {
  return counts.pending + counts.bound;
}
