/**
 * Settings that are kept like the password: those that the settings' schema marks. They are taken out of the settings
 * before any event is made, so which members they are must be certain from the schema alone.
 */
import { refuse, type Refusal } from './refusals.js';
import { pointerToken, targetOf } from './schema-rules.js';
import { isObject, type JsonObject, type JsonValue } from './values.js';

export const SECRET_KEYWORD = 'x-secret';

/** Where a document has its secrets, as paths of member names. */
export type SecretPaths = string[][];

/** The settings that the schema marks, found beneath `properties` only: there it is certain which members they are. */
export function secretPathsOf(schema: JsonObject | null, path: string[] = []): SecretPaths {
  const properties = schema?.properties;
  if (!isObject(properties)) return [];
  return Object.entries(properties).flatMap(([name, property]) => {
    if (!isObject(property)) return [];
    return property[SECRET_KEYWORD] === true ? [[...path, name]] : secretPathsOf(property, [...path, name]);
  });
}

/**
 * The settings that are kept as secrets from now on: those that the schema marks, and those that are held as such, until they
 * are taken away. A schema that does not mark them any more must not bring what is held into an event.
 */
export function secretPathsKept(schema: JsonObject | null, heldNames: readonly string[]): SecretPaths {
  const held = heldNames.map((name) => name.split('.'));
  const names = new Set(heldNames);
  const paths = [...held, ...secretPathsOf(schema).filter((path) => !names.has(path.join('.')))];
  return paths.filter((path) => !paths.some((other) => isWithin(path, other)));
}

function isWithin(path: readonly string[], other: readonly string[]): boolean {
  return other.length < path.length && other.every((name, index) => name === path[index]);
}

/** Refuses marks whose members are not certain: under a condition, in the items of a list, or reached by a reference. */
export function refusalOfSecretMarks(schema: JsonObject): Refusal | undefined {
  const certain = secretPathsOf(schema).map((path) => path.map((name) => `/properties/${pointerToken(name)}`).join(''));
  const uncertain = marksIn(schema, '').filter(
    (mark) => !certain.some((secret) => mark === secret || mark.startsWith(`${secret}/`)),
  );
  const reached = referencesIn(schema, '').filter(({ reference }) => marksIn(targetOf(schema, reference) ?? null, '').length > 0);
  const errors = [
    ...uncertain.map((path) => ({
      path: `${path}/${SECRET_KEYWORD}`,
      message: 'stands on members of "properties", or of "properties" of these',
    })),
    ...reached.map(({ path }) => ({
      path: `${path}/$ref`,
      message: `leads to what has ${SECRET_KEYWORD}`,
    })),
  ];
  return errors.length === 0
    ? undefined
    : refuse('INVALID_SCHEMA', 'settingsSchema marks secrets where they cannot be told apart', {
        errors,
      });
}

function marksIn(value: JsonValue, path: string): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const own = isObject(value) && Object.hasOwn(value, SECRET_KEYWORD) && value[SECRET_KEYWORD] === true ? [path] : [];
  return [...own, ...Object.entries(value).flatMap(([key, child]) => marksIn(child, `${path}/${pointerToken(key)}`))];
}

function referencesIn(value: JsonValue, path: string): { path: string; reference: string }[] {
  if (typeof value !== 'object' || value === null) return [];
  const own = isObject(value) && typeof value.$ref === 'string' ? [{ path, reference: value.$ref }] : [];
  return [...own, ...Object.entries(value).flatMap(([key, child]) => referencesIn(child, `${path}/${pointerToken(key)}`))];
}

/** Takes the secrets out of a document. */
export function splitSecrets(document: JsonObject, paths: SecretPaths): { open: JsonObject; secret: JsonObject } {
  const open = structuredClone(document);
  const secret: JsonObject = {};
  for (const path of paths) moveMember(open, secret, path);
  return { open, secret };
}

function moveMember(from: JsonObject, to: JsonObject, [name, ...rest]: string[]): void {
  if (name === undefined || !Object.hasOwn(from, name)) return;
  const value = from[name] as JsonValue;
  if (rest.length === 0) {
    to[name] = value;
    delete from[name];
    return;
  }
  if (!isObject(value)) return;
  const inner = isObject(to[name]) ? to[name] : {};
  moveMember(value, inner, rest);
  if (Object.keys(inner).length > 0) to[name] = inner;
}

/** The secrets that a document has, as their paths with `.` between the names. What is within a secret is not named. */
export function secretNamesIn(secret: JsonObject, paths: SecretPaths): string[] {
  return paths.filter((path) => hasMember(secret, path)).map((path) => path.join('.'));
}

function hasMember(document: JsonValue | undefined, [name, ...rest]: string[]): boolean {
  return name === undefined || (isObject(document) && Object.hasOwn(document, name) && hasMember(document[name], rest));
}

/** True when a merge patch sets or removes the member with this name. */
export function patchReaches(patch: JsonValue | undefined, name: string): boolean {
  let place = patch;
  for (const part of name.split('.')) {
    if (place === null) return true;
    if (!isObject(place) || !Object.hasOwn(place, part)) return false;
    place = place[part];
  }
  return true;
}
