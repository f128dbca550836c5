/**
 * Idempotency keys of changes to backends and the catalog. As in a ledger they stand in the stream itself, in the metadata of a
 * change's last event: the key, scoped by the stream and the actor, and the hash of what was asked for. What was answered is what
 * the stream says up to that event, so it is not kept a second time.
 */
import { refuse, type Refusal } from '#domain';
import type { EventStore, RecordedEvent } from '#event-store';
import { IDEMPOTENCY_KEPT_MS } from '#read-model';
import { canonicalJson, sha256 } from './chain.js';

export interface ControlIdempotency {
  key: string;
  /** Hash of the request. Secrets are no part of it: a hash of a password would give it away. */
  request: string;
}

/** What a change says of itself besides who asked for it. */
export interface ChangeOptions {
  reason?: string;
  key?: string;
}

/** The same for a stream. Without `request` a key is neither kept nor compared. */
export interface KeyedOptions extends ChangeOptions {
  request?: string;
}

export function keyed(options: ChangeOptions, operation: string, request: object): KeyedOptions {
  if (options.key === undefined) return options;
  return { ...options, request: sha256(canonicalJson({ operation, reason: options.reason ?? null, request })) };
}

const PAGE_EVENTS = 200;

/**
 * The event of the change that the key was used for, of those up to a revision that are younger than keys are kept, newest first;
 * a refusal when it was used for another request.
 */
export async function keyedEvent(
  store: EventStore,
  stream: string,
  upTo: number,
  nowMs: number,
  actor: string,
  { key, request }: ControlIdempotency,
): Promise<RecordedEvent | Refusal | undefined> {
  const oldest = new Date(nowMs - IDEMPOTENCY_KEPT_MS).toISOString();
  for (let after = upTo + 1; after > 0;) {
    const page = await store.readStream(stream, { direction: 'backwards', after, limit: PAGE_EVENTS });
    for (const event of page) {
      const metadata = event.metadata as { at?: string; actor?: string; idempotency?: Partial<ControlIdempotency> };
      if ((metadata.at ?? '') < oldest) return undefined;
      if (metadata.idempotency?.key !== key || metadata.actor !== actor) continue;
      if (metadata.idempotency.request === request) return event;
      return refuse('IDEMPOTENCY_KEY_REUSED', `the idempotency key ${JSON.stringify(key)} was used for another request`);
    }
    if (page.length < PAGE_EVENTS) return undefined;
    after = page.at(-1)?.revision ?? 0;
  }
  return undefined;
}
