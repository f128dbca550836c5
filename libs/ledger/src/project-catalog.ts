import { setTimeout as sleep } from 'node:timers/promises';
import type { EventStore, RecordedEvent } from '#event-store';
import type { ReadModel } from '#read-model';
import { Backends } from './backends.js';
import { Catalog } from './catalog.js';
import type { ControlTools } from './control-log.js';
import { idMaker } from './ids.js';
import type { StreamNames } from './streams.js';

/**
 * For a projector: applies events of the backends' and the catalog's streams to the read model, whose documents are then at
 * least as new as they. Appends nothing, so that it can be used on a store that was opened for reading.
 * @throws {UnknownEvent}
 */
export async function projectCatalog(
  { store, readModel, streams }: { store: EventStore; readModel: ReadModel; streams: StreamNames },
  events: readonly RecordedEvent[],
): Promise<void> {
  const tools = controlTools(store);
  await new Backends({ tools, streams, readModel, catalog: new Catalog(tools, streams) }).project(events);
}

export function controlTools(store: EventStore): ControlTools {
  return { store, clock: () => Date.now(), random: () => Math.random(), sleep: (ms) => sleep(ms), newId: idMaker() };
}
