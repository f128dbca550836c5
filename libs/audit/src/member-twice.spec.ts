import { expect, it } from 'vitest';
import { memberTwice } from './member-twice.js';

it.each([
  ['{"a":1,"b":2,"a":3}', 'a'],
  ['{"a":{"x":1},"b":[{"y":1,"y":1}]}', 'y'],
  ['{"a" : 1 , "\\u0061" : 2}', 'a'],
  ['{"":1,"":2}', ''],
  ['[{"a":1},{"a":1}]', undefined],
  ['{"a":{"a":{"a":"a"}},"b":"a","c":["a","a"]}', undefined],
  ['{"a":"\\"a\\":1,\\"a\\":2","b":"\\\\"}', undefined],
  ['{"a":"{","b":"}","c":"[","d":{"a":"]"}}', undefined],
  ['{}', undefined],
])('%s has a member twice: %s', (text, name) => {
  JSON.parse(text);
  expect(memberTwice(text)).toBe(name);
});
