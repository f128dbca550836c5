/** How an event of a ledger stands in the stream: its metadata, and what an idempotency key leaves there. */
import type { Answer, Outcome } from './commands.js';
import { updateOf, type Binding, type BindingEvent, type Direction, type LedgerEvent, type Stamp } from './ledger.js';
import { scopedKey, type IdempotencyRecord } from './ledger-view.js';
import { utf8Length } from './values.js';

/** The shape that this program writes; `upcast` in the ledger reads older ones. */
export const EVENT_SCHEMA = 1;

const MAX_OTHERS_BYTES = 100_000;

/** Who asks for a change, and in what connection. */
export interface RequestContext {
  actor: string;
  onBehalfOf?: string;
  correlationId: string;
  causationId?: string;
}

export interface EventMetadata extends RequestContext {
  schema: number;
  /** Recorded time: ISO 8601, UTC, milliseconds; it never goes backwards in a ledger. */
  at: string;
  direction?: Direction;
  reason?: string;
  /** On the last event of a command that carried an idempotency key. */
  idempotency?: StoredIdempotency;
  /** SHA-256, hex, over the previous event's hash and this event. */
  hash: string;
}

/** An event of a ledger as read back. */
export type RecordedLedgerEvent = LedgerEvent & {
  id: string;
  revision: number;
  metadata: EventMetadata;
};

/** What a repeat of the command needs in order to answer what was answered; the event itself says the rest. */
export interface StoredIdempotency {
  key: string;
  request: string;
  outcome: Outcome;
  /** Members of the binding that the event does not set. */
  rest: Partial<Binding>;
  /** The other bindings of an answer that names several, before the last one. */
  others?: Binding[];
  displaced?: Binding;
}

export function storeIdempotency(
  key: string,
  request: string,
  answer: Answer,
  last: BindingEvent,
  stamp: Stamp,
): StoredIdempotency {
  const set = updateOf(last, stamp);
  const rest = Object.entries(answer.binding ?? {}).filter(([member]) => !(member in set));
  const { outcome, bindings, displaced } = answer;
  return {
    ...(displaced === undefined ? {} : { displaced }),
    key,
    ...(bindings === undefined ? {} : { others: withinBytes(bindings.slice(0, -1)) }),
    outcome,
    request,
    rest: Object.fromEntries(rest.sort(([a], [b]) => (a < b ? -1 : 1))) as Partial<Binding>,
  };
}

/** A command may concern a hundred bindings; together with large data they would not fit into an append, so the data is left out then. */
function withinBytes(others: Binding[]): Binding[] {
  return utf8Length(JSON.stringify(others)) <= MAX_OTHERS_BYTES ? others : others.map((binding) => ({ ...binding, data: {} }));
}

/** What the ledger remembers of the command whose last event this is. */
export function idempotencyRecordOf(
  event: BindingEvent,
  stamp: Stamp,
  actor: string,
  stored: StoredIdempotency,
): IdempotencyRecord {
  const binding = { ...stored.rest, ...updateOf(event, stamp) } as Binding;
  const answer: Answer = { outcome: stored.outcome, binding, revision: stamp.revision };
  if (stored.others !== undefined) answer.bindings = [...stored.others, binding];
  if (stored.displaced !== undefined) answer.displaced = stored.displaced;
  return { scopedKey: scopedKey(actor, stored.key), request: stored.request, answer, at: stamp.at };
}

export function stampOf({ revision, metadata }: { revision: number; metadata: EventMetadata }): Stamp {
  return metadata.reason === undefined ? { revision, at: metadata.at } : { revision, at: metadata.at, reason: metadata.reason };
}
