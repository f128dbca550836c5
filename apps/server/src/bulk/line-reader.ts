/** Cuts a request's body into lines as it arrives, with bounded memory whatever comes. */
import { isUtf8 } from 'node:buffer';
import type { Readable } from 'node:stream';

export const MAX_LINE_BYTES = 131_072;

/** What a line is, when it cannot be read. */
export type LineFault = { fault: 'too long' | 'not UTF-8' };
/** A blank line is an empty string: it counts, but says nothing. */
export type Line = string | LineFault;

const NEWLINE = 10;
const TOO_LONG: LineFault = { fault: 'too long' };
const NOT_UTF8: LineFault = { fault: 'not UTF-8' };

export class LineSplitter {
  private rest: Buffer[] = [];
  private restBytes = 0;
  /** The line at hand is too long: it is thrown away up to its end. */
  private skipping = false;

  /** The lines that the block completes. */
  push(block: Buffer): Line[] {
    const end = block.lastIndexOf(NEWLINE);
    if (end < 0) {
      this.keep(block);
      return [];
    }
    const lines = this.skipping ? this.linesAfterSkipped(block, end) : linesIn(this.withRest(block.subarray(0, end)));
    if (end + 1 < block.length) this.keep(block.subarray(end + 1));
    return lines;
  }

  /** The last line, when it has no newline. */
  end(): Line[] {
    if (this.skipping) return [TOO_LONG];
    return this.restBytes === 0 ? [] : linesIn(this.withRest(Buffer.alloc(0)));
  }

  private linesAfterSkipped(block: Buffer, end: number): Line[] {
    this.skipping = false;
    const first = block.indexOf(NEWLINE);
    return first === end ? [TOO_LONG] : [TOO_LONG, ...linesIn(block.subarray(first + 1, end))];
  }

  private withRest(block: Buffer): Buffer {
    if (this.restBytes === 0) return block;
    const whole = Buffer.concat([...this.rest, block]);
    this.rest = [];
    this.restBytes = 0;
    return whole;
  }

  private keep(part: Buffer): void {
    if (this.skipping) return;
    this.rest.push(part);
    this.restBytes += part.length;
    if (this.restBytes <= MAX_LINE_BYTES) return;
    this.skipping = true;
    this.rest = [];
    this.restBytes = 0;
  }
}

function linesIn(block: Buffer): Line[] {
  if (!isUtf8(block)) return bytesOfLines(block).map((line) => (isUtf8(line) ? lineOf(line.toString('utf8')) : NOT_UTF8));
  return block.toString('utf8').split('\n').map(lineOf);
}

/** Lengths are counted in bytes only where the number of characters leaves it open. */
function lineOf(text: string): Line {
  if (text.length * 3 > MAX_LINE_BYTES && Buffer.byteLength(text) > MAX_LINE_BYTES) return TOO_LONG;
  return text === '\r' ? '' : text;
}

function bytesOfLines(block: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  let start = 0;
  for (let end = block.indexOf(NEWLINE); end >= 0; end = block.indexOf(NEWLINE, start)) {
    lines.push(block.subarray(start, end));
    start = end + 1;
  }
  return [...lines, block.subarray(start)];
}

/**
 * The lines of a body, block by block, and never more than was asked for: an unread body slows its sender down. A body that
 * breaks off ends without its last, unfinished line; so does one that is read when `signal` aborts.
 */
export async function* readLines(body: Readable, signal: AbortSignal): AsyncGenerator<Line[]> {
  const splitter = new LineSplitter();
  let wake = () => {};
  const onChange = () => wake();
  for (const event of CHANGES) body.on(event, onChange);
  signal.addEventListener('abort', onChange);
  try {
    while (!signal.aborted) {
      const block = body.read() as Buffer | null;
      const lines = block === null ? [] : splitter.push(block);
      if (lines.length > 0) yield lines;
      if (block !== null) continue;
      if (body.readableEnded) {
        yield splitter.end();
        return;
      }
      if (body.destroyed) return;
      await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    // The listener of errors stays: without one, a connection that breaks later would end the process.
    body.off('readable', onChange);
    signal.removeEventListener('abort', onChange);
  }
}

/** There may be something to read, or nothing any more. */
const CHANGES = ['readable', 'end', 'close', 'error'] as const;
