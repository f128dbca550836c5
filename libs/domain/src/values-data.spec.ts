import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  MAX_DATA_BYTES,
  MAX_DATA_DEPTH,
  isObject,
  jsonEqual,
  mergePatch,
  parseData,
  utf8Length,
  type JsonObject,
  type JsonValue,
} from './values.js';

const json = fc.letrec<{ value: JsonValue; object: JsonObject }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    fc.constantFrom<JsonValue>(null, true, false, 0, -1, 1.5, 1e21, '', 'a', 'é', '😀'),
    tie('object'),
    fc.array(tie('value'), { maxLength: 3 }),
  ),
  object: fc.dictionary(fc.constantFrom('', 'a', 'b', 'c', '9', '10', 'constructor', 'toString', 'é'), tie('value'), {
    maxKeys: 4,
    noNullPrototype: true,
  }),
}));

const nested = (depth: number): JsonObject => (depth === 1 ? {} : { a: nested(depth - 1) });
const nestedInList = (depth: number): JsonValue => (depth === 1 ? [] : [nestedInList(depth - 1)]);
const ofBytes = (bytes: number): JsonObject => ({ text: 'x'.repeat(bytes - '{"text":""}'.length) });

describe('data', () => {
  const valid: [string, unknown][] = [
    ['an empty object', {}],
    ['an empty key', { '': 1 }],
    ['null', { a: null }],
    ['keys with a dollar inside, slashes, blanks', { a$: 1, 'a/b': 2, 'a b': 3 }],
    ['names of inherited members', { constructor: 1, toString: { valueOf: 2 }, hasOwnProperty: [] }],
    ['values that could not be keys', { a: '__proto__', b: '$where', c: 'a.b', d: 'a\0b\n' }],
    ['unicode', { ключ: '😀', é: 'e\u0301' }],
    ['numbers', { a: 0, b: -0, c: 1e308, d: 5e-324, e: 2 ** 53 }],
    ['the greatest depth', nested(MAX_DATA_DEPTH)],
    ['the greatest depth in lists', { a: nestedInList(MAX_DATA_DEPTH - 1) }],
    ['the greatest size', ofBytes(MAX_DATA_BYTES)],
    ['an object without prototype', Object.assign(Object.create(null), { a: 1 })],
  ];
  it.each(valid)('admits %s', (_, data) => expect(parseData(data)).toEqual({ value: data }));

  const refused: [string, unknown][] = [
    ['nothing', undefined],
    ['null', null],
    ['a list', [1]],
    ['text', '{}'],
    ['a number', 1],
    ['a key __proto__', JSON.parse('{"__proto__": 1}')],
    ['a key __proto__ below', JSON.parse('{"a": [{"__proto__": {"x": 1}}]}')],
    ['a key that starts with $', { $set: 1 }],
    ['a key that is $', { a: { $: 1 } }],
    ['a key with a dot', { 'a.b': 1 }],
    ['a key that is a dot', { a: [{ '.': 1 }] }],
    ['a key with NUL', { 'a\0': 1 }],
    ['a key with a lone surrogate', { 'a\ud800': 1 }],
    ['a lone surrogate', { a: ['\udfff'] }],
    ['infinity', JSON.parse('{"a": 1e400}')],
    ['NaN', { a: Number.NaN }],
    ['undefined', { a: undefined }],
    ['a function', { a: () => 1 }],
    ['a bigint', { a: 1n }],
    ['a symbol', { a: Symbol('a') }],
    ['a date', { a: new Date(0) }],
    ['a map', { a: new Map() }],
    ['a date in place of an object', new Date(0)],
    ['one level too many', nested(MAX_DATA_DEPTH + 1)],
    ['one level too many in lists', { a: nestedInList(MAX_DATA_DEPTH) }],
    ['one byte too many', ofBytes(MAX_DATA_BYTES + 1)],
    ['bytes, not characters, too many', { text: 'é'.repeat(MAX_DATA_BYTES / 2) }],
    ['characters that are six each in JSON', { text: '\u0001'.repeat(11_000) }],
    ['a key of characters that are six each', { ['\u0001'.repeat(11_000)]: 1 }],
    ['a list with holes', { a: Array(2) }],
    ['a list that is nearly nothing but holes', { a: Object.assign([], { length: 1e8 }) }],
    ['a list with members that have names', { a: Object.assign([1], { b: 2 }) }],
    ['a list with an item that is not enumerable', { a: Object.defineProperty([1], 0, { enumerable: false }) }],
    [
      'a list that says itself what it is',
      {
        a: new (class extends Array {
          toJSON() {
            return 1;
          }
        })(),
      },
    ],
    ['an object that says itself what it is', Object.create(Object.assign(Object.create(null), { toJSON: () => 1 }))],
    ['too many short members', Object.fromEntries(Array.from({ length: 8_000 }, (_, index) => [`k${index}`, null]))],
    ['too many long numbers', { numbers: Array<number>(3_000).fill(-Math.PI * 1e-300) }],
    ['too many empty lists', { lists: Array<unknown>(25_000).fill([]) }],
    ['an escape that makes it too long', { text: '\n'.repeat(MAX_DATA_BYTES / 2) }],
  ];
  it.each(refused)('refuses %s', (_, data) => expect(parseData(data)).toEqual({ problem: expect.any(String) }));

  it('refuses what contains itself, without following it for ever', () => {
    const circle: Record<string, unknown> = {};
    circle['a'] = circle;
    expect(parseData(circle).problem).toContain('deep');
  });

  it('refuses nesting that would break a recursive reader', () => {
    expect(parseData(JSON.parse(`{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}`)).problem).toContain('deep');
  });

  it('measures UTF-8', () => {
    expect(['', 'a', 'é', '€', '😀'].map(utf8Length)).toEqual([0, 1, 2, 3, 4]);
  });
});

describe('merge patch', () => {
  // RFC 7396, appendix A, as far as patch and target are objects or the target is anything.
  const rfc: [JsonValue, JsonObject, JsonObject][] = [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    ['foo', { a: 'b' }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ];
  it.each(rfc)('of %j by %j is %j', (target, patch, result) => expect(mergePatch(target, patch)).toEqual(result));

  it('of the example in section 3', () => {
    const author = { givenName: 'John', familyName: 'Doe' };
    const target = { title: 'Goodbye!', author, tags: ['example', 'sample'], content: 'This will be unchanged' };
    const patch = { title: 'Hello!', phoneNumber: '+01-123-456-7890', author: { familyName: null }, tags: ['example'] };
    expect(mergePatch(target, patch)).toEqual({
      title: 'Hello!',
      author: { givenName: 'John' },
      tags: ['example'],
      content: 'This will be unchanged',
      phoneNumber: '+01-123-456-7890',
    });
  });

  it('takes nulls out of what is new, but leaves them in lists', () => {
    expect(mergePatch(undefined, { a: { b: null, c: 1 }, d: [null, { e: null }] })).toEqual({
      a: { c: 1 },
      d: [null, { e: null }],
    });
  });

  it('does not take inherited members for members', () => {
    expect(mergePatch({}, { constructor: { a: 1 }, toString: { b: 2 } })).toEqual({ constructor: { a: 1 }, toString: { b: 2 } });
    expect(jsonEqual(mergePatch({}, { toString: null }), {})).toBe(true);
  });

  it('changes neither target nor patch', () => {
    fc.assert(
      fc.property(json.object, json.object, (target, patch) => {
        const before = JSON.stringify([target, patch]);
        mergePatch(target, patch);
        expect(JSON.stringify([target, patch])).toBe(before);
      }),
    );
  });

  it('says what the patch says and nothing else; twice is as once', () => {
    fc.assert(
      fc.property(json.object, json.object, (target, patch) => {
        const merged = mergePatch(target, patch);
        for (const key of new Set([...Object.keys(target), ...Object.keys(patch)])) {
          const said = Object.hasOwn(patch, key) ? patch[key] : undefined;
          const had = Object.hasOwn(target, key) ? target[key] : undefined;
          const has = Object.hasOwn(merged, key) ? merged[key] : undefined;
          if (said === undefined) expect(has).toEqual(had);
          else if (said === null) expect(has).toBeUndefined();
          else expect(has).toEqual(isObject(said) ? mergePatch(had, said) : said);
        }
        expect(mergePatch(merged, patch)).toEqual(merged);
        expect(mergePatch(target, {})).toEqual(target);
      }),
      { numRuns: 500 },
    );
  });
});

describe('equality of JSON', () => {
  const equal: [JsonValue, JsonValue][] = [
    [
      { a: 1, b: 2 },
      { b: 2, a: 1 },
    ],
    [
      [1, { a: null }],
      [1, { a: null }],
    ],
    [0, -0],
    ['é', 'é'],
    [{}, {}],
    [[], []],
  ];
  it.each(equal)('%j equals %j', (a, b) => expect([jsonEqual(a, b), jsonEqual(b, a)]).toEqual([true, true]));

  const different: [JsonValue | undefined, JsonValue | undefined][] = [
    [{ a: 1 }, { a: 1, b: 2 }],
    [{ a: 1 }, { b: 1 }],
    [{ a: null }, {}],
    [{ toString: 1 }, { a: 1 }],
    [
      [1, 2],
      [2, 1],
    ],
    [[], {}],
    [[1], [1, 2]],
    [{ '0': 1 }, [1]],
    [1, '1'],
    [0, false],
    [null, {}],
    [null, undefined],
    ['é', 'e\u0301'],
  ];
  it.each(different)('%j differs from %j', (a, b) => expect([jsonEqual(a, b), jsonEqual(b, a)]).toEqual([false, false]));

  it('agrees with a comparison of the members in order', () => {
    const sorted = (value: JsonValue): JsonValue => {
      if (Array.isArray(value)) return ['array', ...value.map(sorted)];
      if (!isObject(value)) return value;
      const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
      return ['object', ...members.map(([key, member]) => [`member ${key}`, sorted(member)])];
    };
    fc.assert(
      fc.property(json.value, json.value, (a, b) => {
        expect(jsonEqual(a, b)).toBe(JSON.stringify(sorted(a)) === JSON.stringify(sorted(b)));
        expect(jsonEqual(a, JSON.parse(JSON.stringify(a)) as JsonValue)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});
