/** Short aligned tables for people. */

/** `width`: of its cells as a rule, for a listing that is written line by line. */
export type Column<T> = readonly [title: string, value: (item: T) => unknown, width?: number];

/** Longer cells are cut, so that a row stays a line. `--json` has everything. */
export const MAX_CELL_LENGTH = 64;
const GAP = '  ';

/** Keeps the widths of the rows before, so that a long listing can be written piece by piece. */
export class Table<T> {
  readonly #columns: readonly Column<T>[];
  readonly #widths: number[];
  #headed = false;

  /** `keepsItsWidths`: rows come one by one, and what is to come is not known when the first is written. */
  constructor(columns: readonly Column<T>[], { keepsItsWidths = false } = {}) {
    this.#columns = columns;
    this.#widths = columns.map(([title, , width = 0]) => Math.max(title.length, keepsItsWidths ? width : 0));
  }

  /** The rows as text, below the header when they are the first. */
  text(items: readonly T[]): string {
    const rows = items.map((item) => this.#columns.map(([, value]) => cellOf(value(item))));
    if (!this.#headed) rows.unshift(this.#columns.map(([title]) => title));
    this.#headed = true;
    for (const row of rows) row.forEach((cell, index) => (this.#widths[index] = Math.max(this.#widths[index] ?? 0, cell.length)));
    return rows.map((row) => `${this.#line(row)}\n`).join('');
  }

  #line(row: readonly string[]): string {
    return row
      .map((cell, index) => cell.padEnd(this.#widths[index] ?? 0))
      .join(GAP)
      .trimEnd();
  }
}

/** One thing, a member a line; members that are absent are left out. */
export function details(members: Readonly<Record<string, unknown>>): string {
  const present = Object.entries(members).filter(([, value]) => value !== undefined);
  const width = Math.max(0, ...present.map(([name]) => name.length));
  return present.map(([name, value]) => `${name.padEnd(width)}${GAP}${textOf(value)}\n`).join('');
}

function cellOf(value: unknown): string {
  const text = textOf(value);
  return text.length <= MAX_CELL_LENGTH ? text : `${text.slice(0, MAX_CELL_LENGTH - 1)}…`;
}

function textOf(value: unknown): string {
  if (value === undefined || value === null || value === '') return '-';
  if (typeof value === 'object' && Object.keys(value).length === 0) return '-';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
