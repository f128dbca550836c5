import { setImmediate as breath } from 'node:timers/promises';
import type { Binding, LedgerName } from '#domain';
import { cursorScope, decodeCursor, encodeCursor } from '../src/cursor.js';
import { matches, orderOf, placeOf, type Place } from '../src/filter.js';
import { MAX_PAGE_BINDINGS, type BindingFilter, type BindingPage } from '../src/port.js';

/** A listing looks through so many rows before other work of the process has its turn. */
const MAX_ROWS_PER_STEP = 250;

/** Reads bindings behind a place, in the listing's order; fewer than `limit` when there are no more. */
export type ReadStep = (place: Place, limit: number) => Binding[];

/**
 * One page. An index leads through the bindings in the order of the listing; those that do not match are passed over. Each
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
  for (let step = Math.min(size + 1, MAX_ROWS_PER_STEP); ; step = Math.min(step * 2, MAX_ROWS_PER_STEP)) {
    const bindings = readStep(place, step);
    for (const binding of bindings) {
      if (!matches(binding, filter)) continue;
      const last = items.at(-1);
      // The page ends when there is one more to follow: so the last page is known to be it.
      if (items.length === size && last !== undefined) return { items, nextCursor: encodeCursor(scope, placeOf(last, order)) };
      items.push(binding);
    }
    const last = bindings.at(-1);
    if (last === undefined || bindings.length < step) return { items, nextCursor: null };
    place = placeOf(last, order);
    await breath();
  }
}
