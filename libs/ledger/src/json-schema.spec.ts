import { describe, expect, it } from 'vitest';
import type { JsonObject, JsonValue } from '#domain';
import { JsonSchemas } from './json-schema.js';

const schemas = new JsonSchemas();
const of = (schema: JsonValue): JsonObject => ({ type: 'object', properties: { value: schema } });
const admits = (schema: JsonValue, value: JsonValue) => schemas.problemsOf(of(schema), { value }).length === 0;

describe('schemas that cannot be used', () => {
  it.each<[string, JsonObject, string, RegExp]>([
    ['an unknown keyword', { requierd: ['a'] }, '', /unknown keyword/],
    ['an unknown type', { type: 'strin' }, '/type', /allowed values/],
    ['an unknown format', { format: 'regex' }, '', /unknown format/],
    ['a keyword of the wrong kind', { properties: [] }, '/properties', /must be object/],
    ['a broken pattern', { pattern: '(a' }, '', /missing closing/],
    ['a pattern that looks around', { pattern: 'a(?=b)' }, '', /invalid or unsupported/],
    ['a pattern that refers back', { pattern: '(a)\\1' }, '', /invalid escape/],
    ['a broken pattern of members', { patternProperties: { '[': {} } }, '', /missing closing/],
    ['a very long pattern', { pattern: 'a'.repeat(501) }, '', /at most 500 characters/],
    ['a pattern that grows when it is compiled', { pattern: '((a{1,100}){1,100}){1,100}' }, '', /repeat/],
    ['an older dialect', { $schema: 'http://json-schema.org/draft-07/schema#' }, '/$schema', /2020-12/],
    ['a secret that is not marked by true or false', { properties: { a: { 'x-secret': 'yes' } } }, '', /boolean/],
  ])('are told: %s', (_what, schema, path, message) => {
    expect(schemas.problemsOfSchema(schema)).toContainEqual({ path, message: expect.stringMatching(message) });
  });

  it('refuse documents with the reason, and do not throw', () => {
    expect(schemas.problemsOf({ pattern: '(a' }, {})).toEqual([
      { path: '', message: expect.stringContaining('the schema cannot be used') },
    ]);
  });
});

describe('schemas that can be used', () => {
  it.each<[string, JsonObject]>([
    ['nothing', {}],
    [
      'the dialect named, and an id',
      { $schema: 'https://json-schema.org/draft/2020-12/schema', $id: 'https://example.com/a', type: 'object' },
    ],
    ['references within', { $defs: { no: { type: 'integer' } }, properties: { no: { $ref: '#/$defs/no' } } }],
    ['recursion', { properties: { children: { type: 'array', items: { $ref: '#' } } } }],
    ['rules without types', { properties: { a: { minLength: 1 }, b: { maximum: 5 } }, required: ['c'] }],
    [
      'annotations',
      { title: 'A', description: 'B', examples: [{}], default: {}, deprecated: true, readOnly: true, $comment: 'C' },
    ],
  ])('have no problems: %s', (_what, schema) => {
    expect(schemas.problemsOfSchema(schema)).toEqual([]);
  });

  it('of the same id do not meet', () => {
    const [text, number]: JsonObject[] = ['string', 'number'].map((type) => ({
      $id: 'https://example.com/same',
      properties: { a: { type } },
    }));
    expect(schemas.problemsOf(text as JsonObject, { a: 1 })).toHaveLength(1);
    expect(schemas.problemsOf(number as JsonObject, { a: 1 })).toEqual([]);
  });

  it('can stand together, each with its own references', () => {
    const schema = (type: string): JsonObject => ({
      $defs: { value: { type } },
      properties: { [type]: { $ref: '#/$defs/value' }, both: { $ref: '#' } },
    });
    const both = {
      allOf: [
        { ...schema('string'), $id: 'urn:binding-model:before' },
        { ...schema('number'), $id: 'urn:binding-model:after' },
      ],
    };
    expect(schemas.problemsOf(both, { string: 'a', number: 1, both: { string: 'b', number: 2 } })).toEqual([]);
    expect(schemas.problemsOf(both, { string: 1 })).toMatchObject([{ path: '/string' }]);
    expect(schemas.problemsOf(both, { number: 'a' })).toMatchObject([{ path: '/number' }]);
    expect(schemas.problemsOf(both, { both: { number: 'a' } })).toMatchObject([{ path: '/both/number' }]);
  });
});

describe('patterns', () => {
  it('are told apart', () => {
    const schema: JsonObject = {
      properties: { a: { pattern: '^a+$' }, b: { pattern: '^b+$' } },
      patternProperties: { '^n_': { type: 'number' } },
    };
    expect(schemas.problemsOf(schema, { a: 'aa', b: 'bb', n_1: 1 })).toEqual([]);
    expect(
      schemas
        .problemsOf(schema, { a: 'bb', b: 'aa', n_1: '1' })
        .map(({ path }) => path)
        .sort(),
    ).toEqual(['/a', '/b', '/n_1']);
  });

  it.each([
    ['(a+)+$', 'a'.repeat(16_000)],
    ['^(a|aa)+$', 'a'.repeat(16_000)],
    ['^(([a-z])+.)+[A-Z]([a-z])+$', 'a'.repeat(16_000)],
    ['(x+x+)+y', 'x'.repeat(16_000)],
    ['^(.*,){20}P', 'x,'.repeat(8_000)],
  ])('that backtracking engines never finish are finished: %s', (pattern, text) => {
    expect(admits({ type: 'string', pattern }, `${text}!`)).toBe(false);
  });

  it('match no text that is longer than they are run on', () => {
    expect(admits({ pattern: '^a*$' }, 'a'.repeat(16_384))).toBe(true);
    expect(admits({ pattern: '^a*$' }, 'a'.repeat(16_385))).toBe(false);
  });
});

describe('formats', () => {
  it.each([
    ['date', '2026-02-28', '2026-02-30'],
    ['date-time', '2026-02-28T10:00:00Z', '2026-02-28 10:00'],
    ['time', '10:00:00Z', '25:00:00Z'],
    ['duration', 'P3DT4H', 'P'],
    ['email', 'a@example.com', 'a@'],
    ['hostname', 'shop.example.com', '-shop'],
    ['ipv4', '10.0.0.1', '10.0.0.256'],
    ['ipv6', '::1', ':::1'],
    ['uri', 'https://example.com/a?b', 'not a uri'],
    ['uri-reference', '../a', 'a b'],
    ['uuid', '6ba7b810-9dad-11d1-80b4-00c04fd430c8', '6ba7b810'],
    ['json-pointer', '/a/b~0', '/a~'],
  ])('%s', (format, good, bad) => {
    expect(admits({ type: 'string', format }, good)).toBe(true);
    expect(admits({ type: 'string', format }, bad)).toBe(false);
    // Nor is one of them led astray by a long text.
    for (const part of ['a', 'a-', 'a.', 'a@', '1', ':', '/', '%20', '-']) {
      const text = `a@${part.repeat(30_000)}!~`;
      expect(typeof admits({ type: 'string', format }, text)).toBe('boolean');
    }
  });
});

describe('keywords that are checked in another way than usual', () => {
  it('uniqueItems compares by value', () => {
    expect(admits({ uniqueItems: true }, [1, '1', true, null, [1], { a: 1 }])).toBe(true);
    expect(
      admits({ uniqueItems: true }, [
        { a: 1, b: 2 },
        { b: 2, a: 1 },
      ]),
    ).toBe(false);
    expect(admits({ uniqueItems: false }, [1, 1])).toBe(true);
    expect(
      admits(
        { uniqueItems: true },
        Array.from({ length: 20_000 }, (_, n) => [n]),
      ),
    ).toBe(true);
  });

  it('enum compares by value', () => {
    const allowed: JsonValue[] = ['a', 1, null, { x: [1], y: 2 }];
    const others: JsonValue[] = ['b', '1', 2, {}, { x: [1] }];
    for (const value of [...allowed, { y: 2, x: [1] }]) expect(admits({ enum: allowed }, value)).toBe(true);
    for (const value of others) expect(admits({ enum: allowed }, value)).toBe(false);
  });

  it('properties are own ones', () => {
    expect(schemas.problemsOf({ properties: { constructor: { type: 'string' } } }, {})).toEqual([]);
    expect(schemas.problemsOf({ required: ['toString'] }, {})).toHaveLength(1);
  });
});

describe('problems', () => {
  it('name place and member, at most ten, and never the value', () => {
    const schema: JsonObject = {
      properties: { a: { type: 'array', items: { enum: ['x'] } }, c: { const: 'x' }, m: { maxLength: 3 } },
      required: ['r'],
      additionalProperties: false,
    };
    const document = {
      a: Array.from({ length: 30 }, (_, n) => `classified-${n}`),
      c: 'classified',
      m: 'classified',
      'other/member': 'classified',
    };
    const problems = schemas.problemsOf(schema, document);
    expect(problems).toHaveLength(10);
    expect(JSON.stringify(problems)).not.toContain('classified');
    const { a: _left, ...rest } = document;
    expect(schemas.problemsOf(schema, rest)).toEqual([
      { path: '', message: "must have required property 'r'" },
      { path: '/other~1member', message: 'is not admitted' },
      { path: '/c', message: 'must be equal to constant' },
      { path: '/m', message: 'must NOT have more than 3 characters' },
    ]);
  });

  it('of a large document are those of the first place that is wrong', () => {
    const schema: JsonObject = { properties: { a: { items: { type: 'number' } }, b: { type: 'number' } } };
    const document = { a: Array.from({ length: 5_000 }, () => 'not a number'), b: 'neither' };
    expect(schemas.problemsOf(schema, document)).toEqual([{ path: '/a/0', message: 'must be number' }]);
  });

  it('are the same after more schemas were used than are kept', () => {
    const first: JsonObject = { properties: { first: { type: 'integer' } } };
    expect(schemas.problemsOf(first, { first: 'no' })).toHaveLength(1);
    for (let n = 0; n < 520; n += 1) schemas.problemsOf({ required: [`m${n}`] }, {});
    expect(schemas.problemsOf({ ...first }, { first: 'no' })).toHaveLength(1);
    expect(schemas.problemsOf(first, { first: 1 })).toEqual([]);
  });
});
