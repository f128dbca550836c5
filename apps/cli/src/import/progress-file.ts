/** How far an import is, beside its input, so that it can go on after whatever ended it. */
import { randomUUID } from 'node:crypto';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { UsageError } from '../exit-codes.js';
import type { SourceFile } from './source.js';

const FORMAT = 1;

/** What must be the same when an import goes on. */
export interface ImportIdentity {
  source: SourceFile;
  /** The ledger: where, which backend, which model. */
  target: string;
  /** What the lines are taken for. */
  options: string;
}

export interface ImportProgress extends ImportIdentity {
  format: number;
  /** Names the import; the idempotency key of a line is this and the line's number. */
  run: string;
  /** Every line up to this one is answered. */
  lines: number;
  /** Of an import that a refusal stopped: the last line that was sent, and those up to it that are not answered for good. */
  behind?: { reached: number; pending: number[] };
  outcomes: Record<string, number>;
  refusals: Record<string, number>;
  refusedFile?: string;
  refusedBytes: number;
}

export function newProgress(identity: ImportIdentity): ImportProgress {
  return { ...identity, format: FORMAT, run: randomUUID(), lines: 0, outcomes: {}, refusals: {}, refusedBytes: 0 };
}

export function progressFileOf(input: string): string {
  return `${input}.ledger-progress.json`;
}

export function readProgress(file: string): ImportProgress | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  const progress = parse(text);
  if (progress?.format !== FORMAT)
    throw new UsageError(`${file} is not of this version: delete it, or begin again with --restart`);
  return progress;
}

/** @throws {UsageError} when going on would mix two imports up. */
export function assertSame(progress: ImportProgress, identity: ImportIdentity, file: string): void {
  const { source, target, options } = identity;
  const differs =
    JSON.stringify(progress.source) !== JSON.stringify(source)
      ? 'the input has changed since'
      : progress.target !== target
        ? `it went to ${progress.target}`
        : progress.options !== options
          ? 'its options were others'
          : undefined;
  if (differs === undefined) return;
  throw new UsageError(`the import of ${file} cannot go on: ${differs}; --restart begins again from the first line`);
}

/** The file is whole at any moment: it is written beside and renamed. */
export function writeProgress(file: string, progress: ImportProgress): void {
  const written = `${file}.tmp`;
  writeFileSync(written, JSON.stringify(progress));
  renameSync(written, file);
}

export function removeProgress(file: string): void {
  rmSync(file, { force: true });
}

function parse(text: string): ImportProgress | undefined {
  try {
    return JSON.parse(text) as ImportProgress;
  } catch {
    return undefined;
  }
}
