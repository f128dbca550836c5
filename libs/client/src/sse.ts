/** Reads server-sent events from a response as they arrive. */
import { LedgerError } from './errors.js';

/** A longer block is no event of a ledger. */
export const MAX_BLOCK_LENGTH = 4_194_304;

/** What stood between two empty lines: an event, or, without data, only the position that the stream has reached. */
export interface ServerSentBlock {
  id: string | undefined;
  data: string | undefined;
}

/** Cuts text that arrives in pieces into blocks. Lines end as the standard has it: with LF, CR or both. */
export class BlockParser {
  #rest = '';
  #id: string | undefined;
  #data: string | undefined;
  #length = 0;

  /** The blocks that this piece completes. @throws {LedgerError} `UNEXPECTED_ANSWER` when one has no end. */
  push(piece: string): ServerSentBlock[] {
    const blocks: ServerSentBlock[] = [];
    const text = this.#rest + piece;
    // A CR at the very end may be the first half of CR LF.
    const lines = text.split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line !== '') this.#field(line);
      else if (this.#id !== undefined || this.#data !== undefined) {
        blocks.push({ id: this.#id, data: this.#data });
        [this.#id, this.#data, this.#length] = [undefined, undefined, 0];
      }
    }
    if (this.#rest.length + this.#length > MAX_BLOCK_LENGTH)
      throw LedgerError.local('UNEXPECTED_ANSWER', 'an event of the stream has no end');
    return blocks;
  }

  #field(line: string): void {
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    this.#length += line.length;
    if (name === 'id' && !value.includes('\0')) this.#id = value;
    else if (name === 'data') this.#data = this.#data === undefined ? value : `${this.#data}\n${value}`;
  }
}

/**
 * The blocks of a body, none read ahead of the consumer. `silent` is called around each wait for more, so that only the ledger's silence
 * counts, and not the consumer's work. Leaving the loop cancels the body; a body that ends ends the loop.
 */
export async function* readBlocks(
  body: ReadableStream<Uint8Array>,
  silent: { begins: () => void; ends: () => void },
): AsyncGenerator<ServerSentBlock[]> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const parser = new BlockParser();
  try {
    for (;;) {
      silent.begins();
      const { done, value } = await reader.read();
      silent.ends();
      if (done) return;
      const blocks = parser.push(decoder.decode(value, { stream: true }));
      if (blocks.length > 0) yield blocks;
    }
  } finally {
    silent.ends();
    // The body may have failed already; that error has been thrown by read().
    await reader.cancel().catch(() => undefined);
  }
}
