/** Bindings as they were: each told by at most four of its events. */
import { isBindingEvent, stampOf, updateOf, type Binding, type BindingEvent, type RecordedLedgerEvent } from '#domain';
import type { EventStore } from '#event-store';
import type { ToldBy } from '#read-model';
import { readLedgerEvent } from './chain.js';
import { readAllRevisions } from './event-reads.js';

/** Reads the events that tell the bindings, and answers these in the order of their creation. */
export async function tellBindings(store: EventStore, stream: string, told: readonly ToldBy[]): Promise<Binding[]> {
  const revisions = told.flatMap(({ created, syncDate, data, last }) => [created, syncDate, data, last]);
  const recorded = await readAllRevisions(store, stream, revisions);
  const eventAt = (revision: number): RecordedLedgerEvent & BindingEvent => {
    const event = recorded.get(revision);
    const read = event === undefined ? undefined : readLedgerEvent(event);
    if (read === undefined || !isBindingEvent(read)) throw new Error(`broken invariant: ${stream}@${revision} is of no binding`);
    return read;
  };
  return told
    .toSorted((a, b) => a.created - b.created)
    .map(({ created, syncDate, data, last }) => {
      const binding = beginningWith(eventAt(last));
      const earlier = [syncDate, data, created].sort((a, b) => b - a);
      for (const revision of earlier) fill(binding, eventAt(revision));
      return finished(binding);
    });
}

/** A binding of which not everything is known: what is missing stands in earlier events. */
export type PartOfBinding = Pick<Binding, 'id' | 'state' | 'version'> & Partial<Binding>;

/** From the last event of a binding, which says who holds what. */
export function beginningWith(last: RecordedLedgerEvent & BindingEvent): PartOfBinding {
  return updateOf(last, stampOf(last));
}

/** Adds what an earlier event says of what the later ones did not. Events are taken from the newest to the oldest. */
export function fill(binding: PartOfBinding, { type, data, metadata }: RecordedLedgerEvent & BindingEvent): void {
  if (binding.syncDate === undefined && data.syncDate !== undefined) binding.syncDate = data.syncDate;
  if (binding.data === undefined && data.data !== undefined) binding.data = data.data;
  if (type === 'BindingCreated') binding.createdAt = metadata.at;
}

/** With its creation, everything of a binding is known. */
export function finished(binding: PartOfBinding): Binding {
  if (binding.createdAt === undefined) throw new Error(`broken invariant: binding ${binding.id} has no creation`);
  return { syncDate: null, data: {}, ...binding } as Binding;
}
