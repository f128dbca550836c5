/** Whether an event can have happened to its binding, with what is known of all bindings of the ledger. */
import {
  MAX_BINDINGS_OF_RECORD,
  MAX_SYNC_DATE_AHEAD_MS,
  type BindingEvent,
  type EventMetadata,
  type JsonObject,
  type LedgerRules,
  type Problem,
  type StoredIdempotency,
} from '#domain';
import { isName } from './event-form.js';
import { printOf } from './data-print.js';
import { FoldedBindings } from './folded.js';
import type { FoldedBinding } from './folded-binding.js';
import { show } from './stored-event.js';

/** What in the data the schema of the rules does not admit. */
export type ProblemsOf = (data: JsonObject, rules: LedgerRules) => Problem[];
type Recorded = BindingEvent & { revision: number; metadata: EventMetadata };
type Data = BindingEvent['data'];

export class BindingChecker {
  readonly bindings: FoldedBindings;

  constructor(
    private readonly problemsOf: ProblemsOf,
    expectedBindings = 0,
  ) {
    this.bindings = new FoldedBindings(expectedBindings);
  }

  /** Applies the event, or answers why it cannot have been written; what is known is of no use then. */
  check(event: Recorded, at: string, rules: LedgerRules): string | undefined {
    return (
      this.problemOfValues(event.data, at, rules) ??
      (event.type === 'BindingCreated' ? this.create(event, at, rules) : this.change(event, at, rules))
    );
  }

  private create(event: Recorded, at: string, rules: LedgerRules): string | undefined {
    const { data } = event;
    const problem = problemOfCreation(data);
    const folded = this.bindings.add(data.bindingId);
    if (folded === undefined) return 'it creates a binding that there is already';
    if (problem !== undefined) return problem;
    identify(folded, data);
    folded.createdAt = at;
    fold(folded, event, at);
    return this.entered(folded, data, rules) ?? problemOfRest(event.metadata.idempotency, folded);
  }

  private change(event: Recorded, at: string, rules: LedgerRules): string | undefined {
    const { data } = event;
    const folded = this.bindings.get(data.bindingId);
    if (folded === undefined) return 'there is no such binding before it';
    const changed = changesOf(data, folded);
    const problem = problemOfIdentity(data, folded, changed) ?? problemOfChange(event, folded, changed);
    if (problem !== undefined) return problem;
    if (changed === 0) fold(folded, event, at);
    else {
      this.bindings.leave(folded);
      identify(folded, data);
      fold(folded, event, at);
      const wrong = this.entered(folded, data, rules);
      if (wrong !== undefined) return wrong;
    }
    return problemOfRest(event.metadata.idempotency, folded);
  }

  private entered(folded: FoldedBinding, data: Data, { cardinality }: LedgerRules): string | undefined {
    const ofRecord = this.bindings.enter(folded, data);
    if (ofRecord === 'taken') return `external id ${show(data.externalId)} is held by another binding`;
    if (ofRecord <= (cardinality === 'one' ? 1 : MAX_BINDINGS_OF_RECORD)) return undefined;
    return `record ${show(data.recordId)} has ${ofRecord} live bindings, where the cardinality is ${cardinality}`;
  }

  private problemOfValues(data: Data, at: string, rules: LedgerRules): string | undefined {
    const { syncDate } = data;
    if (typeof syncDate === 'string' && syncDate > at && Date.parse(syncDate) > Date.parse(at) + MAX_SYNC_DATE_AHEAD_MS)
      return `its sync date ${syncDate} is more than 5 minutes ahead of its recorded time`;
    if (data.data === undefined || rules.dataSchema === null) return undefined;
    const [wrong] = this.problemsOf(data.data, rules);
    return wrong === undefined ? undefined : `its data is not admitted by the ledger's schema: ${wrong.path} ${wrong.message}`;
  }
}

function problemOfCreation(data: Data): string | undefined {
  if (data.version !== 1) return `it creates a binding with version ${data.version}`;
  if (data.state === 'unbound') return 'it creates a binding that is unbound';
  if (data.syncDate === undefined || data.data === undefined) return 'it creates a binding without sync date or data';
  return problemOfIds(data);
}

function problemOfIds({ recordId, externalId }: Data): string | undefined {
  if (!isName(recordId)) return `${show(recordId)} cannot be a record id`;
  return externalId === null || isName(externalId) ? undefined : `${show(externalId)} cannot be an external id`;
}

/** What the event says that the binding was before is what it was. */
function problemOfIdentity(data: Data, before: FoldedBinding, changed: number): string | undefined {
  if (before.state === 'unbound') return 'the binding was unbound before it';
  if (data.version !== before.version + 1) return `its version ${data.version} follows on version ${before.version}`;
  const { previousRecordId = data.recordId, previousExternalId = data.externalId, previousState = data.state } = data;
  if (!before.isRecord(previousRecordId))
    return `it says that the record was ${show(previousRecordId)} before, which was ${show(before.recordId)}`;
  if (!before.isExternalId(previousExternalId))
    return `it says that the external id was ${show(previousExternalId)} before, which was ${show(before.externalId)}`;
  if (previousState !== before.state) return `it says that the state was ${previousState} before, which was ${before.state}`;
  return (changed & (RECORD | EXTERNAL_ID)) === 0 ? undefined : problemOfIds(data);
}

/** Each type changes what it is named after, and nothing else of the binding's identity. */
function problemOfChange({ type, data }: BindingEvent, before: FoldedBinding, changed: number): string | undefined {
  const changes = CHANGES[type as keyof typeof CHANGES];
  if (changed !== changes) return `it changes ${named(changed)} of the binding, where its type changes ${named(changes)}`;
  if (type === 'BindingRemoved' ? data.state !== 'unbound' : data.state === 'unbound') return 'its state does not fit its type';
  if (type === 'BindingDataChanged' && data.data === undefined) return 'it has no data';
  if (type === 'SyncDateUpdated' && typeof data.syncDate !== 'string') return 'it has no sync date';
  if (data.syncDate === undefined || data.forced === true || data.syncDate === null) return undefined;
  return before.isSyncedBefore(data.syncDate)
    ? undefined
    : `its sync date ${data.syncDate} is not newer than ${before.syncDate}, and was not forced`;
}

const RECORD = 1;
const EXTERNAL_ID = 2;
const STATE = 4;
const CHANGES = {
  ExternalIdAssigned: EXTERNAL_ID | STATE,
  ExternalIdReplaced: EXTERNAL_ID,
  SyncDateUpdated: 0,
  BindingDataChanged: 0,
  BindingMoved: RECORD,
  BindingRemoved: STATE,
};

function changesOf(data: Data, before: FoldedBinding): number {
  return (
    (before.isRecord(data.recordId) ? 0 : RECORD) |
    (before.isExternalId(data.externalId) ? 0 : EXTERNAL_ID) |
    (data.state === before.state ? 0 : STATE)
  );
}

function named(changes: number): string {
  const names = ['the record', 'the external id', 'the state'].filter((_, index) => (changes & (1 << index)) !== 0);
  return names.length === 0 ? 'nothing' : names.join(' and ');
}

/** What the idempotency record has of the binding is what it was when the command was answered. */
function problemOfRest(stored: StoredIdempotency | undefined, folded: FoldedBinding): string | undefined {
  if (stored === undefined) return undefined;
  const { rest } = stored;
  const { createdAt = folded.createdAt, syncDate = folded.syncDate } = rest;
  const data = rest.data === undefined ? folded.data : printOf(rest.data as JsonObject);
  const same = createdAt === folded.createdAt && syncDate === folded.syncDate && data === folded.data;
  return same ? undefined : 'its idempotency record answers with another binding than there was';
}

function identify(binding: FoldedBinding, { recordId, externalId, state }: Data): void {
  if (!binding.isRecord(recordId)) binding.recordId = recordId;
  if (!binding.isExternalId(externalId)) binding.externalId = externalId;
  binding.state = state;
}

/** All but the identity, as `updateOf` in the domain says it. */
function fold(binding: FoldedBinding, { type, data, revision, metadata }: Recorded, at: string): void {
  binding.version = data.version;
  binding.revision = revision;
  binding.updatedAt = at;
  if (data.syncDate !== undefined) binding.syncDate = data.syncDate;
  if (data.data !== undefined) binding.data = printOf(data.data);
  if (type !== 'BindingRemoved') return;
  binding.unboundAt = at;
  binding.cause = data.cause;
  binding.reason = metadata.reason;
}
