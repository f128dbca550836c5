/** How bindings and events are shown to people. */
import type { Binding, LedgerEvent } from '#client';
import type { Column } from '../table.js';

export const BINDING_COLUMNS: Column<Binding>[] = [
  ['record', ({ recordId }) => recordId],
  ['external id', ({ externalId }) => externalId],
  ['state', ({ state }) => state],
  ['sync date', ({ syncDate }) => syncDate],
  ['binding', ({ id }) => id],
  ['data', ({ data }) => data],
];

export const EVENT_COLUMNS: Column<LedgerEvent>[] = [
  ['revision', ({ revision }) => revision],
  ['at', ({ at }) => at],
  ['event', ({ type }) => type],
  ['record', (event) => ('recordId' in event ? event.recordId : undefined)],
  ['external id', (event) => ('externalId' in event ? event.externalId : undefined)],
  ['actor', ({ actor }) => actor],
];

/** Events of many ledgers. */
export const ACROSS_COLUMNS: Column<LedgerEvent>[] = [
  ['ledger', ({ backend, model }) => `${backend}/${model}`],
  ...EVENT_COLUMNS,
];

export function membersOf(binding: Binding): Record<string, unknown> {
  return {
    record: binding.recordId,
    'external id': binding.externalId,
    state: binding.state,
    'sync date': binding.syncDate,
    data: Object.keys(binding.data).length === 0 ? undefined : binding.data,
    binding: binding.id,
    version: binding.version,
    cause: binding.cause,
  };
}
