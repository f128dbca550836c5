/** Bindings as rows, and back. */
import type { Binding, BindingState, BindingUpdate, JsonObject, RemovalCause } from '#domain';

export type BindingRow = [
  id: string,
  recordId: string,
  externalId: string | null,
  syncDate: string,
  data: string,
  state: BindingState,
  version: number,
  revision: number,
  createdAt: string,
  updatedAt: string,
  unboundAt: string | null,
  cause: RemovalCause | null,
  reason: string | null,
];

export type BindingTextRow = [id: string, text: string];

const COLUMNS = [
  'id',
  'record_id',
  'external_id',
  'sync_date',
  'data',
  'state',
  'version',
  'revision',
  'created_at',
  'updated_at',
  'unbound_at',
  'cause',
  'reason',
];
export const BINDING_COLUMNS = COLUMNS.join(', ');
export const BINDING_COLUMNS_OF_B = COLUMNS.map((column) => `b.${column}`).join(', ');

const NEVER = '';
/** A `BindingText`: SQLite makes it of the columns in half the time that it takes to hand them over one by one. */
export const BINDING_TEXT_OF_B = `json_array(b.record_id, b.external_id, nullif(b.sync_date, '${NEVER}'), b.state, b.version, b.revision,
  b.created_at, b.updated_at, b.unbound_at, b.cause, b.reason) || b.data`;
const NO_DATA = '{}';

export function bindingOf(row: BindingRow): Binding {
  const binding: Binding = {
    id: row[0],
    recordId: row[1],
    externalId: row[2],
    syncDate: row[3] === NEVER ? null : row[3],
    data: dataOf(row[4]),
    state: row[5],
    version: row[6],
    revision: row[7],
    createdAt: row[8],
    updatedAt: row[9],
  };
  if (row[10] !== null) binding.unboundAt = row[10];
  if (row[11] !== null) binding.cause = row[11];
  if (row[12] !== null) binding.reason = row[12];
  return binding;
}

/** Most bindings have no data, and then there is nothing to parse. */
export function dataOf(text: string): JsonObject {
  return text === NO_DATA ? {} : (JSON.parse(text) as JsonObject);
}

export function isLiveRow(row: BindingRow): boolean {
  return row[5] !== 'unbound';
}

/** The row after the update; without a row before it, the update is the whole of the binding. */
export function updatedRow(before: BindingRow | undefined, update: BindingUpdate): BindingRow {
  const createdAt = update.createdAt ?? before?.[8];
  if (createdAt === undefined) throw new Error(`broken invariant: the creation of binding ${update.id} has no time`);
  return [
    update.id,
    update.recordId,
    update.externalId,
    update.syncDate === undefined ? (before?.[3] ?? NEVER) : (update.syncDate ?? NEVER),
    update.data === undefined ? (before?.[4] ?? NO_DATA) : JSON.stringify(update.data),
    update.state,
    update.version,
    update.revision,
    createdAt,
    update.updatedAt,
    update.unboundAt ?? before?.[10] ?? null,
    update.cause ?? before?.[11] ?? null,
    update.reason ?? before?.[12] ?? null,
  ];
}
