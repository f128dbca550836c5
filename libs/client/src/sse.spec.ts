import { describe, expect, test } from 'vitest';
import { isLedgerError } from './errors.js';
import { BlockParser, MAX_BLOCK_LENGTH, readBlocks } from './sse.js';

const STREAM =
  'retry: 2000\nid: p0\n\nid: p1\ndata: {"a":1}\n\n: a comment\n\nid:p2\ndata:{"b":\ndata: 2}\nevent: x\n\nid: p3\n\n';
const BLOCKS = [
  { id: 'p0', data: undefined },
  { id: 'p1', data: '{"a":1}' },
  { id: 'p2', data: '{"b":\n2}' },
  { id: 'p3', data: undefined },
];

describe('blocks', () => {
  test.each([
    ['LF', '\n'],
    ['CR LF', '\r\n'],
    ['CR', '\r'],
  ])('are the same wherever the text is cut, with lines that end in %s', (_name, end) => {
    // Something has to follow a CR at the end: it may be half of a CR LF.
    const text = `${STREAM.replaceAll('\n', end)}:${end}`;
    for (let size = 1; size <= text.length; size += 1) {
      const parser = new BlockParser();
      const blocks = [];
      for (let at = 0; at < text.length; at += size) blocks.push(...parser.push(text.slice(at, at + size)));
      expect(blocks).toEqual(BLOCKS);
    }
  });

  test('that never end are no events', () => {
    const parser = new BlockParser();
    const line = `data: ${'x'.repeat(1_000_000)}\n`;
    const push = () => {
      for (let length = 0; length <= MAX_BLOCK_LENGTH; length += 1_000_000) parser.push(line);
    };
    expect(push).toThrow(expect.toSatisfy((error) => isLedgerError(error, 'UNEXPECTED_ANSWER')));
    expect(() => new BlockParser().push('x'.repeat(MAX_BLOCK_LENGTH + 1))).toThrow('has no end');
  });
});

test('silence is the time in which more is waited for, and not that which the reader takes; leaving the loop cancels the body', async () => {
  const happened: string[] = [];
  const pieces = ['id: a\n\n', 'id: b\n', '\nid: c\n\n', 'id: d\n\n'];
  const body = new ReadableStream<Uint8Array>(
    {
      pull: (controller) => controller.enqueue(new TextEncoder().encode(pieces.shift())),
      cancel: () => void happened.push('cancelled'),
    },
    { highWaterMark: 0 },
  );
  const silent = { begins: () => happened.push('begins'), ends: () => happened.push('ends') };
  for await (const blocks of readBlocks(body, silent)) {
    happened.push(blocks.map(({ id }) => id).join());
    if (blocks.at(-1)?.id === 'c') break;
  }
  expect(happened.join(' ')).toBe('begins ends a begins ends begins ends b,c ends cancelled');
});
