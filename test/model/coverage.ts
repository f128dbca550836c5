import { isRefusal } from '#domain';
import type { Run } from './run.js';

/** What a run has come upon: a check of what never happens would be none. */
export function coverageOf({ events, attempts, sightings }: Run): string[] {
  const results = attempts.flatMap(({ results = [] }) => results);
  return [
    ...events.map(({ type }) => type),
    ...results.map((result) => (isRefusal(result) ? result.refused : result.outcome)),
    ...sightings.map(
      ({ what, found, past }) => `${what.by} ${found.length + (past?.states.length ?? 0) === 0 ? 'missed' : 'found'}`,
    ),
    ...(attempts.some(({ results: answered }) => answered === undefined) ? ['no answer'] : []),
    ...(results.some((result) => !isRefusal(result) && result.displaced !== undefined) ? ['displaced'] : []),
  ];
}

export const EXPECTED_COVERAGE: string[] = [
  [
    'BindingCreated',
    'ExternalIdAssigned',
    'ExternalIdReplaced',
    'SyncDateUpdated',
    'BindingDataChanged',
    'BindingMoved',
    'BindingRemoved',
  ],
  ['LedgerOpened', 'LedgerRulesChanged', 'LedgerPaused', 'LedgerResumed', 'LedgerClosed'],
  ['LedgerRegistered', 'BackendPaused', 'BackendResumed', 'BackendRetiring', 'BackendRetired', 'BackendRetirementCancelled'],
  ['ModelChanging', 'ModelChanged', 'ModelChangeRolledBack'],
  ['created', 'assigned', 'replaced', 'synced', 'changed', 'unchanged', 'taken', 'unbound', 'moved', 'displaced', 'no answer'],
  ['NOT_BOUND', 'BINDING_NOT_FOUND', 'RECORD_ALREADY_BOUND', 'EXTERNAL_ID_TAKEN', 'AMBIGUOUS_RECORD', 'VERSION_MISMATCH'],
  ['BACKEND_PAUSED', 'LEDGER_CLOSED', 'BUSY', 'STORE_UNAVAILABLE', 'OUTCOME_UNKNOWN'],
  ['externalId', 'externalIds', 'recordIds', 'id', 'history'].flatMap((by) => [`${by} found`, `${by} missed`]),
].flat();
