/**
 * The upload side of a stream of commands: reads the caller's commands as the connection takes them, and keeps the lines
 * that are not answered yet, so that another connection can send them again.
 */
import { LedgerError } from './errors.js';
import { toWire } from './values.js';
import type { Command } from './wire-commands.js';

/** Lines that may be unanswered at a time; the caller's commands are not read beyond. */
export const MAX_LINES_IN_FLIGHT = 10_000;
/** Characters that these lines may have together; one line more may begin below it. */
export const MAX_LENGTH_IN_FLIGHT = 16_777_216;
/** Lines are sent in pieces of about this many characters, or as soon as the commands pause. */
export const PIECE_LENGTH = 65_536;

export interface SentLine<C> {
  command: C;
  text: string;
}

export interface FeedOptions {
  /** Lines without a key get this and their number as their key; without it they get none. */
  keyPrefix: string | undefined;
  /** All or none: commands that cannot be read to their end must not look complete. */
  atomic: boolean;
}

export class CommandFeed<C extends Command> {
  /** What reading the commands threw. Those before it are sent and answered first, unless the batch is atomic. */
  failure: { error: unknown } | undefined;
  readonly #iterator: AsyncIterator<C> | Iterator<C>;
  readonly #options: FeedOptions;
  readonly #encoder = new TextEncoder();
  /** Unanswered lines begin at `#head`; those from `#unsent` on are not sent on this connection. */
  #window: SentLine<C>[] = [];
  #head = 0;
  #unsent = 0;
  #windowLength = 0;
  #unsentLength = 0;
  #read = 0;
  #highestSent = 0;
  #connection: object | undefined;
  #pumping = false;
  #awaitingNext = false;
  #exhausted = false;
  #ended = false;
  #closed = false;
  #wakePump: (() => void) | undefined;
  #wakeBody: (() => void) | undefined;

  constructor(commands: Iterable<C> | AsyncIterable<C>, options: FeedOptions) {
    this.#iterator = Symbol.asyncIterator in commands ? commands[Symbol.asyncIterator]() : commands[Symbol.iterator]();
    this.#options = options;
  }

  /** Lines handed to a connection, each counted once. */
  get sent(): number {
    return this.#highestSent;
  }

  /** Every command was read and answered. */
  get complete(): boolean {
    return this.#ended && this.#head === this.#window.length;
  }

  /** The body of a new connection: the unanswered lines again, then what is read. It takes the place of the body before. */
  body(): ReadableStream<Uint8Array> {
    const connection = (this.#connection = {});
    this.#unsent = this.#head;
    this.#unsentLength = this.#windowLength;
    this.#startPump();
    return new ReadableStream<Uint8Array>({ pull: (controller) => this.#pull(connection, controller) }, { highWaterMark: 0 });
  }

  /** No more lines for the body of before: `fetch` goes on reading a body after its connection has broken. */
  detach(): void {
    this.#connection = undefined;
    this.#wakeBody?.();
  }

  /** Takes the oldest unanswered line that was sent, which an answer has come for. */
  answered(): SentLine<C> | undefined {
    if (this.#head >= this.#unsent) return undefined;
    const line = this.#window[this.#head]!;
    this.#head += 1;
    this.#windowLength -= line.text.length;
    this.#compact();
    this.#wakePump?.();
    return line;
  }

  /** Ends the reading of commands, as leaving a `for await` loop does. */
  async close(): Promise<void> {
    this.#closed = true;
    this.detach();
    this.#wakePump?.();
    if (this.#exhausted) return;
    this.#exhausted = true;
    const returning = Promise.resolve(this.#iterator.return?.());
    // A generator that hangs in its next command returns when that has come; the caller is not kept waiting for it.
    if (this.#awaitingNext) returning.catch(() => undefined);
    else await returning;
  }

  async #pull(connection: object, controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    while (this.#connection === connection) {
      if (this.#unsent < this.#window.length) {
        // Commands that are there already go with this piece.
        await new Promise((resolve) => setImmediate(resolve));
        if (this.#connection === connection) return controller.enqueue(this.#encoder.encode(this.#takePiece()));
      } else if (this.#ended) {
        return this.#endBody(controller);
      } else {
        await new Promise<void>((resolve) => (this.#wakeBody = resolve));
      }
    }
    // An error, never a proper end: a request that ends properly says that this was all.
    controller.error(new Error('the connection was given up'));
  }

  #endBody(controller: ReadableStreamDefaultController<Uint8Array>): void {
    if (this.#options.atomic && this.failure !== undefined) controller.error(this.failure.error);
    else controller.close();
  }

  #takePiece(): string {
    let piece = '';
    while (this.#unsent < this.#window.length && piece.length < PIECE_LENGTH) {
      piece += this.#window[this.#unsent]!.text;
      this.#unsent += 1;
    }
    this.#unsentLength -= piece.length;
    this.#highestSent = Math.max(this.#highestSent, this.#read - (this.#window.length - this.#unsent));
    this.#wakePump?.();
    return piece;
  }

  #startPump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    void this.#pump();
  }

  /** Reads commands while there is room for them; never rejects. */
  async #pump(): Promise<void> {
    try {
      while (await this.#room()) {
        this.#awaitingNext = true;
        const step = await this.#iterator.next();
        this.#awaitingNext = false;
        this.#exhausted ||= step.done === true;
        if (step.done === true || this.#closed) break;
        this.#add(step.value);
      }
    } catch (error) {
      this.#exhausted ||= this.#awaitingNext;
      this.failure = { error };
    }
    this.#ended = true;
    this.#wakeBody?.();
  }

  async #room(): Promise<boolean> {
    while (!this.#closed && this.#full) await new Promise<void>((resolve) => (this.#wakePump = resolve));
    return !this.#closed;
  }

  get #full(): boolean {
    const lines = this.#window.length - this.#head;
    return lines >= MAX_LINES_IN_FLIGHT || this.#windowLength >= MAX_LENGTH_IN_FLIGHT || this.#unsentLength >= PIECE_LENGTH;
  }

  #add(command: C): void {
    const text = this.#encode(command, this.#read + 1);
    this.#read += 1;
    this.#window.push({ command, text });
    this.#windowLength += text.length;
    this.#unsentLength += text.length;
    this.#wakeBody?.();
  }

  #encode(command: C, line: number): string {
    const { keyPrefix } = this.#options;
    try {
      const wire = toWire(command);
      if (keyPrefix !== undefined) wire['key'] ??= `${keyPrefix}-${line}`;
      return `${JSON.stringify(wire)}\n`;
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw LedgerError.local(cause instanceof LedgerError ? cause.code : 'MALFORMED', `command ${line} cannot be sent: ${why}`, {
        cause,
      });
    }
  }

  /** Drops answered lines from the front, not at every answer. */
  #compact(): void {
    if (this.#head < 1_024 || this.#head * 2 < this.#window.length) return;
    this.#window = this.#window.slice(this.#head);
    this.#unsent -= this.#head;
    this.#head = 0;
  }
}
