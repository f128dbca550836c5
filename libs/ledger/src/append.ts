import { refuse, type Refusal } from '#domain';
import { EventStoreError, type EventStore, type NewEvent } from '#event-store';

/** What became of an append: it stands in the stream, somebody else's does, or it cannot be told (or done). */
export type AppendOutcome =
  | { outcome: 'landed'; storedAt?: string }
  | { outcome: 'conflict' }
  | { outcome: 'failed'; refusal: Refusal; fatal?: true };

export interface AppendTools {
  store: EventStore;
  clock(): number;
  random(): number;
  sleep(ms: number): Promise<void>;
}

const MAX_RESEND_WAIT_MS = 1_000;

/**
 * Appends a batch. An unknown outcome is resolved by sending the identical batch again, until `deadlineAt`; if that is refused
 * as a conflict, the stream is read: the batch's own event ids there mean that it was written the first time.
 */
export async function appendResolved(
  tools: AppendTools,
  stream: string,
  expected: number,
  events: readonly NewEvent[],
  deadlineAt: number,
): Promise<AppendOutcome> {
  let unknown = false;
  for (let attempt = 0; ; attempt += 1) {
    try {
      const result = await tools.store.append(stream, expected, events);
      if (!result.ok) {
        // A store may not say where the stream is when it refuses, so it is asked.
        const actual = result.actual < expected ? await tools.store.headRevision(stream) : result.actual;
        if (actual < expected) return gone(stream, expected, actual);
        return unknown && (await standThere(tools.store, stream, expected, events))
          ? { outcome: 'landed' }
          : { outcome: 'conflict' };
      }
      if (result.revision === expected + events.length) return { outcome: 'landed', storedAt: result.storedAt };
      const detail = `${stream}: an append of ${events.length} events at revision ${expected} ended at ${result.revision}: the stream was deleted or written over`;
      return { outcome: 'failed', refusal: refuse('STORE_UNAVAILABLE', detail), fatal: true };
    } catch (error) {
      unknown ||= isUnknown(error);
      if (!unknown) return { outcome: 'failed', refusal: refusalOfStore(error) };
      if (tools.clock() >= deadlineAt) return { outcome: 'failed', refusal: refusalOfUnknown() };
      await tools.sleep(Math.min(MAX_RESEND_WAIT_MS, 20 * 2 ** attempt) * (0.5 + tools.random() / 2));
    }
  }
}

/** Nobody was ahead: the store has lost what it acknowledged, or was exchanged for another one. */
function gone(stream: string, expected: number, actual: number): AppendOutcome {
  const detail = `${stream} ends at revision ${actual}, and ended at ${expected} before: the stream was deleted, or its store emptied`;
  return { outcome: 'failed', refusal: refuse('STORE_UNAVAILABLE', detail), fatal: true };
}

async function standThere(store: EventStore, stream: string, expected: number, events: readonly NewEvent[]): Promise<boolean> {
  const page = await store.readStream(stream, { after: expected, limit: events.length });
  return events.every((event, index) => page[index]?.id === event.id);
}

function isUnknown(error: unknown): boolean {
  return error instanceof EventStoreError && error.code === 'OUTCOME_UNKNOWN';
}

function refusalOfUnknown(): Refusal {
  return refuse('OUTCOME_UNKNOWN', 'it is not known whether the command was written: repeat it with the same idempotency key');
}

export function refusalOfStore(error: unknown): Refusal {
  if (isUnknown(error)) return refusalOfUnknown();
  return refuse('STORE_UNAVAILABLE', error instanceof Error ? error.message : String(error));
}
