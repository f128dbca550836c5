import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UsageError } from '../exit-codes.js';
import { MAX_LINE_BYTES, readLines } from './lines.js';
import { assertSame, newProgress, readProgress, writeProgress } from './progress-file.js';
import { RefusedFile } from './refused-file.js';
import type { RowDefaults } from './rows.js';
import { describeFile, formatOf, itemsOf, type Format } from './source.js';
import type { CsvOptions } from './csv.js';

/** In pieces of a given size, so that every boundary is met. */
async function* pieces(text: string | Buffer, size: number): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function allOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

async function parsed(
  text: string | Buffer,
  format: Format,
  csv: CsvOptions = {},
  defaults: RowDefaults = {},
  size = 7,
): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const {
    line,
    parsed: { command, problem },
  } of itemsOf(pieces(text, size), format, csv, defaults, () => {})) {
    all.push(command === undefined ? [line, problem.code, problem.detail] : [line, command]);
  }
  return all;
}

describe('lines', () => {
  it('are the same however the bytes arrive', async () => {
    const text = '\uFEFFä\r\n\nx😀y\nlast';
    for (const size of [1, 2, 3, 5, 100]) {
      const lines = await allOf(readLines(pieces(text, size)));
      expect(lines.map(({ number, text: line, terminated }) => [number, line, terminated])).toEqual([
        [1, 'ä', true],
        [2, '', true],
        [3, 'x😀y', true],
        [4, 'last', false],
      ]);
      expect(lines.at(-1)?.end).toBe(Buffer.byteLength(text));
    }
  });

  it('are not kept when they are too long', async () => {
    const lines = await allOf(readLines(pieces(`${'x'.repeat(MAX_LINE_BYTES + 1)}\n${'x'.repeat(MAX_LINE_BYTES)}\n`, 50_000)));
    expect(lines.map(({ fault, text }) => [fault, text.length])).toEqual([
      ['too long', 0],
      [undefined, MAX_LINE_BYTES],
    ]);
  });
});

describe('NDJSON', () => {
  it('takes commands and rows, and says what is wrong with the others', async () => {
    const text = [
      '{"op":"unbind","recordId":1}',
      'no json',
      '{"recordId":"2","externalId":"b"}',
      '',
      '[]',
      '{"recordId":1e400}',
      '{"recordId":"3","state":"unbound"}',
      '{"recordId":"4","ext',
    ].join('\n');
    expect(await parsed(text, 'ndjson', {}, { ifBound: 'replace' })).toEqual([
      [1, { op: 'unbind', recordId: 1 }],
      [2, 'MALFORMED', 'the line is not JSON'],
      [3, { op: 'bind', recordId: '2', externalId: 'b', ifBound: 'replace' }],
      [5, 'MALFORMED', 'the line is not a JSON object'],
      [6, 'INVALID_ID', expect.stringContaining('recordId')],
      [7, 'MALFORMED', expect.stringContaining('former binding')],
      [8, 'MALFORMED', expect.stringContaining('cut off')],
    ]);
    expect(await parsed(Buffer.from([0x22, 0xff, 0x22, 0x0a]), 'ndjson')).toEqual([[1, 'MALFORMED', 'the line is not UTF-8']]);
  });

  it('takes exported bindings: dates stay, ids of the ledger go', async () => {
    const exported = {
      id: 'i',
      recordId: '1',
      externalId: 'a',
      syncDate: null,
      data: {},
      state: 'bound',
      version: 3,
      revision: 9,
      createdAt: 'c',
      updatedAt: 'u',
      backend: 's',
      model: 'm',
      localModel: 'l',
    };
    const pending = { ...exported, externalId: null, state: 'pending' };
    expect(await parsed(`${JSON.stringify(exported)}\n${JSON.stringify(pending)}\n`, 'ndjson')).toEqual([
      [1, { op: 'bind', recordId: '1', externalId: 'a', syncDate: null, data: {} }],
      [2, { op: 'bind', recordId: '1', data: {} }],
    ]);
  });
});

describe('CSV', () => {
  it('goes on behind broken records', async () => {
    const text = 'recordId,externalId\n1,a\n2,"b\n3,c\n4,"d\ne"\n5\n"6"x,f\n7,g,h\n\n"8","h,""i"""\n9';
    const result = [
      [2, { op: 'bind', recordId: '1', externalId: 'a' }],
      [3, 'MALFORMED', expect.stringContaining('quote')],
      [4, { op: 'bind', recordId: '3', externalId: 'c' }],
      [5, { op: 'bind', recordId: '4', externalId: 'd\ne' }],
      [7, 'MALFORMED', '1 values for 2 columns'],
      [8, 'MALFORMED', expect.stringContaining('quote')],
      [9, 'MALFORMED', '3 values for 2 columns'],
      [11, { op: 'bind', recordId: '8', externalId: 'h,"i"' }],
      [12, 'MALFORMED', expect.stringContaining('last line is not complete')],
    ];
    for (const size of [1, 7, 1_000]) expect(await parsed(text, 'csv', {}, {}, size)).toEqual(result);
  });

  it('loses nothing to a quote that is never closed', async () => {
    const rows = Array.from({ length: 500 }, (_, index) => `${index},x${index}`).join('\n');
    const result = await parsed(`recordId,externalId\n0,"oops\n${rows}\n`, 'csv', {}, {}, 1_000);
    expect(result).toHaveLength(501);
    expect(result[0]).toEqual([2, 'MALFORMED', expect.stringContaining('quote')]);
    expect(result.at(-1)).toEqual([502, { op: 'bind', recordId: '499', externalId: 'x499' }]);
  });

  it('maps the columns that are named', async () => {
    const options = { delimiter: ';', recordColumn: 'sku', externalColumn: 'ext', syncDateColumn: 'at', dataColumns: ['group'] };
    expect(await parsed('at; ext;sku;group\n;a;1;g\n2026-01-01T00:00:00Z;;2;\n', 'csv', options)).toEqual([
      [2, { op: 'bind', recordId: '1', externalId: 'a', syncDate: null, data: { group: 'g' } }],
      [3, { op: 'bind', recordId: '2', syncDate: '2026-01-01T00:00:00Z' }],
    ]);
    await expect(parsed('a,b\n', 'csv')).rejects.toThrow(/--record-column: .*"recordId".*"a", "b"/);
    await expect(parsed('recordId\n', 'csv', { dataColumns: ['x'] })).rejects.toThrow(UsageError);
    expect(await parsed('recordId,data\n1,"{""a"":1}"\n2,[]\n', 'csv')).toEqual([
      [2, { op: 'bind', recordId: '1', data: { a: 1 } }],
      [3, 'MALFORMED', expect.stringContaining('data')],
    ]);
  });

  it('is known by its name', () =>
    expect(['a.csv', 'a.TSV', 'a.ndjson', 'a'].map(formatOf)).toEqual(['csv', 'csv', 'ndjson', 'ndjson']));
});

describe('what an import keeps', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'ledger-import-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  it('is bound to the input, the ledger and the options', () => {
    const input = join(folder, 'input');
    const file = join(folder, 'progress');
    writeFileSync(input, 'abc');
    const identity = { source: describeFile(input), target: 'here', options: '{}' };
    expect(readProgress(file)).toBeUndefined();
    writeProgress(file, { ...newProgress(identity), lines: 7 });
    const progress = readProgress(file);
    if (progress === undefined) throw new Error('no progress');
    expect(progress.lines).toBe(7);
    expect(() => assertSame(progress, identity, input)).not.toThrow();
    expect(() => assertSame(progress, { ...identity, target: 'there' }, input)).toThrow('it went to here');
    expect(() => assertSame(progress, { ...identity, options: '{"a":1}' }, input)).toThrow('options');
    writeFileSync(input, 'abd');
    expect(() => assertSame(progress, { ...identity, source: describeFile(input) }, input)).toThrow('changed');
    writeFileSync(file, 'nonsense');
    expect(() => readProgress(file)).toThrow(UsageError);
  });

  it('writes no refused line twice', () => {
    const path = join(folder, 'refused');
    const first = new RefusedFile(path);
    first.add(1, { code: 'A', detail: 'ä' }, undefined);
    const kept = first.bytes;
    first.add(2, { code: 'B', detail: 'b' }, undefined);
    first.close();
    const second = new RefusedFile(path, kept);
    second.add(2, { code: 'C', detail: 'c' }, { op: 'bind' });
    second.close();
    expect(readFileSync(path, 'utf8')).toBe(
      '{"line":1,"code":"A","detail":"ä"}\n{"line":2,"code":"C","detail":"c","command":{"op":"bind"}}\n',
    );
  });
});
