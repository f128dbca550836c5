/** Runs for ever: follows what is recorded, from where the last run stopped. */
import type { BindingLedgerClient, EventFilter } from '#client';
import type { CountryPages } from './pages.js';

/** Until the signal aborts. Lost connections and restarts of the server are the client's business. */
export async function follow(
  client: BindingLedgerClient,
  wanted: EventFilter,
  pages: CountryPages,
  signal: AbortSignal,
): Promise<void> {
  for await (const event of client.subscribe(wanted, { after: pages.position, signal })) {
    pages.apply(event);
    await pages.save(event.position);
  }
}
