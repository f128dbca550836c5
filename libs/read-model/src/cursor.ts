/** Cursors: where a page ended, bound to the listing that it belongs to. */
import { createHash } from 'node:crypto';
import type { LedgerName } from '#domain';
import type { Place } from './filter.js';
import { ReadModelError, type BindingFilter } from './port.js';

/** Enough of the hash to notice a cursor of another listing; nothing is protected by it. */
const SCOPE_CHARACTERS = 16;

/** Names the listing: a cursor goes on only where it came from. */
export function cursorScope(ledger: LedgerName, filter: BindingFilter): string {
  const { data = {}, recordId, externalId, state, syncedBefore, syncedAfter, createdBefore } = filter;
  const fields = Object.entries(data).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const parts = [ledger.backend, ledger.model, recordId, externalId, state, syncedBefore, syncedAfter, createdBefore, fields];
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, SCOPE_CHARACTERS);
}

export function encodeCursor(scope: string, { date, id }: Place): string {
  return Buffer.from(JSON.stringify([scope, date, id])).toString('base64url');
}

/** @throws {ReadModelError} `BAD_CURSOR` for anything that `encodeCursor` did not make for this scope. */
export function decodeCursor(cursor: string, scope: string): Place {
  const parts = parseCursor(cursor);
  const [from, date, id] = parts;
  if (parts.length !== 3 || typeof from !== 'string' || typeof date !== 'string' || typeof id !== 'string') throw broken();
  if (encodeCursor(from, { date, id }) !== cursor) throw broken();
  if (from !== scope)
    throw new ReadModelError('BAD_CURSOR', 'the cursor belongs to a listing with another ledger or other filters');
  return { date, id };
}

function parseCursor(cursor: string): unknown[] {
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    if (Array.isArray(parts)) return parts;
  } catch {
    // What is no JSON is no cursor either.
  }
  throw broken();
}

function broken(): ReadModelError {
  return new ReadModelError('BAD_CURSOR', 'the cursor is not one that a listing answered');
}
