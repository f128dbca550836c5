/** Run by cron every few minutes: reads what was recorded since the last run, page by page, and ends. */
import { isLedgerError, type BindingLedgerClient, type EventFilter } from '#client';
import type { CountryPages } from './pages.js';

const PAGE = 100;

/** Answers how many events there were. */
export async function catchUp(client: BindingLedgerClient, wanted: EventFilter, pages: CountryPages): Promise<number> {
  let [count, caughtUp] = [0, false];
  while (!caughtUp) {
    try {
      const page = await client.events(wanted, { after: pages.position, limit: PAGE });
      for (const event of page.items) pages.apply(event);
      // Also when nothing fitted: the next run then does not search the same part again.
      await pages.save(page.nextPosition);
      count += page.items.length;
      ({ caughtUp } = page);
    } catch (error) {
      if (!isLedgerError(error, 'POSITION_GONE')) throw error;
      await pages.beginAnew();
    }
  }
  return count;
}
