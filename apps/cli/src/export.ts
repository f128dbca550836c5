/** `ledger export`: all bindings as a stream, to standard output or to a file that appears when it is whole. */
import { closeSync, existsSync, fsyncSync, openSync, realpathSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { resolve } from 'node:path';
import { stringify } from 'csv-stringify/sync';
import type { Binding } from '#client';
import { EXIT, UsageError } from './exit-codes.js';
import { READ_OWN_WRITES } from './read-options.js';
import type { Context } from './session.js';
import { untilInterrupted } from './interruption.js';

const BINDINGS_TOGETHER = 500;
const CSV_COLUMNS = ['recordId', 'externalId', 'state', 'syncDate', 'id', 'createdAt', 'updatedAt'];

export interface ExportOptions {
  asOf?: string;
  format?: 'ndjson' | 'csv';
  dataColumns?: string[];
  out?: string;
}

interface Destination {
  write(text: string): Promise<void> | void;
  finish(): void;
  /** Leaves nothing behind, when it was not finished. */
  close(): void;
}

export function exportBindings(context: Context, backend: string, model: string, options: ExportOptions): Promise<number> {
  return untilInterrupted((signal) => {
    const bindings = context.client.ledger(backend, model).bindings({ asOf: options.asOf }, { ...READ_OWN_WRITES, signal });
    return writeBindings(context, bindings.stream(), options, signal);
  });
}

async function writeBindings(
  context: Context,
  bindings: AsyncIterable<Binding>,
  options: ExportOptions,
  signal: AbortSignal,
): Promise<number> {
  const { out } = options;
  const destination: Destination =
    out === undefined
      ? { write: (text) => context.output.write(text), finish: () => {}, close: () => {} }
      : new NewFile(resolve(out));
  try {
    const count = await writeAll(bindings, destination, options);
    destination.finish();
    if (out !== undefined) await context.output.answer({ file: resolve(out), bindings: count }, { bindings: count, file: out });
    return EXIT.ok;
  } catch (error) {
    if (!signal.aborted) throw error;
    context.output.note('stopped');
    return EXIT.interrupted;
  } finally {
    destination.close();
  }
}

async function writeAll(
  bindings: AsyncIterable<Binding>,
  destination: Destination,
  { format, dataColumns }: ExportOptions,
): Promise<number> {
  const text = format === 'csv' ? (some: Binding[]) => csvText(some, dataColumns) : ndjsonText;
  let together: Binding[] = [];
  let count = 0;
  if (format === 'csv') await destination.write(stringify([[...CSV_COLUMNS, ...(dataColumns ?? ['data'])]]));
  for await (const binding of bindings) {
    together.push(binding);
    count += 1;
    if (together.length < BINDINGS_TOGETHER) continue;
    await destination.write(text(together));
    together = [];
  }
  if (together.length > 0) await destination.write(text(together));
  return count;
}

function ndjsonText(bindings: readonly Binding[]): string {
  return bindings.map((binding) => `${JSON.stringify(binding)}\n`).join('');
}

/** Without named members of the data, all of it stands in one column as JSON. */
export function csvText(bindings: readonly Binding[], dataColumns: readonly string[] | undefined): string {
  return stringify(
    bindings.map((binding) => {
      const { recordId, externalId, state, syncDate, id, createdAt, updatedAt, data } = binding;
      const json = Object.keys(data).length === 0 ? '' : JSON.stringify(data);
      const members = dataColumns === undefined ? [json] : dataColumns.map((name) => cellOf(data[name]));
      return [recordId, externalId ?? '', state, syncDate ?? '', id, createdAt, updatedAt, ...members];
    }),
  );
}

function cellOf(value: unknown): string {
  if (value === undefined || value === null) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Written under another name, and renamed when all of it is on the disk. */
export class NewFile implements Destination {
  readonly #path: string;
  readonly #part: string;
  #file: number | undefined;

  /** @throws {UsageError} for what is there and is no file: a device or a folder is nothing to put a file in the place of. */
  constructor(path: string) {
    this.#path = targetOf(path);
    this.#part = `${this.#path}.${process.pid}.part`;
    this.#file = openSync(this.#part, 'w');
  }

  write(text: string): void {
    const bytes = Buffer.from(text);
    for (let written = 0; written < bytes.length;) written += writeSync(this.#file as number, bytes, written);
  }

  finish(): void {
    fsyncSync(this.#file as number);
    this.#release();
    renameSync(this.#part, this.#path);
  }

  close(): void {
    if (this.#release()) rmSync(this.#part, { force: true });
  }

  #release(): boolean {
    const file = this.#file;
    this.#file = undefined;
    if (file !== undefined) closeSync(file);
    return file !== undefined;
  }
}

/** What a link leads to is replaced, not the link. */
function targetOf(path: string): string {
  if (!existsSync(path)) return path;
  if (!statSync(path).isFile()) throw new UsageError(`${path} is there and is no file: write to standard output instead`);
  return realpathSync(path);
}
