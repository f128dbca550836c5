/** What a listing has to answer, told from the bindings alone, the slow and simple way. */
import type { Binding, JsonValue, LedgerName } from '#domain';
import type { BindingFilter, ReadModel } from '#read-model';

const NEVER_MS = -Infinity;
const timeOf = (date: string | null) => (date === null ? NEVER_MS : Date.parse(date));

export function expectedList(bindings: Iterable<Binding>, filter: BindingFilter): Binding[] {
  const checks: ((binding: Binding) => boolean)[] = [
    ({ state }) => (filter.state === undefined ? state === 'pending' || state === 'bound' : state === filter.state),
    ({ recordId }) => filter.recordId === undefined || recordId === filter.recordId,
    ({ externalId }) => filter.externalId === undefined || externalId === filter.externalId,
    ({ syncDate }) => filter.syncedBefore === undefined || timeOf(syncDate) < Date.parse(filter.syncedBefore),
    ({ syncDate }) => filter.syncedAfter === undefined || timeOf(syncDate) > Date.parse(filter.syncedAfter),
    ({ createdAt }) => filter.createdBefore === undefined || timeOf(createdAt) < Date.parse(filter.createdBefore),
    ({ data }) => Object.entries(filter.data ?? {}).every(([field, text]) => textOf(data[field]) === text),
  ];
  const keyOf = ({ syncDate, createdAt }: Binding) => {
    if (filter.syncedBefore !== undefined) return timeOf(syncDate);
    return filter.createdBefore === undefined ? 0 : timeOf(createdAt);
  };
  return [...bindings]
    .filter((binding) => checks.every((check) => check(binding)))
    .sort((a, b) => (keyOf(a) === keyOf(b) ? (a.id < b.id ? -1 : 1) : keyOf(a) < keyOf(b) ? -1 : 1));
}

function textOf(value: JsonValue | undefined): string | undefined {
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  return typeof value === 'number' ? `${value}` : typeof value === 'string' ? value : undefined;
}

/** All pages of a listing. No page but the last may be short. */
export async function listAll(read: ReadModel, ledger: LedgerName, filter: BindingFilter, size: number): Promise<Binding[]> {
  const items: Binding[] = [];
  for (let cursor: string | undefined; ;) {
    const page = await read.list(ledger, filter, size, cursor);
    items.push(...page.items);
    if (page.nextCursor === null) return items;
    if (page.items.length !== size) throw new Error(`a page of ${size} that is not the last has ${page.items.length}`);
    cursor = page.nextCursor;
  }
}
