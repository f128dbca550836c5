/** What the cases of the event store's contract share. */
import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import {
  MAX_PAGE_EVENTS,
  type EventStore,
  type EventValues,
  type NewEvent,
  type Position,
  type RecordedEvent,
  type Revision,
} from '#event-store';

/** The store under test, once it is open. */
export type Subject = () => EventStore;

export const nameOf = (label: string) => `contract${randomUUID().slice(0, 8)}-${label}`;
export const event = (
  type = 'Happened',
  data: EventValues['data'] = {},
  metadata: EventValues['metadata'] = { by: 'contract' },
): NewEvent & EventValues => ({
  id: randomUUID(),
  type,
  data,
  metadata,
});
export const many = (count: number) => Array.from({ length: count }, (_, index) => event('Happened', { index }));
export const idsOf = (events: readonly NewEvent[]) => events.map(({ id }) => id);
export const revisionsOf = (events: readonly RecordedEvent[]) => events.map(({ revision }) => revision);
export const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

/** Appends what is expected to be appended. */
export async function append(store: EventStore, stream: string, expected: Revision, events: readonly NewEvent[]) {
  const result = await store.append(stream, expected, events);
  if (!result.ok) throw new Error(`${stream} is at ${result.actual}, not at ${expected}`);
  return result;
}

export async function readWhole(store: EventStore, stream: string): Promise<RecordedEvent[]> {
  return store.readStream(stream, { limit: MAX_PAGE_EVENTS });
}

/** Reads everything of a prefix page by page, and says where the reading ended. */
export async function readToEnd(store: EventStore, streamPrefix: string, after: Position, limit = MAX_PAGE_EVENTS) {
  const events: RecordedEvent[] = [];
  for (let position = after; ;) {
    const page = await store.readAll({ after: position, streamPrefixes: [streamPrefix], limit });
    expect(page.events.length).toBeLessThanOrEqual(limit);
    expect(page.position >= position).toBe(true);
    events.push(...page.events);
    position = page.position;
    if (page.end) return { events, position };
  }
}
