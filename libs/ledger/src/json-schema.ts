/**
 * Checks of documents against the JSON Schemas that users declare (2020-12).
 *
 * Ajv compiles a schema to JavaScript, so what it is given must be bounded, and is:
 * - Ajv puts names and texts of a schema into the code as escaped literals or as references, never as code. Keywords are a
 *   closed list (`strict`), so a schema brings no code of its own; `$data`, references to elsewhere and loading are off.
 * - `refusalOfSchema` of the domain has bounded size, depth, siblings and the subschemas that can look at one place, and
 *   references are compiled once each (`inlineRefs: false`). `SchemaCost` counts the work of a document before it is done.
 * - Problems are not collected, except where the work is little: Ajv makes an object of each, also of those that it drops.
 * - Patterns run in RE2's linear-time engine; formats are the ones below, none of which backtracks far; `uniqueItems` and
 *   `enum` are checked by a set, not by comparing everything with everything.
 * - Each schema has an Ajv of its own, so that schemas cannot meet by an `$id`, and nothing stays when a validator is dropped.
 */
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import { pointerToken, type JsonObject, type LedgerRules, type Problem, type SchemaValidator } from '#domain';
import { canonicalJson } from './chain.js';
import { Patterns } from './pattern.js';
import { compileSchema } from './schema-compiler.js';
import { SchemaCost } from './schema-cost.js';
import { TooCostly } from './too-costly.js';

/** Compiled schemas that are kept, and what they take of memory, roughly: large ones take megabytes. */
const MAX_COMPILED = 500;
const MAX_COMPILED_BYTES = 150_000_000;
/** What a character of a schema comes to when it is compiled. */
const BYTES_OF_CHARACTER = 100;
/** At most this many problems are told. */
const MAX_PROBLEMS = 10;
/** Of a document up to this size and cost, all problems are looked for, otherwise the first; for that, a schema is compiled once more. */
const MAX_THOROUGH_CHARACTERS = 8_192;
const MAX_THOROUGH_STEPS = 250_000;
const MAX_THOROUGH_SCHEMA = 32_768;

const DIALECT = 'https://json-schema.org/draft/2020-12/schema';

interface Compiled {
  cost: SchemaCost;
  patterns: Patterns;
  first: ValidateFunction;
  /** Compiled when it is first needed. */
  all?: ValidateFunction;
}

export class JsonSchemas implements SchemaValidator {
  /** By canonical text, the least recently used first. */
  private readonly compiled = new Map<string, Compiled | Error>();
  private bytes = 0;
  /** Rules are read once and used for long, so their schema is mostly the same object. */
  private readonly texts = new WeakMap<JsonObject, string>();
  private readonly meta = new Ajv2020({ logger: false, validateFormats: false });

  problemsOfSchema(schema: JsonObject): Problem[] {
    if (schema.$schema !== undefined && schema.$schema !== DIALECT)
      return [{ path: '/$schema', message: `schemas are those of ${DIALECT}` }];
    if (this.meta.validateSchema(schema) !== true)
      return (this.meta.errors ?? [{ message: 'is not a JSON Schema of 2020-12' }]).slice(0, MAX_PROBLEMS).map(problemOf);
    const compiled = this.compile(schema);
    return compiled instanceof Error ? [{ path: '', message: compiled.message }] : [];
  }

  problemsOf(schema: JsonObject, document: JsonObject): Problem[] {
    try {
      return this.check(schema, document);
    } catch (error) {
      if (error instanceof TooCostly) return [{ path: '', message: error.message }];
      throw error;
    }
  }

  /** What in a binding's data the rules of its ledger do not admit. */
  readonly problemsOfData = (data: JsonObject, { dataSchema }: LedgerRules): Problem[] =>
    dataSchema === null ? [] : this.problemsOf(dataSchema, data);

  /** The same of data that was admitted once: before there was a limit, perhaps, so what is too costly to check is no fault. */
  readonly faultsOfData = (data: JsonObject, { dataSchema }: LedgerRules): Problem[] => {
    try {
      return dataSchema === null ? [] : this.check(dataSchema, data);
    } catch (error) {
      if (error instanceof TooCostly) return [];
      throw error;
    }
  };

  private check(schema: JsonObject, document: JsonObject): Problem[] {
    const compiled = this.compile(schema);
    if (compiled instanceof TooCostly) throw compiled;
    // It was admitted once, by another version perhaps: documents are refused with the reason, the ledger goes on.
    if (compiled instanceof Error) return [unusable(compiled)];
    const steps = compiled.cost.stepsFor(document);
    const isThorough =
      steps <= MAX_THOROUGH_STEPS &&
      this.textOf(schema).length <= MAX_THOROUGH_SCHEMA &&
      JSON.stringify(document).length <= MAX_THOROUGH_CHARACTERS;
    try {
      return problemsBy(compiled, schema, document, isThorough);
    } catch (error) {
      // There are combinations of `if` and `unevaluatedProperties` for which Ajv makes code that fails.
      return [unusable(error)];
    }
  }

  private compile(schema: JsonObject): Compiled | Error {
    const text = this.textOf(schema);
    const known = this.compiled.get(text);
    const compiled = known ?? tryCompile(schema);
    if (known === undefined) this.bytes += bytesOf(text, compiled);
    this.compiled.delete(text);
    this.compiled.set(text, compiled);
    for (const [oldest, other] of this.compiled) {
      if (this.compiled.size <= MAX_COMPILED && this.bytes <= MAX_COMPILED_BYTES) break;
      this.compiled.delete(oldest);
      this.bytes -= bytesOf(oldest, other);
    }
    return compiled;
  }

  private textOf(schema: JsonObject): string {
    const text = this.texts.get(schema) ?? canonicalJson(schema);
    this.texts.set(schema, text);
    return text;
  }
}

function bytesOf(text: string, compiled: Compiled | Error): number {
  return text.length * BYTES_OF_CHARACTER + (compiled instanceof Error ? 0 : compiled.patterns.bytes);
}

function tryCompile(schema: JsonObject): Compiled | Error {
  try {
    const patterns = new Patterns();
    const cost = new SchemaCost(schema, patterns);
    return { cost, patterns, first: compileSchema(schema, { allErrors: false, patterns, tracks: cost.tracks }) };
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function problemsBy(compiled: Compiled, schema: JsonObject, document: JsonObject, isThorough: boolean): Problem[] {
  const { cost, patterns, first } = compiled;
  if (first(document)) return [];
  if (!isThorough) return problemsIn(first);
  compiled.all ??= compileSchema(schema, { allErrors: true, patterns, tracks: cost.tracks });
  compiled.all(document);
  return problemsIn(compiled.all);
}

function unusable(error: unknown): Problem {
  return { path: '', message: `the schema cannot be used: ${error instanceof Error ? error.message : String(error)}` };
}

function problemsIn({ errors }: ValidateFunction): Problem[] {
  const problems = new Map<string, Problem>();
  for (const error of errors ?? []) {
    const problem = problemOf(error);
    problems.set(`${problem.path} ${problem.message}`, problem);
    if (problems.size === MAX_PROBLEMS) break;
  }
  return [...problems.values()];
}

/** Names of members are told, values are not: they may be secret. */
function problemOf({ instancePath = '', keyword, params, message = 'is not admitted' }: Partial<ErrorObject>): Problem {
  const surplus =
    keyword === 'additionalProperties' || keyword === 'unevaluatedProperties' ? (params as Record<string, unknown>) : {};
  const name = surplus.additionalProperty ?? surplus.unevaluatedProperty;
  return typeof name === 'string'
    ? { path: `${instancePath}/${pointerToken(name)}`, message: 'is not admitted' }
    : { path: instancePath, message };
}
