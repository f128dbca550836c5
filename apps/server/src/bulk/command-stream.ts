/** A stream of commands in, a stream of results out, in order, each side no faster than the other. */
import type { Readable } from 'node:stream';
import { isRefusal, refuse, type Command, type LedgerName, type Refusal, type RequestContext } from '#domain';
import type { BindingLedger, CommandRequest, LocatedResult } from '#ledger';
import { parseCommand } from '#schemas';
import { answerLine, type CommandOutcome } from './answer-line.js';
import type { AnswerWriter } from './answer-writer.js';
import type { BulkGates } from './bulk-gate.js';
import { MAX_LINE_BYTES, readLines, type Line } from './line-reader.js';

/** Commands that are submitted together. */
export const MAX_CHUNK_COMMANDS = 250;
/** Characters of lines that are submitted together; one more line may begin below it. */
export const MAX_CHUNK_LENGTH = 262_144;
/** Chunks that may be unanswered: what a stream holds in memory. One batch is written, one decided, and one waits meanwhile. */
export const MAX_CHUNKS_IN_FLIGHT = 6;

export interface NumberedLine {
  /** From 1, blank lines counted. */
  line: number;
  command: Command | Refusal;
}

export interface CommandStreamParts {
  ledger: BindingLedger;
  name: LedgerName;
  context: RequestContext;
  body: Readable;
  answers: AnswerWriter;
  gates: BulkGates;
  closing: AbortSignal;
  /** Called with each result, for metrics. */
  observe: (command: Command | Refusal, result: CommandOutcome) => void;
}

/** One call of `POST …/commands`. What was read is done, also when the caller goes away. */
export class CommandStream {
  private readonly inFlight: Promise<string>[] = [];
  private pumping: Promise<void> | undefined;
  private wakeReader = () => {};
  private readonly stopped = new AbortController();
  private failure: { error: unknown } | undefined;

  constructor(private readonly parts: CommandStreamParts) {}

  /** Resolves when all that was read is done and answered. @throws what a broken invariant of the ledger threw. */
  async run(): Promise<void> {
    const { body, closing, answers } = this.parts;
    const stop = () => this.stopped.abort();
    closing.addEventListener('abort', stop);
    try {
      await this.readAll();
    } finally {
      closing.removeEventListener('abort', stop);
    }
    if (this.failure !== undefined) throw this.failure.error;
    // A body that was not read to its end has no complete answer.
    if (body.readableEnded) answers.end();
    else answers.cut();
  }

  private async readAll(): Promise<void> {
    for await (const chunk of chunksOf(readLines(this.parts.body, this.stopped.signal))) {
      await this.slot();
      this.inFlight.push(this.begin(chunk));
      this.pumping ??= this.pump();
    }
    await this.pumping;
  }

  private async slot(): Promise<void> {
    while (this.inFlight.length >= MAX_CHUNKS_IN_FLIGHT) await new Promise<void>((resolve) => (this.wakeReader = resolve));
  }

  /** Sends the results in order. When nobody takes them any more, it only waits for what was begun. */
  private async pump(): Promise<void> {
    for (let oldest = this.inFlight[0]; oldest !== undefined; oldest = this.inFlight[0]) {
      try {
        const text = await oldest;
        if (!(await this.parts.answers.write(text))) this.stopped.abort();
      } catch (error) {
        this.failure ??= { error };
        this.stopped.abort();
      }
      // It was awaited above.
      void this.inFlight.shift();
      this.wakeReader();
    }
    this.pumping = undefined;
  }

  /** `pump` awaits it when those before it are answered; a failure that comes sooner must not look like one that nobody awaits. */
  private begin(chunk: readonly NumberedLine[]): Promise<string> {
    const answer = this.execute(chunk);
    answer.catch(() => undefined);
    return answer;
  }

  private async execute(chunk: readonly NumberedLine[]): Promise<string> {
    const { ledger, name, context, gates, observe } = this.parts;
    const requests: CommandRequest[] = [];
    for (const { command } of chunk) if (!isRefusal(command)) requests.push({ command, context });
    const results = await gates.pass(name, () => ledger.executeAllInTurn(name, requests));
    let next = 0;
    let text = '';
    for (const { line, command } of chunk) {
      const result = isRefusal(command) ? command : (results[next++] as LocatedResult);
      observe(command, result);
      text += answerLine(line, result);
    }
    return text;
  }
}

/** Lines as commands, in chunks that end where what had arrived ends. */
export async function* chunksOf(blocks: AsyncIterable<Line[]>): AsyncGenerator<NumberedLine[]> {
  let line = 0;
  for await (const block of blocks) {
    let chunk: NumberedLine[] = [];
    let length = 0;
    for (const text of block) {
      line += 1;
      if (text === '') continue;
      chunk.push({ line, command: commandOf(line === 1 ? withoutMark(text) : text) });
      length += typeof text === 'string' ? text.length : 0;
      if (chunk.length < MAX_CHUNK_COMMANDS && length < MAX_CHUNK_LENGTH) continue;
      yield chunk;
      chunk = [];
      length = 0;
    }
    if (chunk.length > 0) yield chunk;
  }
}

/** Some programs begin every file with a byte order mark. */
function withoutMark(text: Line): Line {
  return typeof text === 'string' && text.startsWith('\uFEFF') ? text.slice(1) : text;
}

export function commandOf(line: Line): Command | Refusal {
  if (typeof line !== 'string') {
    return line.fault === 'too long'
      ? refuse('TOO_LARGE', `a line has at most ${MAX_LINE_BYTES} bytes`)
      : refuse('MALFORMED', 'the line is not UTF-8');
  }
  let input: unknown;
  try {
    input = JSON.parse(line);
  } catch {
    return refuse('MALFORMED', 'the line is not JSON');
  }
  return parseCommand(input);
}
