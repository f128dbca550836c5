/**
 * Backends: instances of external systems. Here are their words, events and state; `backend-decide.ts` says which events a
 * command becomes. No event ever holds a secret: it names which secrets are set, and the version under which they are kept.
 */
import type { JsonObject } from './values.js';

export type BackendEvent =
  | { type: 'BackendRegistered'; data: BackendDescription & { id: string; type: string } }
  /** What changed, each as a whole new value. */
  | { type: 'BackendChanged'; data: Partial<BackendDescription> }
  | { type: 'CredentialsChanged'; data: HeldSecrets }
  /** Somebody was given the secrets. */
  | { type: 'CredentialsRead'; data: { secretVersion: string | null } }
  | { type: 'LedgerRegistered'; data: { model: string } }
  | { type: 'BackendPaused'; data: NoData }
  | { type: 'BackendResumed'; data: NoData }
  | { type: 'BackendRetiring'; data: NoData }
  | { type: 'BackendRetired'; data: NoData }
  /** Bindings were live: how many, by model. */
  | { type: 'BackendRetirementCancelled'; data: { live: LiveCount[] } };

type NoData = Record<string, never>;

export interface BackendDescription {
  name: string;
  location: string;
  version: string | null;
  username: string | null;
  /** Without those that the type's schema marks as secret. */
  settings: JsonObject;
}

/** What is known of a backend's secrets without them. */
export interface HeldSecrets {
  hasPassword: boolean;
  secretNames: string[];
  /** Names the stored secrets; `null` when there are none. */
  secretVersion: string | null;
}

export interface LiveCount {
  model: string;
  live: number;
}

/** The secrets themselves, on their way into or out of their store. */
export interface SecretValues {
  password: string | null;
  settings: JsonObject;
}

export const NO_SECRETS: SecretValues = { password: null, settings: {} };

export interface BackendState extends BackendDescription, HeldSecrets {
  id: string;
  type: string;
  /** Models of the ledgers, and the revision at which each was registered. */
  ledgers: { model: string; revision: number }[];
  paused: boolean;
  retirement: 'none' | 'retiring' | 'retired';
  /** Of the newest event that the ledgers must follow; −1 when there was none. */
  controlRevision: number;
  revision: number;
  createdAt: string;
  updatedAt: string;
}

export type BackendStatus = 'active' | 'paused' | 'retiring' | 'retired';

export function backendStatusOf({ retirement, paused }: BackendState): BackendStatus {
  if (retirement !== 'none') return retirement;
  return paused ? 'paused' : 'active';
}

export function ledgerRegistration({ ledgers }: BackendState, model: string): number | undefined {
  return ledgers.find((ledger) => ledger.model === model)?.revision;
}

const BACKEND_EVENT_TYPES: ReadonlySet<string> = new Set<BackendEvent['type']>([
  'BackendRegistered',
  'BackendChanged',
  'CredentialsChanged',
  'CredentialsRead',
  'LedgerRegistered',
  'BackendPaused',
  'BackendResumed',
  'BackendRetiring',
  'BackendRetired',
  'BackendRetirementCancelled',
]);

export function isBackendEvent(event: { type: string }): event is BackendEvent {
  return BACKEND_EVENT_TYPES.has(event.type);
}

/** What an event makes of a backend. @throws when the event does not follow on the state: the stream is broken. */
export function evolveBackend(
  state: BackendState | undefined,
  event: BackendEvent,
  { revision, at }: { revision: number; at: string },
): BackendState {
  if (event.type === 'BackendRegistered') {
    if (state !== undefined)
      throw new Error(`broken invariant: backend ${state.id} is registered twice, at revision ${revision}`);
    return { ...event.data, ...NOTHING_YET, revision, createdAt: at, updatedAt: at };
  }
  if (state === undefined)
    throw new Error(`broken invariant: ${event.type} at revision ${revision} is the first event of a backend`);
  return {
    ...state,
    ...changeBy(event, state, revision),
    revision,
    updatedAt: event.type === 'CredentialsRead' ? state.updatedAt : at,
  };
}

const NOTHING_YET = {
  hasPassword: false,
  secretNames: [],
  secretVersion: null,
  ledgers: [],
  paused: false,
  retirement: 'none' as const,
  controlRevision: -1,
};

function changeBy(
  event: Exclude<BackendEvent, { type: 'BackendRegistered' }>,
  state: BackendState,
  revision: number,
): Partial<BackendState> {
  switch (event.type) {
    case 'BackendChanged':
    case 'CredentialsChanged':
      return event.data;
    case 'CredentialsRead':
      return {};
    case 'LedgerRegistered':
      return { ledgers: [...state.ledgers, { model: event.data.model, revision }] };
    case 'BackendPaused':
      return { paused: true, controlRevision: revision };
    case 'BackendResumed':
      return { paused: false, controlRevision: revision };
    case 'BackendRetiring':
      return { retirement: 'retiring', controlRevision: revision };
    case 'BackendRetirementCancelled':
      return { retirement: 'none', controlRevision: revision };
    case 'BackendRetired':
      return { retirement: 'retired', hasPassword: false, secretNames: [], secretVersion: null };
  }
}
