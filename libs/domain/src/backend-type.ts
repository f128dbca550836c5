/** Backend types: the kinds of external systems, each with its selectable versions and a schema for the settings of its backends. */
import { refuse, type Problem, type Refusal } from './refusals.js';
import { refusalOfSchema, type SchemaValidator } from './schema-rules.js';
import { refusalOfSecretMarks } from './secret-settings.js';
import { jsonEqual, parseName, type JsonObject, type JsonValue } from './values.js';

export interface SelectableVersion {
  value: string;
  label: string;
}

export interface BackendType {
  type: string;
  label: string;
  versions: SelectableVersion[];
  /** Members that are marked `x-secret: true` are kept like the password. */
  settingsSchema: JsonObject | null;
}

/** Carries the whole definition, whether it is the first or a changed one. */
export type BackendTypeEvent = { type: 'BackendTypeDefined'; data: BackendType };

export interface DefineBackendType {
  type: string;
  label?: string;
  versions?: { value: string; label?: string }[];
  settingsSchema?: JsonObject | null;
}

export interface BackendTypeCircumstances {
  validator: SchemaValidator;
  /** Versions that backends of the type use; those of retired backends do not count. */
  usedVersions: readonly string[];
}

export const MAX_LABEL_LENGTH = 200;
export const MAX_VERSIONS = 500;
const MAX_VERSION_LENGTH = 100;

export function decideBackendType(
  current: BackendType | undefined,
  command: DefineBackendType,
  { validator, usedVersions }: BackendTypeCircumstances,
): BackendTypeEvent[] | Refusal {
  const name = parseName(command.type);
  if (name.problem !== undefined) return refuse('INVALID_ID', `backend type: ${name.problem}`);
  const wanted = definitionOf(command);
  const errors = [...problemsOfText(wanted.label, '/label', MAX_LABEL_LENGTH), ...problemsOfVersions(wanted.versions)];
  if (errors.length > 0) return refuse('MALFORMED', 'the backend type is not well formed', { errors });
  const refusal = wanted.settingsSchema === null ? undefined : refusalOfSettingsSchema(wanted.settingsSchema, validator);
  if (refusal !== undefined) return refusal;
  if (current !== undefined && jsonEqual(asJson(current), asJson(wanted))) return [];
  const missing = usedVersions.filter((used) => !hasVersion(wanted, used));
  if (missing.length > 0) {
    return refuse('VERSION_IN_USE', `backends use ${missing.join(', ')}: versions are not taken away while they are in use`, {
      details: { versions: missing },
    });
  }
  return [{ type: 'BackendTypeDefined', data: wanted }];
}

export function hasVersion({ versions }: BackendType, version: string): boolean {
  return versions.some(({ value }) => value === version);
}

function definitionOf({ type, label = type, versions = [], settingsSchema = null }: DefineBackendType): BackendType {
  return {
    type,
    label,
    versions: versions.map((version) => ({ value: version.value, label: version.label ?? version.value })),
    settingsSchema,
  };
}

function refusalOfSettingsSchema(schema: JsonObject, validator: SchemaValidator): Refusal | undefined {
  return refusalOfSchema(schema, 'settingsSchema', validator) ?? refusalOfSecretMarks(schema);
}

function problemsOfVersions(versions: readonly SelectableVersion[]): Problem[] {
  if (versions.length > MAX_VERSIONS) return [{ path: '/versions', message: `there are at most ${MAX_VERSIONS} versions` }];
  const seen = new Set<string>();
  return versions.flatMap(({ value, label }, index) => {
    const problems = [
      ...problemsOfText(value, `/versions/${index}/value`, MAX_VERSION_LENGTH),
      ...problemsOfText(label, `/versions/${index}/label`, MAX_LABEL_LENGTH),
    ];
    if (seen.has(value))
      problems.push({ path: `/versions/${index}/value`, message: `version ${JSON.stringify(value)} stands there twice` });
    seen.add(value);
    return problems;
  });
}

/** Texts that people read: not empty, bounded, without control characters. */
export function problemsOfText(text: string, path: string, maxLength: number): Problem[] {
  if (text === '' || text.length > maxLength) return [{ path, message: `has 1 to ${maxLength} characters` }];
  return /[\p{Cc}\p{Cs}]/u.test(text) ? [{ path, message: 'has no control characters and no lone surrogates' }] : [];
}

/** Definitions are JSON; their interfaces just do not say so. */
export function asJson(definition: object): JsonValue {
  return definition as JsonObject;
}
