import type { AllPage, RecordedEvent } from '#event-store';
import { Stalled } from './errors.js';
import type { AllSource } from './sources.js';

/** A page of which nothing matches is left after so long: whoever reads goes on from where it was searched to. */
const MAX_SEARCH_MS = 2_000;

/** One page of a source: as much of a subscription as the page holds. Here alone the node itself filters. */
export async function readPage(source: AllSource, limit: number, deadlineMs: number, signal: AbortSignal): Promise<AllPage> {
  const events: RecordedEvent[] = [];
  const searchUntil = performance.now() + MAX_SEARCH_MS;
  const live = await source.begin();
  try {
    for (;;) {
      const arrived = live.take(limit - events.length);
      if (arrived !== undefined) {
        source.advance(arrived);
        events.push(...arrived.events);
        const over = arrived.caughtUp || events.length >= limit || performance.now() > searchUntil;
        if (over) return { events, position: source.position, end: arrived.caughtUp };
      } else if (!(await live.more({ startMs: deadlineMs, silenceMs: deadlineMs }, signal))) {
        throw new Stalled(`nothing came within ${deadlineMs} ms`);
      } else if (signal.aborted) throw new Stalled('the event store is being closed');
    }
  } finally {
    live.stop();
  }
}
