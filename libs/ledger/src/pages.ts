import { setImmediate as breath } from 'node:timers/promises';
import { refuse, type Refusal } from '#domain';
import type { EventStore, RecordedEvent } from '#event-store';
import { bytesOf, PageSteps, ReadModelError } from '#read-model';

/** Events of a stream after a revision: fewer than `limit` at the stream's end, or when they have many bytes. */
export async function readEvents(
  store: Pick<EventStore, 'readStream'>,
  stream: string,
  from: number,
  limit: number,
): Promise<RecordedEvent[]> {
  const steps = new PageSteps(limit);
  const events: RecordedEvent[] = [];
  for (let after = from; ;) {
    const rows = Math.min(steps.rows, limit - events.length);
    const page = await store.readStream(stream, { after, limit: rows });
    const bytes = page.reduce((sum, { data }) => sum + bytesOf(data), 0);
    events.push(...page);
    steps.took(bytes);
    if (page.length < rows || events.length >= limit || steps.full) return events;
    steps.read(bytes);
    after = page.at(-1)?.revision ?? after;
    await breath();
  }
}

/** A cursor that no page answered is a mistake of the caller. */
export async function refusingCursors<T>(read: () => Promise<T>): Promise<T | Refusal> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof ReadModelError && error.code === 'BAD_CURSOR') return refuse('MALFORMED', error.message);
    throw error;
  }
}
