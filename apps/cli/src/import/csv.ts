/** CSV, so read that a broken record costs no more than its own line. */
import { parse } from 'csv-parse/sync';
import type { JsonValue } from '#client';
import { UsageError } from '../exit-codes.js';
import type { Line } from './lines.js';
import { commandOfRow, faultOf, malformed, type Parsed, type RowDefaults, type SourceItem } from './rows.js';

/** A value that spans more lines than this has a quote that was not closed. */
export const MAX_RECORD_LINES = 100;

export interface CsvOptions {
  delimiter?: string;
  recordColumn?: string;
  externalColumn?: string;
  syncDateColumn?: string;
  dataColumns?: string[];
}

export interface CsvRecord {
  /** The first of its lines; `terminated` and `end` are of the last. */
  line: Line;
  fields: string[] | undefined;
}

/** Records of a CSV file. `fields` is undefined for one that cannot be read; reading goes on with the line below it. */
export async function* readRecords(lines: AsyncIterable<Line>, delimiter: string): AsyncGenerator<CsvRecord> {
  let held: Line[] = [];
  for await (const line of lines) {
    held.push(line);
    const before = held.length;
    held = yield* takeRecords(held, delimiter, false);
    if (held.length >= MAX_RECORD_LINES && held.length === before) held = yield* takeRecords(held, delimiter, true);
  }
  while (held.length > 0) held = yield* takeRecords(held, delimiter, true);
}

/** Takes the records that `held` begins with. `last`: nothing that follows will complete the first one. Answers what is left. */
function* takeRecords(held: Line[], delimiter: string, last: boolean): Generator<CsvRecord, Line[]> {
  let rest = held;
  let giveUp = last;
  while (rest.length > 0) {
    const [first] = rest as [Line];
    const count = linesOfRecord(rest);
    if (count === undefined && !giveUp) return rest;
    const taken = rest.slice(0, count ?? 1);
    const fields = count === undefined ? undefined : fieldsOf(taken, delimiter);
    const end = taken.at(-1) as Line;
    // When its lines make no record together, each is looked at by itself again: the first quote was the wrong one.
    const used = fields === undefined ? [first] : taken;
    const { end: endByte, terminated } = fields === undefined ? first : end;
    if (first.text !== '' || first.fault !== undefined) yield { line: { ...first, end: endByte, terminated }, fields };
    rest = rest.slice(used.length);
    giveUp = false;
  }
  return rest;
}

/** How many lines the first record has: as many as make the number of quotes even. */
function linesOfRecord(lines: readonly Line[]): number | undefined {
  let quotes = 0;
  for (const [index, { text, fault }] of lines.entries()) {
    if (fault !== undefined) return index === 0 ? 1 : undefined;
    for (let at = text.indexOf('"'); at !== -1; at = text.indexOf('"', at + 1)) quotes += 1;
    if (quotes % 2 === 0) return index + 1;
  }
  return undefined;
}

function fieldsOf(lines: readonly Line[], delimiter: string): string[] | undefined {
  if (lines.some(({ fault }) => fault !== undefined)) return undefined;
  const text = lines.map((line) => line.text).join('\n');
  if (!text.includes('"')) return text.split(delimiter);
  try {
    const records = parse(text, { delimiter, relax_column_count: true }) as string[][];
    return records.length === 1 ? records[0] : undefined;
  } catch {
    return undefined;
  }
}

/** Records as commands; the first one names the columns. @throws {UsageError} when the columns are not there. */
export async function* csvItems(
  lines: AsyncIterable<Line>,
  options: CsvOptions,
  defaults: RowDefaults,
): AsyncGenerator<SourceItem> {
  let mapping: CsvMapping | undefined;
  for await (const { line, fields } of readRecords(lines, options.delimiter ?? ',')) {
    if (mapping === undefined) mapping = new CsvMapping(fields ?? [], options, defaults);
    else yield { line: line.number, end: line.end, parsed: faultOf(line) ?? mapping.parse(fields, line.terminated) };
  }
}

/** From the columns of a file to the members of a bind. */
export class CsvMapping {
  readonly #header: readonly string[];
  readonly #defaults: RowDefaults;
  readonly #record: number;
  readonly #external: number | undefined;
  readonly #syncDate: number | undefined;
  readonly #state: number | undefined;
  readonly #json: number | undefined;
  readonly #data: readonly (readonly [name: string, index: number])[];

  constructor(header: readonly string[], options: CsvOptions, defaults: RowDefaults) {
    const { recordColumn, externalColumn, syncDateColumn, dataColumns } = options;
    this.#header = header.map((name) => name.trim());
    this.#defaults = defaults;
    this.#record = this.#needed(recordColumn ?? 'recordId', '--record-column');
    this.#external =
      externalColumn === undefined ? this.#optional('externalId') : this.#needed(externalColumn, '--external-column');
    this.#syncDate =
      syncDateColumn === undefined ? this.#optional('syncDate') : this.#needed(syncDateColumn, '--sync-date-column');
    this.#state = this.#optional('state');
    this.#data = (dataColumns ?? []).map((name) => [name, this.#needed(name, '--data-columns')]);
    this.#json = dataColumns === undefined ? this.#optional('data') : undefined;
  }

  parse(fields: string[] | undefined, terminated: boolean): Parsed {
    if (fields === undefined) return malformed('the record is not CSV: look for a quote that is not closed, or not doubled');
    if (fields.length !== this.#header.length) {
      const cut = terminated || fields.length > this.#header.length ? '' : 'the last line is not complete: ';
      return malformed(`${cut}${fields.length} values for ${this.#header.length} columns`);
    }
    const row: Record<string, unknown> = {
      recordId: fields[this.#record] ?? '',
      externalId: this.#value(fields, this.#external),
    };
    if (this.#syncDate !== undefined) row['syncDate'] = this.#value(fields, this.#syncDate);
    // Only of our own exports: elsewhere a column of this name means something else.
    if (this.#state !== undefined && fields[this.#state] === 'unbound') row['state'] = 'unbound';
    const data = this.#dataOf(fields);
    if (data === undefined) return malformed('data: the value is not a JSON object');
    if (Object.keys(data).length > 0) row['data'] = data;
    return commandOfRow(row, this.#defaults);
  }

  #dataOf(fields: readonly string[]): Record<string, JsonValue> | undefined {
    const json = this.#value(fields, this.#json);
    if (json !== null) return objectOf(json);
    return Object.fromEntries(this.#data.flatMap(([name, index]) => (fields[index] === '' ? [] : [[name, fields[index] ?? '']])));
  }

  #value(fields: readonly string[], index: number | undefined): string | null {
    return (index === undefined ? undefined : fields[index]) || null;
  }

  #optional(name: string): number | undefined {
    const index = this.#header.indexOf(name);
    return index === -1 ? undefined : index;
  }

  #needed(name: string, option: string): number {
    const index = this.#header.indexOf(name);
    if (index !== -1) return index;
    throw new UsageError(
      `${option}: there is no column ${JSON.stringify(name)}; the columns are ${this.#header.map((each) => JSON.stringify(each)).join(', ')}`,
    );
  }
}

function objectOf(json: string): Record<string, JsonValue> | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, JsonValue>)
      : undefined;
  } catch {
    return undefined;
  }
}
