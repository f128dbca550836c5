/** Bindings, answers and events as they leave the ledger: with the ledger that they stand in. */
import {
  isBindingEvent,
  isRefusal,
  type Answer,
  type Binding,
  type EventMetadata,
  type LedgerEvent,
  type LedgerName,
  type RecordedLedgerEvent,
  type Refusal,
} from '#domain';
import type { LocatedBinding } from '#read-model';
import type { CommandResult } from './batch.js';

/** A ledger, and the local model that its bindings are of. */
export interface Place extends LedgerName {
  localModel: string | null;
}

export interface LocatedAnswer extends Omit<Answer, 'binding' | 'bindings' | 'displaced'> {
  binding: LocatedBinding | null;
  bindings?: LocatedBinding[];
  displaced?: LocatedBinding;
}

export interface LocatedRefusal extends Omit<Refusal, 'holder' | 'candidates'> {
  holder?: LocatedBinding;
  candidates?: LocatedBinding[];
}

export type LocatedResult = LocatedAnswer | LocatedRefusal;

export function locate({ backend, model, localModel }: Place, binding: Binding): LocatedBinding {
  const { id, recordId, externalId, syncDate, data, state, version, revision, createdAt, updatedAt } = binding;
  const located: LocatedBinding = {
    id,
    backend,
    model,
    localModel,
    recordId,
    externalId,
    syncDate,
    data,
    state,
    version,
    revision,
    createdAt,
    updatedAt,
  };
  if (state !== 'unbound') return located;
  const { unboundAt, cause, reason } = binding;
  return { ...located, unboundAt, cause, ...(reason === undefined ? {} : { reason }) };
}

export function locateResult(place: Place, result: CommandResult): LocatedResult {
  if (isRefusal(result)) return locateRefusal(place, result);
  const { binding, bindings, displaced, outcome, revision } = result;
  const located: LocatedAnswer = {
    outcome,
    binding: binding === null ? null : locate(place, binding),
    revision,
  };
  if (bindings !== undefined) located.bindings = bindings.map((each) => locate(place, each));
  if (displaced !== undefined) located.displaced = locate(place, displaced);
  return located;
}

export function locateRefusal(place: Place, { holder, candidates, ...refusal }: Refusal): LocatedRefusal {
  const located: LocatedRefusal = refusal;
  if (holder !== undefined) located.holder = locate(place, holder);
  if (candidates !== undefined) located.candidates = candidates.map((each) => locate(place, each));
  return located;
}

type EventData = LedgerEvent['data'];
/** An event as clients see it: what it says of the binding or the ledger, who recorded it, and where it stands. */
export type EventView = Partial<EventData> &
  Place &
  Omit<EventMetadata, 'schema' | 'idempotency'> & {
    id: string;
    position: string;
    revision: number;
    type: LedgerEvent['type'];
  };

export function viewEvent(place: Place, position: string, event: RecordedLedgerEvent): EventView {
  const { schema: _schema, idempotency: _idempotency, hash, ...metadata } = event.metadata;
  const { backend, model, localModel } = place;
  const { id, revision, type } = event;
  const data: EventData = isBindingEvent(event) ? event.data : { ...event.data };
  return { id, position, revision, type, backend, model, localModel, ...data, ...metadata, hash };
}
