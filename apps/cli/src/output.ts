/** What the program says: results on standard output, everything else on standard error. */
import type { Writable } from 'node:stream';
import { isLedgerError } from '#client';
import { OptionRefused, sentenceOf } from './exit-codes.js';
import { details, Table, type Column } from './table.js';

/** Rows, or lines of NDJSON, that are written together. */
const ROWS_TOGETHER = 200;

export class Output {
  /** Set by whoever takes long, and so tells even if nobody looks on. */
  showWaiting: ((text: string) => void) | undefined;

  constructor(
    /** For scripts: JSON, or a JSON object a line for listings. */
    readonly json: boolean,
    private readonly stdout: Writable = process.stdout,
    private readonly stderr: Writable = process.stderr,
  ) {
    // A failed write rejects where it was awaited; without a listener it would end the process as well.
    stdout.on('error', ignore);
    stderr.on('error', ignore);
  }

  /** Resolves when the text was taken, so that nothing piles up before a slow reader. */
  async write(text: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.stdout.write(text, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** One answer: as JSON it is whole, for people it has the members given. */
  async answer(value: unknown, members: Readonly<Record<string, unknown>>): Promise<void> {
    await this.write(this.json ? `${JSON.stringify(value)}\n` : details(members));
  }

  /** A listing, however long it is. */
  async rows<T>(items: Iterable<T> | AsyncIterable<T>, columns: readonly Column<T>[]): Promise<number> {
    const table = new Table(columns);
    let together: T[] = [];
    let count = 0;
    for await (const item of items) {
      together.push(item);
      count += 1;
      if (together.length < ROWS_TOGETHER) continue;
      await this.write(this.#text(together, table));
      together = [];
    }
    if (together.length > 0) await this.write(this.#text(together, table));
    if (count === 0 && !this.json) this.note('nothing found');
    return count;
  }

  /** A listing that goes on for ever: each item is written when it comes. */
  async each<T>(items: AsyncIterable<T>, columns: readonly Column<T>[]): Promise<void> {
    const table = new Table(columns, { keepsItsWidths: true });
    for await (const item of items) await this.write(this.#text([item], table));
  }

  /** What is waited for: where the progress is shown, or beside the results for a person who looks on. */
  waiting(text: string): void {
    if (this.showWaiting !== undefined) this.showWaiting(text);
    else if (!this.json && (this.stderr as Partial<NodeJS.WriteStream>).isTTY === true) this.note(text);
  }

  /** A line beside the results. */
  note(text: string): void {
    this.stderr.write(`${text}\n`);
  }

  error(error: unknown): void {
    if (this.json && (isLedgerError(error) || error instanceof OptionRefused))
      this.note(JSON.stringify({ error: error.problem }));
    else this.note(`ledger: ${sentenceOf(error)}`);
  }

  #text<T>(items: readonly T[], table: Table<T>): string {
    return this.json ? items.map((item) => `${JSON.stringify(item)}\n`).join('') : table.text(items);
  }
}

function ignore(): void {}
