/**
 * Checks of documents against the JSON Schemas that users declare (2020-12).
 *
 * Ajv compiles a schema to JavaScript, so what it is given must be bounded, and is:
 * - Ajv puts names and texts of a schema into the code as escaped literals or as references, never as code. Keywords are a
 *   closed list (`strict`), so a schema brings no code of its own; `$data`, references to elsewhere and loading are off.
 * - `refusalOfSchema` of the domain has bounded size, depth, siblings and the subschemas that can look at one place, and
 *   references are compiled once each (`inlineRefs: false`): code and work grow no faster than schema and document.
 * - Patterns run in RE2's linear-time engine; formats are the ones below, none of which backtracks far; `uniqueItems` and
 *   `enum` are checked by a set, not by comparing everything with everything.
 * - Each schema has an Ajv of its own, so that schemas cannot meet by an `$id`, and nothing stays when a validator is dropped.
 */
import { Ajv2020, type ErrorObject, type KeywordDefinition, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormatsModule, { type FormatName } from 'ajv-formats';
import { RE2JS } from 're2js';
import { SECRET_KEYWORD, pointerToken, type JsonObject, type LedgerRules, type Problem, type SchemaValidator } from '#domain';
import { canonicalJson } from './chain.js';

/** Compiled schemas that are kept. */
const MAX_COMPILED = 500;
/** At most this many problems are told. */
const MAX_PROBLEMS = 10;
/** Of a document up to this size all problems are looked for, of a larger one the first. */
const MAX_THOROUGH_CHARACTERS = 8_192;
const MAX_PATTERN_LENGTH = 500;
/** A longer text matches no pattern: even a linear engine takes its time. */
const MAX_MATCHED_LENGTH = 16_384;

const DIALECT = 'https://json-schema.org/draft/2020-12/schema';
/** What `#` refers to; a schema's own `$id` would be of no use, since nothing refers to it from elsewhere. */
const ROOT_ID = 'urn:binding-ledger:schema';

/** Written strictly, without repetitions that could be divided in several ways. */
const STRICT_FORMATS: FormatName[] = [
  'date',
  'time',
  'date-time',
  'duration',
  'hostname',
  'ipv4',
  'ipv6',
  'uuid',
  'json-pointer',
  'int32',
  'int64',
  'float',
  'double',
  'password',
];
/** The strict form of these backtracks. */
const LENIENT_FORMATS: FormatName[] = ['uri', 'uri-reference', 'email'];

const addFormats = addFormatsModule as unknown as typeof addFormatsModule.default;

interface Compiled {
  first: ValidateFunction;
  /** Compiled when it is first needed. */
  all?: ValidateFunction;
}

export class JsonSchemas implements SchemaValidator {
  /** By canonical text, the least recently used first. */
  private readonly compiled = new Map<string, Compiled | Problem>();
  /** Rules are read once and used for long, so their schema is mostly the same object. */
  private readonly byIdentity = new WeakMap<JsonObject, Compiled | Problem>();
  private readonly meta = new Ajv2020({ logger: false, validateFormats: false });

  problemsOfSchema(schema: JsonObject): Problem[] {
    if (schema.$schema !== undefined && schema.$schema !== DIALECT)
      return [{ path: '/$schema', message: `schemas are those of ${DIALECT}` }];
    if (this.meta.validateSchema(schema) !== true)
      return (this.meta.errors ?? [{ message: 'is not a JSON Schema of 2020-12' }]).slice(0, MAX_PROBLEMS).map(problemOf);
    const compiled = this.compile(schema);
    return 'message' in compiled ? [compiled] : [];
  }

  problemsOf(schema: JsonObject, document: JsonObject): Problem[] {
    const compiled = this.compile(schema);
    // It was admitted once, by another version perhaps: documents are refused with the reason, the ledger goes on.
    if ('message' in compiled) return [{ path: '', message: `the schema cannot be used: ${compiled.message}` }];
    if (compiled.first(document)) return [];
    if (JSON.stringify(document).length > MAX_THOROUGH_CHARACTERS) return problemsIn(compiled.first);
    compiled.all ??= compile(schema, true);
    compiled.all(document);
    return problemsIn(compiled.all);
  }

  /** What in a binding's data the rules of its ledger do not admit. */
  readonly problemsOfData = (data: JsonObject, { dataSchema }: LedgerRules): Problem[] =>
    dataSchema === null ? [] : this.problemsOf(dataSchema, data);

  private compile(schema: JsonObject): Compiled | Problem {
    const known = this.byIdentity.get(schema);
    if (known !== undefined) return known;
    const text = canonicalJson(schema);
    const compiled = this.compiled.get(text) ?? tryCompile(schema);
    this.compiled.delete(text);
    this.compiled.set(text, compiled);
    this.byIdentity.set(schema, compiled);
    if (this.compiled.size > MAX_COMPILED) this.compiled.delete(this.compiled.keys().next().value as string);
    return compiled;
  }
}

function tryCompile(schema: JsonObject): Compiled | Problem {
  try {
    return { first: compile(schema, false) };
  } catch (error) {
    return { path: '', message: error instanceof Error ? error.message : String(error) };
  }
}

function compile(schema: JsonObject, allErrors: boolean): ValidateFunction {
  const ajv = new Ajv2020({
    strict: true,
    strictRequired: false,
    strictTypes: false,
    strictTuples: false,
    allErrors,
    inlineRefs: false,
    ownProperties: true,
    meta: false,
    validateSchema: false,
    logger: false,
    messages: true,
    code: { regExp: linearRegExp, optimize: false },
  });
  addFormats(ajv, { mode: 'full', formats: STRICT_FORMATS });
  addFormats(ajv, { mode: 'fast', formats: LENIENT_FORMATS });
  ajv.addKeyword({ keyword: SECRET_KEYWORD, schemaType: 'boolean' });
  for (const keyword of [UNIQUE_ITEMS, ENUM]) {
    ajv.removeKeyword(keyword.keyword as string);
    ajv.addKeyword(keyword);
  }
  const { $schema: _checked, ...rest } = schema;
  return ajv.compile({ ...rest, $id: ROOT_ID });
}

const UNIQUE_ITEMS: KeywordDefinition = {
  keyword: 'uniqueItems',
  type: 'array',
  schemaType: 'boolean',
  error: { message: 'must not have an item twice' },
  compile: (unique: boolean) => (items: unknown[]) => !unique || new Set(items.map(canonicalJson)).size === items.length,
};

const ENUM: KeywordDefinition = {
  keyword: 'enum',
  schemaType: 'array',
  error: { message: 'must be one of the allowed values' },
  compile: (allowed: unknown[]) => {
    const texts = new Set(allowed.map(canonicalJson));
    return (value: unknown) => texts.has(canonicalJson(value));
  },
};

/** Ajv asks for something with a `test`, and names it in the code by `code`. */
const linearRegExp = Object.assign(
  (pattern: string, _flags: string) => {
    if (pattern.length > MAX_PATTERN_LENGTH) throw new Error(`a pattern has at most ${MAX_PATTERN_LENGTH} characters`);
    const compiled = RE2JS.compile(RE2JS.translateRegExp(pattern));
    // By this text Ajv tells patterns apart.
    const toString = () => pattern;
    return { test: (text: string) => text.length <= MAX_MATCHED_LENGTH && compiled.test(text), toString };
  },
  { code: 'linearRegExp' },
);

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
