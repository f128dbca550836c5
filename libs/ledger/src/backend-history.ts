/** The history of a backend: every event, with what it changed from what. */
import { isDeepStrictEqual } from 'node:util';
import { evolveBackend, isBackendEvent, type BackendEvent, type BackendState, type SecretPaths } from '#domain';
import type { EventStore, RecordedEvent } from '#event-store';
import { viewBackend, viewBackendEvent, type BackendEventView } from './backend-views.js';
import { readControl } from './control-log.js';

/** A member of the backend as it is shown, before and after the event. */
export interface ChangedMember {
  from: unknown;
  to: unknown;
}
export type BackendHistoryEvent = BackendEventView & { changed?: Record<string, ChangedMember> };

const EVENTS_PER_READ = 1_000;
/** Where more events lie before a page (every reading of credentials is one), what changed is told without what it was. */
export const MAX_FOLDED_EVENTS = 20_000;
/** Members that say when and where, not what. */
const OF_THE_RECORD = new Set(['revision', 'createdAt', 'updatedAt']);

/** Events after a revision. The backend before them is folded from its first event on: a backend has few. */
export async function backendHistory(
  store: EventStore,
  stream: string,
  secrets: SecretPaths,
  { after, limit }: { after: number; limit: number },
): Promise<BackendHistoryEvent[]> {
  let state: BackendState | 'unknown' | undefined = after < MAX_FOLDED_EVENTS ? await stateAt(store, stream, after) : 'unknown';
  const page = await store.readStream(stream, { after, limit });
  return page.map((recorded) => {
    const event = readControl<BackendEvent>(recorded, isBackendEvent);
    const view = viewBackendEvent(event, secrets);
    if (state === 'unknown') return view;
    const [before, now]: [BackendState | undefined, BackendState] = [state, evolved(state, recorded)];
    state = now;
    const changed = before === undefined ? {} : changesOf(viewBackend(before, secrets), viewBackend(now, secrets));
    return Object.keys(changed).length === 0 ? view : { ...view, changed };
  });
}

async function stateAt(store: EventStore, stream: string, revision: number): Promise<BackendState | undefined> {
  let state: BackendState | undefined;
  for (let after = -1; after < revision;) {
    const page = await store.readStream(stream, { after, limit: Math.min(EVENTS_PER_READ, revision - after) });
    for (const recorded of page) state = evolved(state, recorded);
    if (page.length === 0) return state;
    after = page.at(-1)?.revision ?? revision;
  }
  return state;
}

function evolved(state: BackendState | undefined, recorded: RecordedEvent): BackendState {
  const event = readControl<BackendEvent>(recorded, isBackendEvent);
  return evolveBackend(state, event, { revision: event.revision, at: event.metadata.at });
}

function changesOf(before: object, after: object): Record<string, ChangedMember> {
  const values = new Map(Object.entries(before));
  const changed = Object.entries(after).filter(
    ([name, value]) => !OF_THE_RECORD.has(name) && !isDeepStrictEqual(value, values.get(name)),
  );
  return Object.fromEntries(changed.map(([name, to]) => [name, { from: values.get(name) as unknown, to: to as unknown }]));
}
