/** Listings of events: of a ledger, and of one binding, record or external id. */
import { Listing } from './listing.js';
import type { ReadOptions } from './options.js';
import type { Transport } from './transport.js';
import type { Page } from './wire-bindings.js';
import type { EventsQuery, LedgerEvent } from './wire-events.js';

/** Cursors of a ledger's events are revisions; the loop over all pages, and the stream, end at the newest event. */
export function eventListing(transport: Transport, path: string, query: EventsQuery, options: ReadOptions): Listing<LedgerEvent> {
  const { waitMs = 0, limit } = query;
  const call = { method: 'GET' as const, path, options };
  return new Listing<LedgerEvent>({
    page: async (cursor) => {
      const parameters = { after: cursor ?? query.after, limit, wait: query.waitMs };
      const { items } = await transport.read<{ items: LedgerEvent[] }>({ ...call, query: parameters }, waitMs);
      const last = items.at(-1);
      return { items, nextCursor: last === undefined ? null : String(last.revision) };
    },
    stream: () => transport.lines<LedgerEvent>({ ...call, query: { after: query.after } }),
  });
}

/** Every event of one thing, oldest first, also of what was unbound long ago. */
export function historyListing<E>(
  transport: Transport,
  path: string,
  limit: number | undefined,
  options: ReadOptions,
): Listing<E> {
  const call = { method: 'GET' as const, path, options };
  return new Listing<E>({
    page: (cursor) => transport.read<Page<E>>({ ...call, query: { limit, cursor } }),
    stream: () => transport.lines<E>(call),
  });
}
