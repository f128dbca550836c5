import { expect, test } from 'vitest';
import { prefers } from './accept.js';

const LINES = 'application/x-ndjson';
test.each([
  [undefined, false],
  ['', false],
  ['*/*', false],
  ['application/*', false],
  ['application/json', false],
  ['text/html, */*;q=0.8', false],
  [LINES, true],
  ['APPLICATION/X-NDJSON', true],
  ['application/x-ndjson; charset=utf-8', true],
  ['application/x-ndjson;q=0', false],
  ['application/x-ndjson;q=0.0, */*', false],
  ['application/x-ndjson ; Q=0', false],
  ['application/x-ndjson;q=0.1, application/json', false],
  ['application/json;q=0.1,application/x-ndjson;q=0.2', true],
  ['application/json, application/x-ndjson', true],
  ['application/x-ndjson, */*', true],
  ['application/x-ndjson;q=0.5, */*;q=0.1', true],
  ['application/x-ndjson;q=0.5, */*', false],
  ['application/x-ndjson;q=0.5, application/*;q=0.6', false],
  ['application/json;q=0, */*', true],
  ['application/x-ndjson-seq', false],
  ['text/x-ndjson', false],
  ['application/x-ndjson;q=much', true],
])('%j prefers lines to JSON: %j', (accept, expected) => {
  expect(prefers(accept, LINES)).toBe(expected);
});

test('streams of events are wanted by the same rule', () => {
  expect(prefers('text/event-stream', 'text/event-stream')).toBe(true);
  expect(prefers('text/*', 'text/event-stream')).toBe(true);
  expect(prefers('text/event-stream;q=0', 'text/event-stream')).toBe(false);
  expect(prefers('application/json, text/event-stream;q=0.9', 'text/event-stream')).toBe(false);
});
