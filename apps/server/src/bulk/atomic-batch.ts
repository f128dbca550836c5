/** Commands of which all are done or none: read in full first. */
import type { Readable } from 'node:stream';
import { isRefusal, refuse, type Command, type Refusal } from '#domain';
import type { LocatedResult } from '#ledger';
import { MAX_ATOMIC_COMMANDS } from '#nest';
import { readLines } from './line-reader.js';
import { answerLine } from './answer-line.js';
import { chunksOf, type NumberedLine } from './command-stream.js';

/** Characters of a whole batch; its events must fit into one append, which is smaller. */
export const MAX_ATOMIC_LENGTH = 4_194_304;

export interface AtomicBatch {
  commands: Command[];
  /** Of each command, its line in the body. */
  lines: number[];
}

/** The whole batch, or why none of it can be done. `undefined` when its sender has gone. */
export async function readBatch(body: Readable, closing: AbortSignal): Promise<AtomicBatch | Refusal | undefined> {
  const read: NumberedLine[] = [];
  let length = 0;
  const lengthOf = async function* () {
    for await (const block of readLines(body, closing)) {
      for (const line of block) length += typeof line === 'string' ? line.length : 0;
      yield block;
    }
  };
  for await (const chunk of chunksOf(lengthOf())) {
    read.push(...chunk);
    if (read.length > MAX_ATOMIC_COMMANDS)
      return refuse('TOO_LARGE', `an atomic batch has at most ${MAX_ATOMIC_COMMANDS} commands`);
    if (length > MAX_ATOMIC_LENGTH) return refuse('TOO_LARGE', `an atomic batch has at most ${MAX_ATOMIC_LENGTH} characters`);
  }
  return body.readableEnded ? batchOf(read) : undefined;
}

function batchOf(read: readonly NumberedLine[]): AtomicBatch | Refusal {
  const refusals = read.flatMap(({ line, command }) =>
    isRefusal(command) ? [{ line, code: command.refused, detail: command.detail }] : [],
  );
  if (refusals.length > 0) {
    return refuse('BATCH_REFUSED', `${refusals.length} of ${read.length} lines are no commands, so none was done`, {
      details: { refusals },
    });
  }
  return { commands: read.map(({ command }) => command as Command), lines: read.map(({ line }) => line) };
}

/** The ledger counts commands; callers count lines. */
export function withLines(refusal: Refusal, lines: readonly number[]): Refusal {
  const refusals = refusal.details?.['refusals'];
  if (!Array.isArray(refusals)) return refusal;
  const numbered = (refusals as { line: number }[]).map((each) => ({ ...each, line: lines[each.line - 1] }));
  return { ...refusal, details: { ...refusal.details, refusals: numbered } };
}

export function answerLines(results: readonly LocatedResult[], lines: readonly number[]): string {
  return results.map((result, index) => answerLine(lines[index] as number, result)).join('');
}
