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
  return [...bindings]
    .filter((binding) => checks.every((check) => check(binding)))
    .sort((a, b) => compare(instantOf(a, filter), instantOf(b, filter)) || compare(a.id, b.id));
}

/** Bindings of one instant come in an order of the adapter's own: here by id, where they follow on each other. */
export function tiesById(listed: readonly Binding[], filter: BindingFilter): Binding[] {
  const runs: Binding[][] = [];
  for (const binding of listed) {
    const run = runs.at(-1);
    const before = run?.at(-1);
    if (before !== undefined && instantOf(before, filter) === instantOf(binding, filter)) run?.push(binding);
    else runs.push([binding]);
  }
  return runs.flatMap((run) => (isByInstant(filter) ? run.sort((a, b) => compare(a.id, b.id)) : run));
}

function isByInstant({ syncedBefore, createdBefore }: BindingFilter): boolean {
  return syncedBefore !== undefined || createdBefore !== undefined;
}

function instantOf({ syncDate, createdAt }: Binding, filter: BindingFilter): number {
  if (filter.syncedBefore !== undefined) return timeOf(syncDate);
  return filter.createdBefore === undefined ? 0 : timeOf(createdAt);
}

const compare = <T extends number | string>(a: T, b: T) => (a === b ? 0 : a < b ? -1 : 1);

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
