import { messageOf, resultCode } from '#sqlite';
import { ReadModelError } from '../src/port.js';

/**
 * Result codes that speak of the database's surroundings, not of what was asked: locked, out of memory, read-only,
 * interrupted, I/O, damaged, full, cannot be opened, locking protocol, not a database (https://www.sqlite.org/rescode.html).
 */
const UNAVAILABLE: ReadonlySet<number | undefined> = new Set([5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 26]);

/** What a caller may hear of an error: that the read model is not available; anything else is a broken invariant, as it is. */
export function toReadModelError(error: unknown): unknown {
  if (!UNAVAILABLE.has(resultCode(error))) return error;
  return new ReadModelError('UNAVAILABLE', `the read model cannot be used: ${messageOf(error)}`, { cause: error });
}
