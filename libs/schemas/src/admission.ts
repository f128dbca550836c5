/**
 * The short way for commands that are well formed: a million of them come in a row, and a schema is four times as slow. It is
 * made from the fields of the schema whose place it takes, admits nothing that the schema does not, and answers the same;
 * what it does not admit is left to the schema, which says what is wrong.
 */
import { parseData, parseId, parseInstant, type Parsed } from '#domain';
import { dataSchema, idSchema, optionalSyncDateSchema, syncDateSchema } from './values.js';

interface Schema {
  safeParse(value: unknown): { success: boolean; data?: unknown };
  /** Of a literal: what it admits. */
  values?: ReadonlySet<unknown>;
}
/** What a field admits; `undefined` when the schema is to be asked. */
type Admit = (value: unknown) => unknown;

export function admission<T>(
  fields: Readonly<Record<string, Schema>>,
  holds: (command: T) => boolean,
): (input: object) => T | undefined {
  const known: Record<string, Admit> = Object.assign(Object.create(null), mapped(fields));
  const required = Object.keys(fields).filter((name) => !fields[name]?.safeParse(undefined).success);
  return (input) => {
    const command: Record<string, unknown> = {};
    for (const name in input) {
      const value = known[name]?.((input as Record<string, unknown>)[name]);
      if (value === undefined) return undefined;
      command[name] = value;
    }
    for (const name of required) if (command[name] === undefined) return undefined;
    return holds(command as T) ? (command as T) : undefined;
  };
}

function mapped(fields: Readonly<Record<string, Schema>>): Record<string, Admit> {
  return Object.fromEntries(Object.entries(fields).map(([name, schema]) => [name, admitOf(innermost(schema))]));
}

function innermost(schema: Schema & { unwrap?: () => Schema }): Schema {
  return schema.unwrap === undefined ? schema : innermost(schema.unwrap());
}

function admitOf(schema: Schema): Admit {
  if (schema === idSchema) return (value) => valueOf(parseId(value));
  if (schema === dataSchema) return (value) => valueOf(parseData(value));
  if (schema === syncDateSchema) return instantOf;
  if (schema === optionalSyncDateSchema) return (value) => (value === null ? null : instantOf(value));
  const { values } = schema;
  if (values !== undefined) return (value) => (values.has(value) ? value : undefined);
  return (value) => schema.safeParse(value).data;
}

function valueOf<T>(parsed: Parsed<T>): T | undefined {
  return parsed.problem === undefined ? parsed.value : undefined;
}

/** The commands of one run often have one date. */
let last = { text: '', instant: '' };
function instantOf(value: unknown): string | undefined {
  if (value === last.text) return last.instant;
  const instant = valueOf(parseInstant(value));
  if (instant !== undefined) last = { text: value as string, instant };
  return instant;
}
