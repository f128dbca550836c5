/** Reads newline-delimited JSON from a response as it arrives. */
import { LedgerError } from './errors.js';

/** A longer line is no answer of a ledger: two bindings with all their data are some 200 KB. */
export const MAX_ANSWER_LINE_LENGTH = 4_194_304;

/** The lines of each piece that arrives; nothing is read ahead of the consumer. Leaving the loop cancels the body. */
export async function* readLines(body: ReadableStream<Uint8Array>): AsyncGenerator<string[]> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  let ended = false;
  try {
    while (!ended) {
      const { done, value } = await reader.read();
      ended = done;
      const lines = (rest + decoder.decode(value, { stream: !done })).split('\n');
      rest = ended ? '' : (lines.pop() ?? '');
      if (rest.length > MAX_ANSWER_LINE_LENGTH) throw LedgerError.local('UNEXPECTED_ANSWER', 'a line of the answer has no end');
      const filled = lines.filter((line) => line !== '');
      if (filled.length > 0) yield filled;
    }
  } finally {
    // The body may have failed already; that error has been thrown by read().
    await reader.cancel().catch(() => undefined);
  }
}

export function parseLine<T>(line: string): T {
  try {
    return JSON.parse(line) as T;
  } catch (cause) {
    throw LedgerError.local('UNEXPECTED_ANSWER', 'a line of the answer is not JSON', { cause });
  }
}
