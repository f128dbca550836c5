/**
 * A ledger: all bindings of one model on one backend. Here are its words: the binding, the events that its stream holds,
 * and `evolve`, which says what an event makes of a binding. `commands.ts` has the commands that it takes, `decide.ts`
 * says which events a command becomes.
 */
import type { JsonObject } from './values.js';

/** Names a ledger; its stream is `ledger-<backend>/<model>`. */
export interface LedgerName {
  backend: string;
  model: string;
}

export function ledgerKey(ledger: LedgerName): string {
  return `${ledger.backend}/${ledger.model}`;
}

export type Cardinality = 'one' | 'many';
/** At most this many live bindings of one record in one ledger, where the cardinality is `many`. */
export const MAX_BINDINGS_OF_RECORD = 100;

/** What a ledger decides by. It stands in the ledger's own stream, so that it is never older than what it is checked against. */
export interface LedgerRules {
  localModel: string | null;
  cardinality: Cardinality;
  dataSchema: JsonObject | null;
  /** Members of `data` that can be filtered on, at most five. */
  indexes: string[];
}

export const BINDING_STATES = ['pending', 'bound', 'unbound'] as const;
export type BindingState = (typeof BINDING_STATES)[number];
export const REMOVAL_CAUSES = ['requested', 'recordDeleted', 'missingInBackend', 'takenOver', 'merged', 'succeeded'] as const;
export type RemovalCause = (typeof REMOVAL_CAUSES)[number];
export type Direction = 'import' | 'export';

export interface Binding {
  id: string;
  recordId: string;
  /** `null` while the binding is pending; an unbound binding keeps the one it had. */
  externalId: string | null;
  /** ISO 8601, UTC, milliseconds; `null` when it was never synchronized. */
  syncDate: string | null;
  data: JsonObject;
  state: BindingState;
  /** 1 for the creation, one more with each event of this binding. */
  version: number;
  /** The ledger's revision at which its last event stands. */
  revision: number;
  createdAt: string;
  updatedAt: string;
  unboundAt?: string;
  cause?: RemovalCause;
  reason?: string;
}

export function isLive(binding: Binding): boolean {
  return binding.state !== 'unbound';
}

// ── Events ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Who holds what after the event. Every binding event carries it, so that it can be applied without what it applies to. */
export interface BindingIdentity {
  bindingId: string;
  version: number;
  recordId: string;
  externalId: string | null;
  state: BindingState;
}

/** What changed besides the identity: whole new values, never patches. */
export interface BindingChange {
  syncDate?: string | null;
  data?: JsonObject;
  previousRecordId?: string;
  previousExternalId?: string | null;
  previousState?: BindingState;
  cause?: RemovalCause;
  /** A sync was carried out although its date was not newer. */
  forced?: true;
}

export const BINDING_EVENT_TYPES = [
  'BindingCreated',
  'ExternalIdAssigned',
  'ExternalIdReplaced',
  'SyncDateUpdated',
  'BindingDataChanged',
  'BindingMoved',
  'BindingRemoved',
] as const;
export type BindingEventType = (typeof BINDING_EVENT_TYPES)[number];
export type BindingEvent = { type: BindingEventType; data: BindingIdentity & BindingChange };

/** Revisions of the event in the backend's stream, and in `catalog-models`, that an event of the ledger follows from. */
export interface Causes {
  backendRevision?: number;
  modelRevision?: number;
}

export type ControlEvent =
  | { type: 'LedgerOpened'; data: Causes & { rules: LedgerRules } }
  | { type: 'LedgerRulesChanged'; data: Causes & { rules: LedgerRules } }
  | { type: 'LedgerPaused'; data: Causes }
  | { type: 'LedgerResumed'; data: Causes }
  /** Carries rules when it is the first event of its stream, so that a cancelled retirement can open it with them. */
  | { type: 'LedgerClosed'; data: Causes & { rules?: LedgerRules } };

export type LedgerEvent = BindingEvent | ControlEvent;

const bindingEventTypes: ReadonlySet<string> = new Set(BINDING_EVENT_TYPES);
const controlEventTypes: ReadonlySet<string> = new Set([
  'LedgerOpened',
  'LedgerRulesChanged',
  'LedgerPaused',
  'LedgerResumed',
  'LedgerClosed',
]);

export function isBindingEvent(event: { type: string }): event is BindingEvent {
  return bindingEventTypes.has(event.type);
}

export function isLedgerEvent(event: { type: string }): event is LedgerEvent {
  return bindingEventTypes.has(event.type) || controlEventTypes.has(event.type);
}

/** Where and when an event was recorded, as far as a binding remembers it. */
export interface Stamp {
  revision: number;
  at: string;
  reason?: string;
}

/** The members of a binding that an event sets: the whole of it for a creation, else its identity and what changed. */
export type BindingUpdate = Partial<Binding> &
  Pick<Binding, 'id' | 'recordId' | 'externalId' | 'state' | 'version' | 'revision' | 'updatedAt'>;

export function updateOf({ type, data }: BindingEvent, stamp: Stamp): BindingUpdate {
  const update: BindingUpdate = {
    id: data.bindingId,
    recordId: data.recordId,
    externalId: data.externalId,
    state: data.state,
    version: data.version,
    revision: stamp.revision,
    updatedAt: stamp.at,
  };
  if (data.syncDate !== undefined) update.syncDate = data.syncDate;
  if (data.data !== undefined) update.data = data.data;
  if (type === 'BindingCreated') update.createdAt = stamp.at;
  if (type === 'BindingRemoved') {
    update.unboundAt = stamp.at;
    update.cause = data.cause;
    if (stamp.reason !== undefined) update.reason = stamp.reason;
  }
  return update;
}

/** What an event makes of a binding. @throws when the event does not follow on the binding: the stream is broken. */
export function evolve(binding: Binding | undefined, event: BindingEvent, stamp: Stamp): Binding {
  const { version, bindingId } = event.data;
  if (event.type === 'BindingCreated' ? binding !== undefined || version !== 1 : binding?.version !== version - 1) {
    throw new Error(
      `broken invariant: ${event.type} version ${version} of binding ${bindingId} follows on version ${binding?.version ?? 'none'}`,
    );
  }
  const update = updateOf(event, stamp);
  return (binding === undefined ? update : { ...binding, ...update }) as Binding;
}

// ── The ledger itself ────────────────────────────────────────────────────────────────────────────────────────────────

export interface LedgerState {
  /** False until the first event. */
  opened: boolean;
  paused: boolean;
  closed: boolean;
  rules: LedgerRules;
  /** The newest causes that the ledger has seen; an event with an older one is late and changes nothing. */
  backendRevision: number;
  modelRevision: number;
  counts: LedgerCounts;
}

export interface LedgerCounts {
  pending: number;
  bound: number;
  unbound: number;
}

export type LedgerStatus = 'unopened' | 'open' | 'paused' | 'closed';

export const UNOPENED: LedgerState = {
  opened: false,
  paused: false,
  closed: false,
  rules: { localModel: null, cardinality: 'one', dataSchema: null, indexes: [] },
  backendRevision: -1,
  modelRevision: -1,
  counts: { pending: 0, bound: 0, unbound: 0 },
};

export function statusOf(state: LedgerState): LedgerStatus {
  if (!state.opened) return 'unopened';
  if (state.closed) return 'closed';
  return state.paused ? 'paused' : 'open';
}

export function evolveLedger(state: LedgerState, event: LedgerEvent): LedgerState {
  if (isBindingEvent(event)) {
    const counts = { ...state.counts };
    countInto(counts, event);
    return { ...state, counts };
  }
  const { backendRevision = -1, modelRevision = -1 } = event.data;
  const next: LedgerState = {
    ...state,
    opened: true,
    backendRevision: Math.max(state.backendRevision, backendRevision),
    modelRevision: Math.max(state.modelRevision, modelRevision),
  };
  if ('rules' in event.data && event.data.rules !== undefined) next.rules = event.data.rules;
  if (event.type === 'LedgerOpened') next.closed = false;
  if (event.type === 'LedgerClosed') next.closed = true;
  if (event.type === 'LedgerPaused') next.paused = true;
  if (event.type === 'LedgerResumed') next.paused = false;
  return next;
}

/** Many events one after the other: as `evolveLedger` for each, without a state for each. */
export function evolveLedgerBy(state: LedgerState, events: Iterable<LedgerEvent>): LedgerState {
  let evolved: LedgerState = { ...state, counts: { ...state.counts } };
  for (const event of events) {
    if (isBindingEvent(event)) countInto(evolved.counts, event);
    else evolved = evolveLedger(evolved, event);
  }
  return evolved;
}

/** Counts follow from events alone: each one says in which state the binding was before and is after it. Changes `counts`. */
export function countInto(counts: LedgerCounts, { type, data }: BindingEvent): void {
  const before = type === 'BindingCreated' ? undefined : (data.previousState ?? data.state);
  if (before === data.state) return;
  counts[data.state] += 1;
  if (before !== undefined) counts[before] -= 1;
}
