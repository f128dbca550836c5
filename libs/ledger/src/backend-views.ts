/** Backends as they leave the ledger: without anything that the type's schema marks as secret now, or marked when it was set. */
import {
  backendStatusOf,
  splitSecrets,
  type BackendEvent,
  type BackendState,
  type BackendStatus,
  type JsonObject,
  type SecretPaths,
} from '#domain';
import type { ControlMetadata, RecordedControl } from './control-log.js';

export interface BackendView {
  id: string;
  type: string;
  name: string;
  location: string;
  version: string | null;
  username: string | null;
  hasPassword: boolean;
  /** Without secret ones. */
  settings: JsonObject;
  /** Secret settings that are set, with `.` between the names of members within members. */
  secretNames: string[];
  state: BackendStatus;
  /** Models of its ledgers. */
  models: string[];
  revision: number;
  createdAt: string;
  updatedAt: string;
}

export interface BackendEventView extends Omit<ControlMetadata, 'schema' | 'idempotency'> {
  id: string;
  revision: number;
  type: BackendEvent['type'];
  data: JsonObject;
}

export function viewBackend(state: BackendState, secrets: SecretPaths): BackendView {
  const { id, type, name, location, version, username, hasPassword, secretNames, revision, createdAt, updatedAt } = state;
  const settings = splitSecrets(state.settings, secrets).open;
  const models = state.ledgers.map(({ model }) => model);
  return {
    id,
    type,
    name,
    location,
    version,
    username,
    hasPassword,
    settings,
    secretNames,
    state: backendStatusOf(state),
    models,
    revision,
    createdAt,
    updatedAt,
  };
}

export function viewBackendEvent(
  { id, revision, type, data, metadata }: RecordedControl<BackendEvent>,
  secrets: SecretPaths,
): BackendEventView {
  const { schema: _schema, idempotency: _idempotency, ...rest } = metadata;
  const shown: object =
    'settings' in data && data.settings !== undefined ? { ...data, settings: splitSecrets(data.settings, secrets).open } : data;
  return { id, revision, type, ...rest, data: shown as JsonObject };
}
