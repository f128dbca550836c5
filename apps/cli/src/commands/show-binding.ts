/** How bindings and events are shown to people. */
import type { Binding, LedgerEvent } from '#client';
import { BINDING_EVENT_TYPES } from '#domain';
import type { Column } from '../table.js';

/** An instant, to the millisecond. */
const INSTANT_WIDTH = '2026-01-01T00:00:00.000Z'.length;
/** Most ids are no longer. */
const ID_WIDTH = 12;
const LEDGER_WIDTH = 24;
const EVENT_WIDTH = Math.max(...BINDING_EVENT_TYPES.map((type) => type.length));

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
  ['at', ({ at }) => at, INSTANT_WIDTH],
  ['event', ({ type }) => type, EVENT_WIDTH],
  ['record', (event) => ('recordId' in event ? event.recordId : undefined), ID_WIDTH],
  ['external id', (event) => ('externalId' in event ? event.externalId : undefined), ID_WIDTH],
  ['actor', ({ actor }) => actor],
];

/** Events of many ledgers. */
export const ACROSS_COLUMNS: Column<LedgerEvent>[] = [
  ['ledger', ({ backend, model }) => `${backend}/${model}`, LEDGER_WIDTH],
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
