import { ledgerKey } from '#domain';
import { EventStoreError, type EventStore } from '#event-store';
import { readLedgerEvent, type StreamNames } from '#ledger';
import type { LedgerDocument } from '#read-model';
import type { OpenStores } from './stores.js';

/**
 * Whether the read model is made of these events: it is not ahead of them, and the hash at each checkpoint is that of the event
 * there. Otherwise one of the two stores was restored or exchanged, and answers would be of something else.
 * @throws {EventStoreError} with what an operator does about it.
 */
export async function checkReadModel(
  { store, readModel, remedy, checked }: Pick<OpenStores, 'store' | 'readModel' | 'remedy' | 'checked'>,
  streams: StreamNames,
): Promise<void> {
  // The position first: another instance may be projecting, and the store's end only grows.
  const position = await readModel.position();
  if (position > (await store.endPosition())) throw foreign('it is ahead of the event store', remedy);
  for (const document of await readModel.ledgerDocuments()) {
    if (await isOfItsEvents(store, streams, document)) continue;
    throw foreign(`ledger ${ledgerKey(document.ledger)} differs at revision ${document.checkpoint}`, remedy);
  }
  await checked?.();
}

/** Whether the hash at the checkpoint is that of the event there. */
export async function isOfItsEvents(
  store: Pick<EventStore, 'readStream'>,
  streams: StreamNames,
  { ledger, checkpoint, hash }: Pick<LedgerDocument, 'ledger' | 'checkpoint' | 'hash'>,
): Promise<boolean> {
  if (checkpoint < 0) return true;
  const [event] = await store.readStream(streams.ledger(ledger), { after: checkpoint - 1, limit: 1 });
  return event !== undefined && readLedgerEvent(event).metadata.hash === hash;
}

function foreign(why: string, remedy: string): EventStoreError {
  return new EventStoreError('UNAVAILABLE', `The read model does not belong to the events (${why}): ${remedy}`);
}
