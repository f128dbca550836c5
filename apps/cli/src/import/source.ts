/** The input of an import: which file it is, and its lines as commands. */
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { csvItems, type CsvOptions } from './csv.js';
import { readLines, type Line } from './lines.js';
import { faultOf, parseJsonLine, type RowDefaults, type SourceItem } from './rows.js';

export type Format = 'ndjson' | 'csv';

/** So much of the beginning is compared when an import goes on. */
const HASHED_BYTES = 65_536;

/** By this a file is known again. */
export interface SourceFile {
  size: number;
  modifiedMs: number;
  /** SHA-256, hex, of its beginning. */
  beginning: string;
}

export function describeFile(path: string): SourceFile {
  const file = openSync(path, 'r');
  try {
    const { size, mtimeMs } = fstatSync(file);
    const buffer = Buffer.alloc(HASHED_BYTES);
    const length = readSync(file, buffer, 0, HASHED_BYTES, 0);
    return { size, modifiedMs: mtimeMs, beginning: createHash('sha256').update(buffer.subarray(0, length)).digest('hex') };
  } finally {
    closeSync(file);
  }
}

export function formatOf(path: string): Format {
  return /\.(csv|tsv)$/i.test(path) ? 'csv' : 'ndjson';
}

/** @param lastLine called with the last line, when it has no line end */
export function itemsOf(
  bytes: AsyncIterable<Buffer>,
  format: Format,
  csv: CsvOptions,
  defaults: RowDefaults,
  lastLine: (line: number) => void,
): AsyncGenerator<SourceItem> {
  const lines = noticing(readLines(bytes), lastLine);
  return format === 'csv' ? csvItems(lines, csv, defaults) : jsonItems(lines, defaults);
}

async function* noticing(lines: AsyncIterable<Line>, lastLine: (line: number) => void): AsyncGenerator<Line> {
  for await (const line of lines) {
    if (!line.terminated) lastLine(line.number);
    yield line;
  }
}

async function* jsonItems(lines: AsyncIterable<Line>, defaults: RowDefaults): AsyncGenerator<SourceItem> {
  for await (const line of lines) {
    if (line.text.trim() === '' && line.fault === undefined) continue;
    yield { line: line.number, end: line.end, parsed: faultOf(line) ?? parseJsonLine(line, defaults) };
  }
}
