import type { ResolvedEvent } from '@eventstore/db-client';
import { START, type JsonObject, type RecordedEvent } from '#event-store';
import { formatPosition } from './positions.js';

/** An event as it was read. What is not JSON was not written by a ledger: its type tells that it is not known. */
export function toRecorded({ event }: ResolvedEvent): RecordedEvent | undefined {
  if (event === undefined) return undefined;
  const { streamId, revision, id, type, isJson, data, metadata, created, position } = event;
  return {
    stream: streamId,
    revision: Number(revision),
    position: position === undefined ? START : formatPosition(position),
    id,
    type,
    data: (isJson ? data : {}) as JsonObject,
    metadata: (metadata === undefined || metadata instanceof Uint8Array ? {} : metadata) as JsonObject,
    storedAt: created.toISOString(),
  };
}
