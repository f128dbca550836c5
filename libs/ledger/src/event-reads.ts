/** Reads single events of a stream by their revisions: those that stand near each other together, a few reads at once. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { EventStore, RecordedEvent } from '#event-store';

/** A read may pass over so many events that are not wanted. */
const MAX_GAP = 16;
const MAX_READ_EVENTS = 256;
const READS_AT_ONCE = 8;

/** The events at ascending revisions, in parts, as the reader takes them. @throws when one is not there: the stream is broken. */
export async function* readRevisions(
  store: EventStore,
  stream: string,
  revisions: readonly number[],
): AsyncGenerator<RecordedEvent[]> {
  const runs = runsOf(revisions);
  for (let start = 0; start < runs.length; start += READS_AT_ONCE) {
    const pages = await Promise.all(runs.slice(start, start + READS_AT_ONCE).map((run) => readRun(store, stream, run)));
    yield pages.flat();
    // An embedded store answers without a pause, and other work of the process is to have its turn.
    if (start + READS_AT_ONCE < runs.length) await nextTurn();
  }
}

export async function readAllRevisions(
  store: EventStore,
  stream: string,
  revisions: readonly number[],
): Promise<Map<number, RecordedEvent>> {
  const events = new Map<number, RecordedEvent>();
  const ascending = [...new Set(revisions)].sort((a, b) => a - b);
  for await (const part of readRevisions(store, stream, ascending)) {
    for (const event of part) events.set(event.revision, event);
  }
  return events;
}

function runsOf(revisions: readonly number[]): number[][] {
  const runs: number[][] = [];
  for (const revision of revisions) {
    const run = runs.at(-1);
    const [first, last] = [run?.[0], run?.at(-1)];
    const near = last !== undefined && revision - last <= MAX_GAP;
    if (run !== undefined && near && revision - (first as number) < MAX_READ_EVENTS) run.push(revision);
    else runs.push([revision]);
  }
  return runs;
}

async function readRun(store: EventStore, stream: string, run: readonly number[]): Promise<RecordedEvent[]> {
  const [first = 0, last = 0] = [run[0], run.at(-1)];
  const page = await store.readStream(stream, { after: first - 1, limit: last - first + 1 });
  return run.map((revision) => {
    const event = page[revision - first];
    if (event?.revision !== revision) throw new Error(`broken invariant: ${stream} has no revision ${revision}`);
    return event;
  });
}
