/** What a command to a backend becomes: events, and secrets to be stored before them, or a refusal. Pure. */
import { hasVersion, problemsOfText, type BackendType } from './backend-type.js';
import type { BindingModel } from './binding-model.js';
import {
  backendStatusOf,
  ledgerRegistration,
  type BackendDescription,
  type BackendEvent,
  type BackendState,
  type HeldSecrets,
  type LiveCount,
  type SecretValues,
} from './backend.js';
import { problemOfLocation } from './location.js';
import { isRefusal, refuse, type Problem, type Refusal } from './refusals.js';
import type { SchemaValidator } from './schema-rules.js';
import { patchReaches, secretNamesIn, secretPathsKept, splitSecrets, type SecretPaths } from './secret-settings.js';
import { jsonEqual, mergePatch, parseData, parseName, type JsonObject } from './values.js';

/** `null` takes a member away; settings are merged as a JSON merge patch, so that secrets need not be repeated. */
export interface ChangeBackend {
  name?: string;
  location?: string;
  version?: string | null;
  username?: string | null;
  password?: string | null;
  settings?: JsonObject;
}

export interface RegisterBackend extends ChangeBackend {
  id: string;
  type: string;
  location: string;
}

export interface BackendCircumstances {
  validator: SchemaValidator;
  type: BackendType | undefined;
  /** What is stored now. */
  secrets: SecretValues;
  /** The version under which changed secrets would be stored. */
  newSecretVersion: string;
}

export interface BackendDecision {
  events: BackendEvent[];
  /** To be stored before the events; `null` when none are left to keep. */
  secrets?: SecretValues | null;
}

export const MAX_TEXT_LENGTH = 200;
export const MAX_SECRET_LENGTH = 4_096;

export function decideRegistration(
  state: BackendState | undefined,
  command: RegisterBackend,
  circumstances: BackendCircumstances,
): BackendDecision | Refusal {
  const refusal = refusalOfBackendId(command.id);
  if (refusal !== undefined) return refusal;
  if (state !== undefined) {
    const detail = state.retirement === 'retired' ? 'was retired, and ids are never used again' : 'exists already';
    return refuse('BACKEND_EXISTS', `backend ${JSON.stringify(state.id)} ${detail}`);
  }
  const { id, type } = command;
  const before = { name: id, location: '', version: null, username: null, settings: {}, secretNames: [] };
  if (circumstances.type === undefined)
    return refuse('BACKEND_TYPE_NOT_FOUND', `there is no backend type ${JSON.stringify(type)}`);
  const described = describe(before, { ...command, settings: command.settings ?? {} }, circumstances);
  if (isRefusal(described)) return described;
  const registered: BackendEvent = { type: 'BackendRegistered', data: { id, type, ...described.description } };
  return withSecrets([registered], described, NONE_HELD, circumstances);
}

export function refusalOfBackendId(id: string): Refusal | undefined {
  const { problem } = parseName(id);
  return problem === undefined ? undefined : refuse('INVALID_ID', `backend id: ${problem}`);
}

export function decideChange(
  state: BackendState,
  command: ChangeBackend,
  circumstances: BackendCircumstances,
): BackendDecision | Refusal {
  if (state.retirement === 'retired') return retired(state);
  const described = describe(state, command, circumstances);
  if (isRefusal(described)) return described;
  const changed = membersThatDiffer(state, described.description);
  const events: BackendEvent[] = Object.keys(changed).length === 0 ? [] : [{ type: 'BackendChanged', data: changed }];
  if (command.password === undefined && command.settings === undefined) return { events };
  return withSecrets(events, described, state, circumstances);
}

/** True when nothing is left of the secrets that are held, so that they need not be known. */
export function replacesSecrets({ hasPassword, secretNames }: HeldSecrets, { password, settings = {} }: ChangeBackend): boolean {
  return (!hasPassword || password !== undefined) && secretNames.every((name) => patchReaches(settings, name));
}

interface Described {
  description: BackendDescription;
  secrets: SecretValues;
  /** When settings were given. */
  secretNames?: string[];
}

function describe(
  before: BackendDescription & Pick<HeldSecrets, 'secretNames'>,
  command: ChangeBackend,
  { type, secrets, validator }: BackendCircumstances,
): Described | Refusal {
  if (type === undefined) return refuse('BACKEND_TYPE_NOT_FOUND', 'there is no such backend type');
  const {
    name = before.name,
    location = before.location,
    version = before.version,
    username = before.username,
    password = secrets.password,
  } = command;
  const errors = problemsOfTexts(name, username, password);
  if (errors.length > 0) return refuse('MALFORMED', 'the backend is not well formed', { errors });
  const misplaced = command.location === undefined ? undefined : problemOfLocation(location);
  if (misplaced !== undefined) return refuse('INVALID_LOCATION', misplaced);
  if (version !== null && version !== before.version && !hasVersion(type, version)) {
    const known = type.versions.map(({ value }) => value);
    return refuse('UNKNOWN_VERSION', `backend type ${type.type} has no version ${JSON.stringify(version)}`, {
      details: { versions: known },
    });
  }
  const description = { name, location, version, username, settings: before.settings };
  if (command.settings === undefined) return { description, secrets: { ...secrets, password } };
  const paths = secretPathsKept(type.settingsSchema, before.secretNames);
  const settings = settingsAfter(mergePatch(before.settings, secrets.settings), command.settings, type, paths, validator);
  if (isRefusal(settings)) return settings;
  return {
    description: { ...description, settings: settings.open },
    secrets: { password, settings: settings.secret },
    secretNames: secretNamesIn(settings.secret, paths),
  };
}

function settingsAfter(
  before: JsonObject,
  patch: JsonObject,
  { settingsSchema }: BackendType,
  paths: SecretPaths,
  validator: SchemaValidator,
): { open: JsonObject; secret: JsonObject } | Refusal {
  const given = parseData(patch);
  const merged = given.problem === undefined ? parseData(mergePatch(before, given.value)) : given;
  if (merged.problem !== undefined) return refuse('INVALID_SETTINGS', `settings: ${merged.problem}`);
  const errors = settingsSchema === null ? [] : validator.problemsOf(settingsSchema, merged.value);
  if (errors.length > 0) return refuse('INVALID_SETTINGS', "the settings do not match the backend type's schema", { errors });
  return splitSecrets(merged.value, paths);
}

function problemsOfTexts(name: string, username: string | null, password: string | null): Problem[] {
  const problems = problemsOfText(name, '/name', MAX_TEXT_LENGTH);
  if (username !== null) problems.push(...problemsOfText(username, '/username', MAX_TEXT_LENGTH));
  if (password !== null && (password === '' || password.length > MAX_SECRET_LENGTH)) {
    problems.push({ path: '/password', message: `has 1 to ${MAX_SECRET_LENGTH} characters; null takes it away` });
  }
  return problems;
}

function membersThatDiffer(before: BackendDescription, after: BackendDescription): Partial<BackendDescription> {
  const changed: Partial<BackendDescription> = {};
  if (after.name !== before.name) changed.name = after.name;
  if (after.location !== before.location) changed.location = after.location;
  if (after.version !== before.version) changed.version = after.version;
  if (after.username !== before.username) changed.username = after.username;
  if (!jsonEqual(after.settings, before.settings)) changed.settings = after.settings;
  return changed;
}

const NONE_HELD: HeldSecrets = { hasPassword: false, secretNames: [], secretVersion: null };

function withSecrets(
  events: BackendEvent[],
  { secrets: after, secretNames: named }: Described,
  held: HeldSecrets,
  { secrets: before, newSecretVersion }: BackendCircumstances,
): BackendDecision {
  const secretNames = named ?? held.secretNames;
  const hasPassword = after.password !== null;
  const sameValues = after.password === before.password && jsonEqual(after.settings, before.settings);
  if (sameValues && hasPassword === held.hasPassword && jsonEqual(secretNames, held.secretNames)) return { events };
  const none = !hasPassword && secretNames.length === 0;
  const changed: BackendEvent = {
    type: 'CredentialsChanged',
    data: { hasPassword, secretNames, secretVersion: none ? null : newSecretVersion },
  };
  return { events: [...events, changed], secrets: none ? null : after };
}

// ── Ledgers, pause, retirement ───────────────────────────────────────────────────────────────────────────────────────

export function decideLedger(state: BackendState, model: BindingModel): BackendEvent[] | Refusal {
  if (model.backendType !== state.type) {
    return refuse(
      'MODEL_BACKEND_MISMATCH',
      `model ${model.model} is for backends of type ${model.backendType}; ${state.id} is of type ${state.type}`,
    );
  }
  const status = backendStatusOf(state);
  if (status === 'retiring' || status === 'retired') return retired(state);
  if (status === 'paused') return refuse('BACKEND_PAUSED', 'the backend is paused: try again when it is resumed');
  return ledgerRegistration(state, model.model) === undefined ? [{ type: 'LedgerRegistered', data: { model: model.model } }] : [];
}

export function decidePause(state: BackendState, paused: boolean): BackendEvent[] | Refusal {
  if (state.retirement !== 'none') return retired(state);
  if (state.paused === paused) return [];
  return [{ type: paused ? 'BackendPaused' : 'BackendResumed', data: {} }];
}

export function decideRetirement(state: BackendState): BackendEvent[] {
  return state.retirement === 'none' ? [{ type: 'BackendRetiring', data: {} }] : [];
}

/** The end of the retirement that began at `revision`; nothing if it is over already. */
export function concludeRetirement(state: BackendState, revision: number, live: LiveCount[]): BackendEvent[] {
  if (state.retirement !== 'retiring' || state.controlRevision !== revision) return [];
  return [live.length === 0 ? { type: 'BackendRetired', data: {} } : { type: 'BackendRetirementCancelled', data: { live } }];
}

export function inUse(id: string, live: LiveCount[]): Refusal {
  const total = live.reduce((sum, each) => sum + each.live, 0);
  return refuse('BACKEND_IN_USE', `backend ${JSON.stringify(id)} has ${total} live bindings`, {
    details: { live: total, ledgers: live },
  });
}

/** The access to the secrets is recorded before they are handed out. */
export function decideCredentialsRead(state: BackendState): BackendEvent[] | Refusal {
  return state.retirement === 'retired'
    ? retired(state)
    : [{ type: 'CredentialsRead', data: { secretVersion: state.secretVersion } }];
}

function retired({ id, retirement }: BackendState): Refusal {
  return refuse(
    'LEDGER_CLOSED',
    `backend ${JSON.stringify(id)} is ${retirement === 'retired' ? 'retired' : 'being retired'}: nothing of it changes any more`,
  );
}
