import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  MAX_SCHEMA_BYTES,
  MAX_SCHEMA_DEPTH,
  MAX_SCHEMA_SIBLINGS,
  refusalOfSchema,
  type SchemaValidator,
} from './schema-rules.js';
import { refusalOfSecretMarks, secretNamesIn, secretPathsOf, patchReaches, splitSecrets } from './secret-settings.js';
import { jsonEqual, mergePatch, type JsonObject, type JsonValue } from './values.js';

const LENIENT: SchemaValidator = { problemsOfSchema: () => [], problemsOf: () => [] };
const refusalOf = (schema: unknown) => refusalOfSchema(schema, 'dataSchema', LENIENT);
const messageOf = (schema: unknown) => refusalOf(schema)?.errors?.[0]?.message ?? refusalOf(schema)?.detail;

const nested = (depth: number): JsonObject => (depth === 1 ? {} : { not: nested(depth - 1) });
/** Each definition refers to the next one twice: 2^count subschemas look at the same place. */
const doubling = (count: number, by: (next: JsonObject) => JsonObject): JsonObject => ({
  $ref: '#/$defs/d0',
  $defs: Object.fromEntries(
    Array.from({ length: count + 1 }, (_, n) => [`d${n}`, n === count ? {} : by({ $ref: `#/$defs/d${n + 1}` })]),
  ),
});

describe('schemas that are refused', () => {
  it.each<[string, unknown, RegExp]>([
    ['no object', true, /an object/],
    ['nothing', null, /an object/],
    ['a list', [], /an object/],
    ['one that is too large', { description: 'x'.repeat(MAX_SCHEMA_BYTES) }, /at most 65536 bytes/],
    ['one that is too large in bytes only', { description: '€'.repeat(30_000) }, /at most 65536 bytes/],
    ['one that is too deep', nested(MAX_SCHEMA_DEPTH + 1), /at most 16 deep/],
    ['one that is far too deep', nested(5_000), /at most 16 deep/],
    [
      'too many subschemas',
      { properties: Object.fromEntries(Array.from({ length: 4_100 }, (_, n) => [`p${n}`, {}])) },
      /at most 4000/,
    ],
    ['too many side by side', { anyOf: Array.from({ length: MAX_SCHEMA_SIBLINGS + 1 }, () => ({})) }, /side by side/],
    ['a reference to elsewhere', { $ref: 'https://example.com/schema' }, /within the schema/],
    ['a reference to a file', { items: { $ref: 'other.json#/a' } }, /within the schema/],
    ['a reference by a name', { $ref: '#name' }, /within the schema/],
    ['a reference that is none', { $ref: 5 }, /within the schema/],
    ['a reference to nothing', { $ref: '#/$defs/none' }, /leads nowhere/],
    ['a reference to what objects have anyway', { $ref: '#/constructor' }, /leads nowhere/],
    ['a reference that is badly encoded', { $ref: '#/%E0%A4%A' }, /leads nowhere/],
    ['$data', { properties: { a: { const: { $data: '1/b' } } } }, /\$data is not taken/],
    ['an id inside', { properties: { a: { $id: 'urn:a' } } }, /at the root only/],
    ['an anchor', { $anchor: 'a' }, /is not taken/],
    ['a dynamic reference', { $dynamicRef: '#a' }, /is not taken/],
    ['a member __proto__', JSON.parse('{"properties": {"__proto__": {}}}'), /is not taken/],
    ['a lone surrogate', { title: '\ud800' }, /lone surrogates/],
    ['a lone surrogate in a name', { properties: { '\ud800': {} } }, /lone surrogates/],
    ['a reference to itself', { $ref: '#' }, /leads back/],
    [
      'a circle',
      { $ref: '#/$defs/a', $defs: { a: { allOf: [{ $ref: '#/$defs/b' }] }, b: { not: { $ref: '#/$defs/a' } } } },
      /leads back/,
    ],
    ['doubling in place', doubling(30, (next) => ({ allOf: [next, next] })), /look at one place/],
    ['doubling in the items', doubling(30, (next) => ({ items: next, contains: next })), /look at one place/],
    ['doubling at every depth', { items: { allOf: [{ $ref: '#' }, { $ref: '#' }] } }, /look at one place/],
    ['many patterns at every depth', { patternProperties: { a: { $ref: '#' }, b: { $ref: '#' } } }, /look at one place/],
    ['a long chain of references', doubling(150, (next) => ({ not: next })), /follow on each other/],
  ])('%s', (_what, schema, message) => {
    expect(refusalOf(schema)?.refused).toBe('INVALID_SCHEMA');
    expect(messageOf(schema)).toMatch(message);
  });

  it('say where', () => {
    expect(refusalOf({ properties: { 'a/b': { items: { $ref: 'x' } } } })?.errors).toEqual([
      { path: '/properties/a~1b/items/$ref', message: expect.any(String) },
    ]);
  });

  it('are those that the validator refuses', () => {
    const errors = [{ path: '/type', message: 'unknown' }];
    expect(refusalOfSchema({}, 'dataSchema', { ...LENIENT, problemsOfSchema: () => errors })).toMatchObject({
      refused: 'INVALID_SCHEMA',
      errors,
    });
  });
});

describe('schemas that are admitted', () => {
  it.each<[string, JsonObject]>([
    ['nothing', {}],
    ['one as deep as may be', nested(MAX_SCHEMA_DEPTH)],
    ['an id at the root', { $id: 'https://example.com/a', $schema: 'https://json-schema.org/draft/2020-12/schema' }],
    ['a tree', { properties: { children: { items: { $ref: '#' } }, name: {} } }],
    ['a tree with two branches', { properties: { left: { $ref: '#' }, right: { $ref: '#' } } }],
    [
      'a shared definition',
      {
        $defs: { a: {} },
        properties: Object.fromEntries(Array.from({ length: 400 }, (_, n) => [`p${n}`, { $ref: '#/$defs/a' }])),
      },
    ],
    ['an encoded reference', { $defs: { 'a/b c': {} }, $ref: '#/$defs/a~1b%20c' }],
    ['a long list of values', { enum: Array.from({ length: 5_000 }, (_, n) => n) }],
  ])('%s', (_what, schema) => {
    expect(refusalOf(schema)).toBeUndefined();
  });
});

describe('secret settings', () => {
  const SECRET = { type: 'string', 'x-secret': true };
  const schema: JsonObject = {
    properties: {
      key: SECRET,
      open: {},
      auth: { properties: { token: SECRET, user: {} } },
      all: { 'x-secret': true, properties: { inner: {} } },
    },
  };
  const paths = secretPathsOf(schema);

  it('are found beneath properties', () => {
    expect(paths).toEqual([['key'], ['auth', 'token'], ['all']]);
    expect(secretPathsOf(null)).toEqual([]);
    expect(refusalOfSecretMarks(schema)).toBeUndefined();
    expect(refusalOfSecretMarks({ properties: { a: { 'x-secret': false }, 'x-secret': {} } })).toBeUndefined();
    expect(refusalOfSecretMarks({ properties: { a: { 'x-secret': true, properties: { b: SECRET } } } })).toBeUndefined();
  });

  it.each<[string, JsonObject]>([
    ['at the root', { 'x-secret': true }],
    ['in items', { properties: { a: { items: SECRET } } }],
    ['under a pattern', { patternProperties: { a: SECRET } }],
    ['in all others', { additionalProperties: SECRET }],
    ['under a condition', { if: {}, else: { properties: { a: SECRET } } }],
    ['in one of several', { oneOf: [{ properties: { a: SECRET } }] }],
    ['in a definition', { $defs: { properties: SECRET }, properties: { a: { $ref: '#/$defs/properties' } } }],
    ['reached by a reference', { properties: { a: SECRET, b: { $ref: '#/properties/a' } } }],
    ['reached by recursion', { properties: { a: SECRET, child: { $ref: '#' } } }],
    ['on a member named by the mark itself', { properties: { 'x-secret': true } }],
  ])('are refused where they are not certain: %s', (_what, marked) => {
    expect(refusalOfSecretMarks(marked)).toMatchObject({
      refused: 'INVALID_SCHEMA',
      errors: expect.arrayContaining([{ path: expect.any(String), message: expect.any(String) }]),
    });
  });

  it('are split off, and the parts make the whole again', () => {
    const member = fc.constantFrom('key', 'open', 'auth', 'all', 'token', 'user', 'inner', 'constructor');
    const document = fc.letrec<{ value: JsonValue; object: JsonObject }>((tie) => ({
      value: fc.oneof(
        { depthSize: 'small' },
        fc.constantFrom<JsonValue>('classified', 1, true),
        fc.array(fc.constant<JsonValue>('item'), { maxLength: 2 }),
        tie('object'),
      ),
      object: fc.dictionary(member, tie('value'), { maxKeys: 5, noNullPrototype: true }),
    })).object;
    fc.assert(
      fc.property(document, (whole) => {
        const before = JSON.stringify(whole);
        const { open, secret } = splitSecrets(whole, paths);
        expect(jsonEqual(mergePatch(open, secret), whole)).toBe(true);
        expect(JSON.stringify(whole)).toBe(before);
        for (const path of paths) expect(secretNamesIn(open, [path])).toEqual([]);
        expect(secretNamesIn(secret, paths)).toEqual(secretNamesIn(whole, paths));
      }),
    );
  });

  it('are told to be replaced by a patch that sets or removes them', () => {
    const reaching: JsonObject[] = [{ auth: { token: 'new' } }, { auth: { token: null } }, { auth: null }];
    const others: JsonObject[] = [{}, { auth: {} }, { auth: { user: 'x' } }, { token: 'x' }, { auth: [] }];
    for (const patch of reaching) expect(patchReaches(patch, 'auth.token')).toBe(true);
    for (const patch of others) expect(patchReaches(patch, 'auth.token')).toBe(false);
  });
});
