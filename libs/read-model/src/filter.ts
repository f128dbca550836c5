/** What a filter means, in one place for every adapter: which bindings match, and in which order they are listed. */
import { isLive, type Binding, type JsonValue } from '#domain';
import type { BindingFilter } from './port.js';

/** By what a listing is ordered; ties are ordered by id. */
export type ListOrder = 'id' | 'syncDate' | 'createdAt';

/** Where a binding stands in a listing: `date` is '' in the order of ids, and for a binding that was never synchronized. */
export interface Place {
  date: string;
  id: string;
}

export function orderOf(filter: BindingFilter): ListOrder {
  if (filter.syncedBefore !== undefined) return 'syncDate';
  return filter.createdBefore === undefined ? 'id' : 'createdAt';
}

export function placeOf(binding: Binding, order: ListOrder): Place {
  if (order === 'id') return { date: '', id: binding.id };
  return { date: (order === 'syncDate' ? binding.syncDate : binding.createdAt) ?? '', id: binding.id };
}

export function matches(binding: Binding, filter: BindingFilter): boolean {
  if (filter.state === undefined ? !isLive(binding) : binding.state !== filter.state) return false;
  if (filter.recordId !== undefined && binding.recordId !== filter.recordId) return false;
  if (filter.externalId !== undefined && binding.externalId !== filter.externalId) return false;
  return matchesDates(binding, filter) && matchesData(binding, filter);
}

/** `before` and `after` are exclusive. A binding that was never synchronized was so before every instant, and after none. */
function matchesDates({ syncDate, createdAt }: Binding, { syncedBefore, syncedAfter, createdBefore }: BindingFilter): boolean {
  if (syncedBefore !== undefined && syncDate !== null && syncDate >= syncedBefore) return false;
  if (syncedAfter !== undefined && (syncDate === null || syncDate <= syncedAfter)) return false;
  return createdBefore === undefined || createdAt < createdBefore;
}

function matchesData({ data }: Binding, filter: BindingFilter): boolean {
  if (filter.data === undefined) return true;
  return Object.entries(filter.data).every(
    ([field, text]) => (Object.hasOwn(data, field) ? scalarText(data[field]) : undefined) === text,
  );
}

/** A scalar as filters name it: a string as it is, a number or a boolean as JSON. What is none cannot be filtered on. */
export function scalarText(value: JsonValue | undefined): string | undefined {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? JSON.stringify(value) : undefined;
}
