/** Streams commands to a ledger and their results back, over as many connections as it takes. */
import { CommandFeed } from './command-feed.js';
import { Deadline } from './deadline.js';
import { isLedgerError, LedgerError } from './errors.js';
import { parseLine, readLines } from './ndjson.js';
import type { CallOptions } from './options.js';
import type { Call, Transport } from './transport.js';
import type { Command, CommandAnswer, CommandProgress, CommandResult } from './wire-commands.js';

/** Tries without a single new answer before a stream that resumes gives up. */
export const DEFAULT_RESUME_ATTEMPTS = 10;

export interface CommandStreamOptions extends CallOptions {
  /** All or none, at most 500 commands; when one is refused the call throws `BATCH_REFUSED`, naming each refusal. */
  atomic?: boolean | undefined;
  /**
   * Every command without a `key` of its own gets one, so that sending it twice does it once; default true. `false` saves
   * the ledger the keeping of them, and the stream is then never sent again by itself.
   */
  keys?: boolean | undefined;
  /**
   * What a cut connection means after the first answer (before it, the stream is tried again like any call):
   * `false` (default): `STREAM_CUT`, whose `progress.answered` says how many commands are answered, so that the caller
   * goes on from there; `true`: what is unanswered is sent again, with the same keys, over a new connection, up to 10
   * times in a row without a new answer.
   */
  resume?: boolean | { attempts: number } | undefined;
  /** Called as results come. What it throws ends the stream. */
  onProgress?: (progress: CommandProgress) => void;
  /** For the whole stream, in milliseconds; default: none. */
  timeoutMs?: number | undefined;
}

/**
 * The commands are read as fast as they are taken, and not before the first result is asked for: with at most 10,000
 * unanswered ones in memory. Leaving the loop ends the stream; commands that the server has read by then are done.
 */
export async function* streamCommands<C extends Command>(
  transport: Transport,
  path: string,
  commands: Iterable<C> | AsyncIterable<C>,
  options: CommandStreamOptions,
): AsyncGenerator<CommandResult<C>> {
  if (options.resume !== undefined && options.resume !== false && options.keys === false) {
    throw new TypeError('resume needs keys: without them a command could be done twice');
  }
  const stream = new CommandStream(transport, path, commands, options);
  try {
    yield* stream.results();
  } finally {
    await stream.close();
  }
}

class CommandStream<C extends Command> {
  readonly #transport: Transport;
  readonly #call: Call;
  readonly #options: CommandStreamOptions;
  readonly #feed: CommandFeed<C>;
  readonly #deadline: Deadline;
  readonly #progress: CommandProgress = { sent: 0, answered: 0, refused: 0, resumed: 0 };
  /** Lines answered before this connection: the server counts anew on each. */
  #answeredBefore = 0;
  /** Why the last connection ended before the end of the stream, if it did. */
  #failure: LedgerError | undefined;

  constructor(transport: Transport, path: string, commands: Iterable<C> | AsyncIterable<C>, options: CommandStreamOptions) {
    const { atomic = false, keys = true } = options;
    this.#transport = transport;
    this.#options = options;
    this.#call = { method: 'POST', path, query: { atomic: atomic ? true : undefined }, options };
    this.#feed = new CommandFeed(commands, { keyPrefix: keys ? crypto.randomUUID() : undefined, atomic });
    // Last, so that no timer runs for a stream that could not be made.
    this.#deadline = new Deadline(options.timeoutMs ?? Infinity, options.signal);
  }

  async *results(): AsyncGenerator<CommandResult<C>> {
    for (let failures = 0; ;) {
      const before = this.#progress.answered;
      for await (const results of this.#connect()) {
        this.#options.onProgress?.({ ...this.#progress });
        yield* results;
      }
      if (this.#failure === undefined) break;
      failures = this.#progress.answered > before ? 1 : failures + 1;
      await this.#pauseBeforeResume(this.#failure, failures);
      this.#progress.resumed += 1;
    }
    if (this.#feed.failure !== undefined) throw this.#feed.failure.error;
  }

  close(): Promise<void> {
    this.#deadline.stop();
    return this.#feed.close();
  }

  /** One connection: yields what it answers, piece by piece; `#failure` says why it ended, unless all is done. */
  async *#connect(): AsyncGenerator<CommandResult<C>[]> {
    const connection = new Deadline(Infinity, this.#deadline.signal);
    this.#answeredBefore = this.#progress.answered;
    let answering = false;
    try {
      const body = await this.#transport.openDuplex(this.#call, this.#feed.body(), connection);
      answering = true;
      for await (const lines of readLines(body)) yield this.#resultsOf(lines);
      this.#failure = this.#feed.complete ? undefined : this.#cut();
    } catch (error) {
      this.#failure = this.#failureOf(error, answering);
    } finally {
      // In this order: the request must break off before its body ends.
      connection.stop();
      this.#feed.detach();
    }
  }

  #resultsOf(lines: string[]): CommandResult<C>[] {
    const results = lines.map((line) => this.#match(parseLine<CommandAnswer>(line)));
    this.#progress.sent = this.#feed.sent;
    return results;
  }

  #match(answer: CommandAnswer): CommandResult<C> {
    const line = this.#progress.answered + 1;
    const sent = answer.line === line - this.#answeredBefore ? this.#feed.answered() : undefined;
    if (sent === undefined) throw LedgerError.local('UNEXPECTED_ANSWER', `a result of line ${answer.line} came out of turn`);
    this.#progress.answered = line;
    if (answer.error !== undefined) this.#progress.refused += 1;
    return { ...answer, line, command: sent.command };
  }

  /** The failure as a value, when another connection may help; everything else is thrown. */
  #failureOf(error: unknown, answering: boolean): LedgerError {
    if (this.#feed.failure !== undefined && this.#options.atomic === true) throw this.#feed.failure.error;
    const failure = this.#transport.explain(error, this.#name, this.#deadline, answering ? 'STREAM_CUT' : 'UNREACHABLE');
    if (isLedgerError(failure)) return failure;
    throw failure;
  }

  #cut(): LedgerError {
    return LedgerError.local('STREAM_CUT', 'the answer ended before every command was answered', {
      request: this.#name,
      retryable: true,
    });
  }

  async #pauseBeforeResume(failure: LedgerError, failures: number): Promise<void> {
    const { keys = true, resume = false } = this.#options;
    failure.progress = { ...this.#progress, sent: this.#feed.sent };
    const resumes = resume !== false;
    if (!keys || this.#deadline.expired || (this.#progress.answered > 0 && !resumes)) throw failure;
    const attempts =
      typeof resume === 'object' ? resume.attempts : resumes ? DEFAULT_RESUME_ATTEMPTS : this.#transport.retry.attempts;
    await this.#transport.retry.pause(failure, failures, this.#name, this.#deadline, attempts);
  }

  get #name(): string {
    return `${this.#call.method} ${this.#call.path}`;
  }
}
