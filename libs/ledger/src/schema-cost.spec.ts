import { describe, expect, it } from 'vitest';
import { MAX_DATA_BYTES, refusalOfSchema, type JsonObject, type JsonValue } from '#domain';
import { JsonSchemas } from './json-schema.js';
import { Patterns } from './pattern.js';
import { MAX_STEPS, SchemaCost } from './schema-cost.js';

const schemas = new JsonSchemas();
const list = <T>(length: number, item: (index: number) => T) => Array.from({ length }, (_, index) => item(index));
const members = (count: number, member: (index: number) => JsonValue): JsonObject =>
  Object.fromEntries(list(count, (index) => [`p${index}`, member(index)]));
const a = (schema: JsonValue, rest: JsonObject = {}): JsonObject => ({ properties: { a: schema }, ...rest });
const nested = (depth: number, inner: JsonValue): JsonValue => (depth === 0 ? inner : [nested(depth - 1, inner)]);
const stepsOf = (schema: JsonObject, document: JsonObject) => new SchemaCost(schema, new Patterns()).stepsFor(document);

const TOO_COSTLY = [{ path: '', message: 'the document is too costly to check against the schema' }];
const LETTERS = list(16_000, (index) => (Math.imul(index + 7, 0x9e3779b1) & 0x10000 ? 'a' : 'b')).join('');
const UNROLLED = (index: number) => ({ type: 'string', pattern: `(a[ab]{0,${11 + index}}){30}[cd]` });
const requiredItems = (names: number) => a({ type: 'array', items: { type: 'object', required: list(names, (n) => `p${n}`) } });
const contains = (count: number) => a({ anyOf: list(count, (n) => ({ type: 'array', contains: { const: `zz${n}` } })) });
const handedOn = (count: number) => ({
  $defs: { ...members(60, (n) => ({ $ref: `#/$defs/p${n + 1}` })), p60: { properties: members(count, () => ({})) } },
});
const wide = { a: list(2_700, () => ({})) };
const numbers = { a: list(15_000, (n) => n % 10) };

/** Admitted as schemas, with documents that are admitted as data otherwise: without a limit they took seconds, or all memory. */
const COSTLY: [string, JsonObject, JsonObject][] = [
  ['names that are required of many items', requiredItems(3_000), wide],
  ['alternatives of what a list contains', contains(200), numbers],
  ['one long text and a pattern that is unrolled', a(UNROLLED(0)), { a: LETTERS }],
  ['one long text and many patterns', a({ anyOf: list(20, UNROLLED) }), { a: LETTERS }],
  ['many texts and a pattern that is unrolled', a({ items: UNROLLED(0) }), { a: list(60, (n) => LETTERS.slice(n, n + 1_000)) }],
  [
    'alternatives of objects',
    a({ items: { oneOf: list(200, (n) => ({ required: [`a${n}`], properties: { k: { const: n } } })) } }),
    { a: list(1_500, () => ({ k: 1 })) },
  ],
  [
    'patterns of members, and additional ones',
    {
      patternProperties: Object.fromEntries(list(50, (n) => [`(a|b){1,${n + 5}}c`, { type: 'number' }])),
      additionalProperties: true,
    },
    Object.fromEntries(list(500, (n) => [`${LETTERS.slice(n * 20, n * 20 + 20)}${n}`, 1])),
  ],
  [
    'values that are compared again and again',
    a({ allOf: list(100, () => ({ uniqueItems: true })) }),
    { a: list(10_000, (n) => n) },
  ],
  ['allowed values that a large one is compared with', a({ anyOf: list(300, (n) => ({ enum: [n] })) }), numbers],
  ['names of members', { propertyNames: { anyOf: list(200, (n) => ({ maxLength: n % 3 })) } }, members(5_000, () => 1)],
  [
    'schemas that depend on members',
    a({ items: { dependentSchemas: members(100, () => ({ required: list(20, (n) => `q${n}`) })) } }),
    { a: list(3_000, () => ({})) },
  ],
  [
    'a reference that stands in itself',
    a(
      { $ref: '#/$defs/node' },
      { $defs: { node: { anyOf: [...list(100, (n) => ({ const: n })), { items: { $ref: '#/$defs/node' } }] } } },
    ),
    {
      a: nested(
        13,
        list(15_000, () => 200),
      ),
    },
  ],
  [
    'accounts that are handed on',
    a({ items: { $ref: '#/$defs/p0', unevaluatedProperties: false } }, handedOn(400)),
    { a: list(20_000, () => ({})) },
  ],
  [
    'a long name that stands in the path of every problem',
    { additionalProperties: { items: { anyOf: [...list(10, (n) => ({ const: n })), true] } } },
    { ['~'.repeat(20_000)]: list(10_000, () => 11) },
  ],
  ['lengths of a long text', a({ allOf: list(490, (n) => ({ minLength: n, maxLength: 60_000 })) }), { a: 'x'.repeat(60_000) }],
];

describe('documents that are refused for what they would cost', () => {
  it.each(COSTLY)('%s', (_what, schema, document) => {
    expect(refusalOfSchema(schema, 'dataSchema', schemas)).toBeUndefined();
    expect(schemas.problemsOf(schema, document)).toEqual(TOO_COSTLY);
    // Always, and whatever was checked before.
    expect(new JsonSchemas().problemsOf(structuredClone(schema), document)).toEqual(TOO_COSTLY);
  });

  it('are admitted by the same schemas when they are small', () => {
    for (const [, schema] of COSTLY) expect(schemas.problemsOf(schema, {})).toEqual([]);
  });

  it('are no fault of data that was admitted once', () => {
    const [, dataSchema, data] = COSTLY[0]!;
    const rules = { localModel: null, cardinality: 'one', dataSchema, indexes: [] } as const;
    expect(schemas.problemsOfData(data, { ...rules, indexes: [] })).toEqual(TOO_COSTLY);
    expect(schemas.faultsOfData(data, { ...rules, indexes: [] })).toEqual([]);
    expect(schemas.faultsOfData({ a: [{}] }, { ...rules, indexes: [] })).not.toEqual([]);
  });

  it('are those for which a schema leads back to itself, though it is refused now', () => {
    const circle: JsonObject = { $ref: '#/$defs/x', $defs: { x: { allOf: [{ $ref: '#/$defs/x' }, { $ref: '#/$defs/x' }] } } };
    expect(schemas.problemsOf(circle, {})).toEqual(TOO_COSTLY);
  });
});

describe('documents that are checked to the end', () => {
  it('tell few problems where there would be very many', () => {
    expect(schemas.problemsOf(requiredItems(1_000), wide)).toEqual([
      { path: '/a/0', message: "must have required property 'p0'" },
    ]);
    expect(schemas.problemsOf(contains(20), numbers)).toEqual([
      { path: '/a', message: 'must contain at least 1 valid item(s)' },
      { path: '/a', message: 'must match a schema in anyOf' },
    ]);
  });

  it('take no more steps than the limit, and each is counted', () => {
    expect(stepsOf(contains(20), numbers)).toBeGreaterThan(20 * 15_000);
    expect(stepsOf(requiredItems(1_000), wide)).toBeGreaterThan(1_000 * 2_700);
    expect(stepsOf(contains(20), numbers)).toBeLessThan(MAX_STEPS);
    expect(stepsOf(a({ pattern: 'x{100}y' }), { a: 'x'.repeat(1_000) })).toBeGreaterThan(100 * 1_000);
    const constants = a({ items: { anyOf: list(10, (n) => ({ const: list(1_000, () => n) })) } });
    expect(stepsOf(constants, { a: list(30, () => list(1_000, () => 10)) })).toBeGreaterThan(10 * 30 * 1_000);
    expect(stepsOf(a({ uniqueItems: true }), { a: list(30_000, (n) => n % 10) })).toBeLessThan(MAX_STEPS);
  });

  const evaluated = (keyword: JsonObject): JsonObject => ({ ...keyword, unevaluatedItems: false, unevaluatedProperties: false });
  it('account for what was looked at', () => {
    const schema = a(evaluated({ contains: { type: 'number' }, prefixItems: [true], properties: { x: true } }));
    expect(schemas.problemsOf(schema, { a: ['first', 1, 2] })).toEqual([]);
    // For Ajv, `contains` has looked at all of them.
    expect(schemas.problemsOf(schema, { a: ['first', 1, 'last'] })).toEqual([]);
    expect(schemas.problemsOf(schema, { a: { x: 1, y: 2 } })).toEqual([{ path: '/a/y', message: 'is not admitted' }]);
  });

  it('count what a list contains', () => {
    const schema = a({ contains: { type: 'number' }, minContains: 2, maxContains: 3 });
    expect(schemas.problemsOf(schema, { a: [1, 'a', 2, 'b'] })).toEqual([]);
    for (const value of [
      [1, 'a'],
      [1, 2, 3, 4],
    ])
      expect(schemas.problemsOf(schema, { a: value })).toEqual([
        { path: '/a', message: 'must contain at least 2 and no more than 3 valid item(s)' },
      ]);
  });
});

describe('schemas that are refused for what they would cost', () => {
  it.each<[string, JsonObject, RegExp]>([
    ['a pattern that grows', a({ pattern: `(${'a'.repeat(100)}){500}` }), /with what they repeat written out/],
    ['many patterns', { patternProperties: Object.fromEntries(list(100, (n) => [`a{1,${n + 500}}`, {}])) }, /written out/],
    [
      'many classes of Unicode',
      { patternProperties: Object.fromEntries(list(20, (n) => [`\\pL{${n}}[\\pL\\pN]`.repeat(24), {}])) },
      /written out/,
    ],
    [
      'names times subschemas',
      {
        $ref: '#/$defs/all',
        $defs: {
          ...handedOn(400).$defs,
          all: { anyOf: list(300, () => ({ $ref: '#/$defs/p60' })), unevaluatedProperties: false },
        },
      },
      /too many names/,
    ],
  ])('%s', (_what, schema, message) => {
    expect(refusalOfSchema(schema, 'dataSchema', schemas)).toMatchObject({
      refused: 'INVALID_SCHEMA',
      errors: [{ path: '', message: expect.stringMatching(message) }],
    });
    // It may have been admitted by another version.
    expect(schemas.problemsOf(schema, {})).toMatchObject([{ message: expect.stringMatching(message) }]);
  });
});

describe('what schemas and documents usually are', () => {
  const field = (index: number): JsonObject =>
    [
      { type: 'string', maxLength: 200 },
      { type: ['number', 'null'], minimum: 0 },
      { enum: ['draft', 'open', 'done'] },
      { type: 'string', format: 'date-time' },
    ][index % 4]!;
  const line = {
    type: 'object',
    properties: {
      sku: { type: 'string', pattern: '^[A-Z]{2}-[0-9]{4,8}$' },
      name: { type: 'string', pattern: '^[\\p{L} ]{1,80}$' },
      quantity: { type: 'integer', minimum: 1 },
    },
    required: ['sku', 'quantity'],
    additionalProperties: false,
  };
  const payment = (kind: number) => ({
    properties: { kind: { const: `kind-${kind}` }, account: { type: 'string' } },
    required: ['kind', 'account'],
  });
  const schema: JsonObject = {
    type: 'object',
    properties: {
      ...members(100, field),
      lines: { type: 'array', items: line },
      payments: { type: 'array', items: { anyOf: list(10, payment) } },
    },
    required: ['p0', 'lines'],
  };
  const document: JsonObject = {
    p0: 'x',
    p2: 'open',
    lines: list(500, (n) => ({ sku: `AB-${1_000 + n}`, name: 'Größe vierzig und eine halbe', quantity: 1 + n })),
    payments: list(200, (n) => ({ kind: `kind-${n % 10}`, account: 'DE' })),
  };

  it('are checked as before', () => {
    expect(JSON.stringify(document).length).toBeLessThan(MAX_DATA_BYTES);
    expect(refusalOfSchema(schema, 'dataSchema', schemas)).toBeUndefined();
    expect(schemas.problemsOf(schema, document)).toEqual([]);
    expect(stepsOf(schema, document)).toBeLessThan(MAX_STEPS / 2);
  });

  it('tell what is wrong, of a small document all of it', () => {
    const wrong = { sku: 'ab-1', quantity: 0, colour: 'red' };
    expect(schemas.problemsOf(schema, { ...document, lines: [...(document.lines as JsonValue[]), wrong] })).toHaveLength(1);
    expect(schemas.problemsOf(schema, { p1: 'x', lines: [wrong], payments: [] })).toEqual([
      { path: '', message: "must have required property 'p0'" },
      { path: '/p1', message: 'must be number,null' },
      { path: '/lines/0/colour', message: 'is not admitted' },
      { path: '/lines/0/sku', message: 'must match pattern "^[A-Z]{2}-[0-9]{4,8}$"' },
      { path: '/lines/0/quantity', message: 'must be >= 1' },
    ]);
  });
});
