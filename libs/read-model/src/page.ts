import { setImmediate as breath } from 'node:timers/promises';
import type { Binding, LedgerName } from '#domain';
import { cursorScope, decodeCursor, encodeCursor } from './cursor.js';
import { matches, orderOf, placeOf, type Place } from './filter.js';
import { bytesOf, PageSteps } from './page-size.js';
import { MAX_PAGE_BINDINGS, type BindingFilter, type BindingPage } from './port.js';

/** Reads bindings behind a place, in the listing's order; fewer than `limit` when there are no more. */
export type ReadStep = (place: Place, limit: number) => Binding[] | Promise<Binding[]>;

/**
 * One page, which ends early when its items have many bytes. An index leads through the bindings in the order of the listing; those that do not match are passed over. Each
 * step sees the newest state: what does not change meanwhile is met exactly once.
 */
export async function readPage(
  ledger: LedgerName,
  filter: BindingFilter,
  limit: number,
  cursor: string | undefined,
  readStep: ReadStep,
): Promise<BindingPage> {
  const order = orderOf(filter);
  const scope = cursorScope(ledger, filter);
  const size = Math.min(Math.max(1, Math.trunc(limit)), MAX_PAGE_BINDINGS);
  const items: Binding[] = [];
  let place = cursor === undefined ? { date: '', id: '' } : decodeCursor(cursor, scope);
  for (const steps = new PageSteps(size + 1); ;) {
    const { rows } = steps;
    const bindings = await readStep(place, rows);
    let stepBytes = 0;
    for (const binding of bindings) {
      const bytes = bytesOf(binding.data);
      stepBytes += bytes;
      if (!matches(binding, filter)) continue;
      const last = items.at(-1);
      // The page ends when there is one more to follow: so the last page is known to be it.
      if ((items.length === size || steps.full) && last !== undefined)
        return { items, nextCursor: encodeCursor(scope, placeOf(last, order)) };
      items.push(binding);
      steps.took(bytes);
    }
    const last = bindings.at(-1);
    if (last === undefined || bindings.length < rows) return { items, nextCursor: null };
    place = placeOf(last, order);
    steps.read(stepBytes);
    await breath();
  }
}
