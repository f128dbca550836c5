/** Backend types, models and backends as the HTTP API has them. */
import type { LookupAnswer } from './wire-bindings.js';
import type { Id, JsonObject } from './values.js';

/** A selectable version of a backend type, such as `{ value: '1.7', label: 'Magento 1.7+' }`. */
export interface SelectableVersion {
  value: string;
  label: string;
}

export interface BackendTypeRequest {
  label?: string;
  /** Extended by every call; one that a backend uses is never taken away (`VERSION_IN_USE`). */
  versions?: SelectableVersion[];
  /** JSON Schema of a backend's `settings`; a property with `x-secret: true` is kept like the password. */
  settingsSchema?: JsonObject | null;
}

export interface BackendType {
  type: string;
  label?: string | null;
  versions: SelectableVersion[];
  settingsSchema?: JsonObject | null;
}

export interface ModelRequest {
  backendType: string;
  /** The model of the local records, such as `res.partner`; `null` for a model that binds none. */
  localModel: string | null;
  /** JSON Schema of a binding's `data`. */
  dataSchema?: JsonObject | null;
  /** Live bindings of a record in one ledger: `one` (default) or `many`, at most 100. */
  cardinality?: 'one' | 'many';
  /** Members of `data` that can be filtered on, at most 5. */
  indexes?: string[];
}

export interface Model {
  model: string;
  backendType: string;
  localModel: string | null;
  dataSchema?: JsonObject | null;
  cardinality: 'one' | 'many';
  indexes: string[];
}

export interface BackendChange {
  name?: string;
  /** URL of the external system, without `user:password@`. */
  location?: string;
  /** One of the type's versions; `null`, here and below, takes it away. */
  version?: string | null;
  username?: string | null;
  /** Stored apart and encrypted; never among answers but those of `credentials`. */
  password?: string | null;
  settings?: JsonObject;
}

export interface BackendRequest extends BackendChange {
  id: string;
  type: string;
  location: string;
}

/** A backend without its secrets. */
export interface Backend {
  id: string;
  type: string;
  name?: string | null;
  location: string;
  version?: string | null;
  username?: string | null;
  settings?: JsonObject;
  hasPassword: boolean;
  state?: 'active' | 'paused' | 'retiring' | 'retired';
}

export interface Credentials {
  username: string | null;
  password: string | null;
  /** Settings whose schema says `x-secret`. */
  secrets: JsonObject;
}

/** An event of a backend, such as `BackendRegistered`, `CredentialsChanged` (never the secret), `BackendPaused`. */
export interface BackendEvent {
  id: string;
  revision: number;
  type: string;
  at: string;
  actor: string;
  /** Members of the backend that the event changed, before and after it. */
  changed?: Record<string, { from: unknown; to: unknown }>;
  [member: string]: unknown;
}

/** Ids to look up, by model: at most 1,000 in all. */
export type BackendLookupRequest = Record<string, { externalIds?: Id[]; recordIds?: Id[] }>;
export type BackendLookupAnswer = Record<string, LookupAnswer>;
