/** Bytes to numbered lines, in bounded memory whatever the bytes are. */

/** As long as the ledger takes one. */
export const MAX_LINE_BYTES = 131_072;
const NEWLINE = 0x0a;

export interface Line {
  /** From 1, blank ones counted. */
  number: number;
  text: string;
  /** Why there is no text. */
  fault?: 'too long' | 'not UTF-8';
  /** Bytes up to its end. */
  end: number;
  /** False for a last line without line end: the file may have been cut off. */
  terminated: boolean;
}

export async function* readLines(chunks: AsyncIterable<Buffer>, maxLineBytes = MAX_LINE_BYTES): AsyncGenerator<Line> {
  const splitter = new LineSplitter(maxLineBytes);
  for await (const chunk of chunks) yield* splitter.push(chunk);
  yield* splitter.end();
}

class LineSplitter {
  readonly #decoder = new TextDecoder('utf-8', { fatal: true });
  #held: Buffer[] = [];
  #heldBytes = 0;
  #number = 0;
  #end = 0;

  constructor(private readonly maxLineBytes: number) {}

  *push(chunk: Buffer): Generator<Line> {
    let start = 0;
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, start)) {
      this.#hold(chunk.subarray(start, at));
      yield this.#take(true);
      start = at + 1;
    }
    this.#hold(chunk.subarray(start));
  }

  *end(): Generator<Line> {
    if (this.#heldBytes > 0) yield this.#take(false);
  }

  /** A line that is too long is counted, not kept. */
  #hold(piece: Buffer): void {
    this.#heldBytes += piece.length;
    if (this.#heldBytes <= this.maxLineBytes) this.#held.push(piece);
    else this.#held = [];
  }

  #take(terminated: boolean): Line {
    const bytes = this.#heldBytes;
    const held = this.#held.length === 1 ? (this.#held[0] as Buffer) : Buffer.concat(this.#held);
    this.#held = [];
    this.#heldBytes = 0;
    this.#number += 1;
    this.#end += bytes + (terminated ? 1 : 0);
    const line = { number: this.#number, end: this.#end, terminated };
    if (bytes > this.maxLineBytes) return { ...line, text: '', fault: 'too long' };
    try {
      return { ...line, text: this.#decoder.decode(held).replace(/\r$/, '') };
    } catch {
      return { ...line, text: '', fault: 'not UTF-8' };
    }
  }
}
