import { PassThrough, Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineSplitter, MAX_LINE_BYTES, readLines, type Line } from './line-reader.js';

function linesOf(...blocks: Buffer[]): Line[] {
  const splitter = new LineSplitter();
  return [...blocks.flatMap((block) => splitter.push(block)), ...splitter.end()];
}

function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [...sorted, bytes.length].map((end, index) => bytes.subarray(sorted[index - 1] ?? 0, end));
}

describe('LineSplitter', () => {
  it('finds the same lines however the bytes arrive', () => {
    const text = fc.array(fc.string({ unit: 'grapheme', maxLength: 20 }).map((line) => line.replaceAll(/[\r\n]/g, '')));
    fc.assert(
      fc.property(text, fc.array(fc.nat(1_000)), fc.boolean(), (lines, places, closed) => {
        const whole = Buffer.from(lines.join('\n') + (closed && lines.length > 0 ? '\n' : ''));
        const expected = lines.at(-1) === '' && !closed ? lines.slice(0, -1) : lines;
        expect(linesOf(...cut(whole, places))).toEqual(expected);
      }),
    );
  });

  it('counts blank lines and takes the line ends of Windows', () => {
    expect(linesOf(Buffer.from('a\r\n\r\n\nb'))).toEqual(['a\r', '', '', 'b']);
  });

  it('names a line that is too long, without keeping it, and goes on behind it', () => {
    const long = Buffer.alloc(MAX_LINE_BYTES + 1, 120);
    const fault = { fault: 'too long' };
    expect(linesOf(Buffer.concat([Buffer.from('a\n'), long, Buffer.from('\nb\n')]))).toEqual(['a', fault, 'b']);
    expect(linesOf(long, long, long, Buffer.from('end\nb'))).toEqual([fault, 'b']);
    expect(linesOf(long, Buffer.from('\nb\nc'))).toEqual([fault, 'b', 'c']);
    expect(linesOf(long)).toEqual([fault]);
    expect(linesOf(Buffer.from('é'.repeat(MAX_LINE_BYTES / 2)))).toHaveLength(1);
    expect(linesOf(Buffer.from('é'.repeat(MAX_LINE_BYTES / 2 - 1) + 'xyz\n'))).toEqual([fault]);
  });

  it('takes a line that is just long enough', () => {
    const line = 'x'.repeat(MAX_LINE_BYTES);
    expect(linesOf(Buffer.from(`${line}\nb`))).toEqual([line, 'b']);
    expect(linesOf(...cut(Buffer.from(`${line}\nb`), [1, 70_000, MAX_LINE_BYTES]))).toEqual([line, 'b']);
  });

  it('names a line that is not UTF-8, and only that', () => {
    const latin = Buffer.from([0x63, 0x61, 0x66, 0xe9]);
    expect(linesOf(Buffer.concat([Buffer.from('é\n'), latin, Buffer.from('\nb\n')]))).toEqual(['é', { fault: 'not UTF-8' }, 'b']);
    expect(linesOf(latin)).toEqual([{ fault: 'not UTF-8' }]);
  });
});

async function collect(body: Readable, signal = new AbortController().signal): Promise<Line[]> {
  const lines: Line[] = [];
  for await (const block of readLines(body, signal)) lines.push(...block);
  return lines;
}

describe('readLines', () => {
  it('reads to the end, the last line without newline included', async () => {
    expect(await collect(Readable.from([Buffer.from('a\nb'), Buffer.from('c\nd')], { objectMode: false }))).toEqual([
      'a',
      'bc',
      'd',
    ]);
  });

  it('drops the unfinished line of a body that breaks off', async () => {
    const body = new PassThrough();
    body.write('a\nb\n{"op":');
    const reading = collect(body);
    setImmediate(() => body.destroy());
    expect(await reading).toEqual(['a', 'b']);
  });

  it('ends when it is told to', async () => {
    const body = new PassThrough();
    body.write('a\n');
    const ending = new AbortController();
    const lines: Line[] = [];
    for await (const block of readLines(body, ending.signal)) {
      lines.push(...block);
      setImmediate(() => ending.abort());
    }
    expect(lines).toEqual(['a']);
  });

  it('reads no more than is asked for', async () => {
    const body = new PassThrough({ highWaterMark: 1_024 });
    const reader = readLines(body, new AbortController().signal);
    body.write('a\n');
    await reader.next();
    let accepted = 0;
    while (body.write('x'.repeat(255) + '\n')) accepted += 1;
    expect(accepted).toBeLessThan(16);
    body.end();
    await reader.return(undefined);
  });
});
