/** How a schema that was admitted becomes a function. */
import {
  Ajv2020,
  type CodeKeywordDefinition,
  type KeywordCxt,
  type KeywordDefinition,
  type ValidateFunction,
} from 'ajv/dist/2020.js';
import addFormatsModule, { type FormatName } from 'ajv-formats';
import { SECRET_KEYWORD, type JsonObject } from '#domain';
import { canonicalJson } from './chain.js';
import type { Patterns } from './pattern.js';

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

export interface CompileOptions {
  allErrors: boolean;
  patterns: Patterns;
  /** The schema has keywords `unevaluated…`, so that account is kept of what was looked at. */
  tracks: boolean;
}

export function compileSchema(schema: JsonObject, { allErrors, patterns, tracks }: CompileOptions): ValidateFunction {
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
    // Ajv asks for something with a `test`, and names it in the code by `code`.
    code: { regExp: Object.assign((pattern: string) => patterns.of(pattern), { code: 'linearRegExp' }), optimize: false },
  });
  // Not to be had by an option of this dialect; its code and its work grow with names times subschemas.
  ajv.opts.unevaluated = tracks;
  addFormats(ajv, { mode: 'full', formats: STRICT_FORMATS });
  addFormats(ajv, { mode: 'fast', formats: LENIENT_FORMATS });
  ajv.addKeyword({ keyword: SECRET_KEYWORD, schemaType: 'boolean' });
  const contains = ajv.getKeyword('contains') as CodeKeywordDefinition;
  for (const keyword of [UNIQUE_ITEMS, ENUM, forgetful(contains)]) {
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

/** Ajv's own, but forgets at each item why it is not the one that is looked for: it keeps an object for each, for all items. */
function forgetful(contains: CodeKeywordDefinition): CodeKeywordDefinition {
  return {
    ...contains,
    keyword: 'contains',
    // Not last: `unevaluatedItems` asks what it has looked at.
    before: 'prefixItems',
    code: (context: KeywordCxt) => {
      const inner = Object.create(context) as KeywordCxt;
      inner.subschema = (application, valid) => {
        const subschema = context.subschema({ ...application, createErrors: false, allErrors: false }, valid);
        context.reset();
        return subschema;
      };
      contains.code(inner);
    },
  };
}
