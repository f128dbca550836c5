import { scalarText } from '../src/filter.js';
import { dataOf, isLiveRow, type BindingRow } from './codec.js';
import type { Statements } from './statements.js';

/** Filling an index anew goes over the ledger in steps of this many bindings, so that they are never all in memory. */
const BINDINGS_PER_STEP = 1_000;

/** The data fields of live bindings that can be filtered on, as rows of (field, value, binding). */
export class FieldIndex {
  constructor(
    private readonly statements: Statements,
    private readonly ledger: number,
    private fields: readonly string[],
  ) {}

  /** What is not wanted any more goes first, so that no write cares for it. */
  drop(wanted: readonly string[]): void {
    for (const field of this.fields) {
      if (!wanted.includes(field)) this.statements.clearField.run(this.ledger, field);
    }
    this.fields = this.fields.filter((field) => wanted.includes(field));
  }

  /** What is wanted newly is filled last, from the bindings as they are then. */
  add(wanted: readonly string[]): void {
    const missing = wanted.filter((field) => !this.fields.includes(field));
    if (missing.length === 0) return;
    for (let after = ''; ;) {
      const rows = this.statements.liveDataAfter.all(this.ledger, after, BINDINGS_PER_STEP);
      for (const [id, data] of rows) {
        for (const [field, value] of entriesOf(data, missing)) this.statements.insertField.run(this.ledger, field, value, id);
      }
      const last = rows.at(-1);
      if (last === undefined || rows.length < BINDINGS_PER_STEP) return;
      after = last[0];
    }
  }

  /** Brings the rows of one binding up to date. */
  replace(before: readonly unknown[] | undefined, after: BindingRow): void {
    if (this.fields.length === 0) return;
    const old = this.entriesOfRow(before as BindingRow | undefined);
    const now = this.entriesOfRow(after);
    const id = after[0];
    for (const [field, value] of old) {
      if (now.get(field) !== value) this.statements.deleteField.run(this.ledger, field, value, id);
    }
    for (const [field, value] of now) {
      if (old.get(field) !== value) this.statements.insertField.run(this.ledger, field, value, id);
    }
  }

  private entriesOfRow(row: BindingRow | undefined): Map<string, string> {
    return new Map(row !== undefined && isLiveRow(row) ? entriesOf(row[4], this.fields) : []);
  }
}

function entriesOf(text: string, fields: readonly string[]): [string, string][] {
  const data = dataOf(text);
  return fields.flatMap((field) => {
    const value = Object.hasOwn(data, field) ? scalarText(data[field]) : undefined;
    return value === undefined ? [] : [[field, value] as [string, string]];
  });
}
