/** Writes a long answer no faster than it is read, and to a reader that does not read not at all. */
import type { ServerResponse } from 'node:http';

export interface LinesOptions {
  /** A reader that takes nothing for this long is cut off. */
  stallMs: number;
  /** Aborts when the server shuts down. */
  closing: AbortSignal;
}

export const DEFAULT_STALL_MS = 30_000;
export const LINES_OPTIONS = Symbol('LINES_OPTIONS');

export class AnswerWriter {
  /** Whether it was cut off because it took nothing. */
  stalled = false;

  constructor(
    private readonly response: ServerResponse,
    private readonly stallMs: number,
  ) {
    // A connection that breaks is noticed by `write`; without a listener it would end the process.
    response.on('error', () => undefined);
  }

  /** False when the reader has gone. */
  get open(): boolean {
    return !this.response.destroyed && this.response.writable;
  }

  /** Hands the text on, and waits until there is room for more. False when the reader has gone, or was cut off. */
  async write(text: string | Buffer): Promise<boolean> {
    if (!this.open) return false;
    if (this.response.write(typeof text === 'string' ? bytesOf(text) : text)) return true;
    return this.drained();
  }

  /** Ends the answer properly: it is complete. */
  end(): void {
    if (this.open) this.response.end();
  }

  /** Breaks the answer off, so that no reader takes it for complete. */
  cut(): void {
    this.response.destroy();
  }

  private drained(): Promise<boolean> {
    const { response } = this;
    return new Promise((resolve) => {
      const finish = (open: boolean) => {
        clearTimeout(timer);
        response.off('drain', onDrain);
        response.off('close', onClose);
        resolve(open);
      };
      const onDrain = () => finish(true);
      const onClose = () => finish(false);
      const timer = setTimeout(() => {
        this.stalled = true;
        this.cut();
        finish(false);
      }, this.stallMs);
      response.on('drain', onDrain);
      response.on('close', onClose);
    });
  }
}

/**
 * UTF-8, for nearly every text in one go: the platform would go through it twice, once to count its bytes, which are seldom more
 * than its characters.
 */
function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  const { read, written } = encoder.encodeInto(text, bytes);
  return read === text.length ? bytes : Buffer.concat([bytes.subarray(0, written), Buffer.from(text.slice(read))]);
}

const encoder = new TextEncoder();
