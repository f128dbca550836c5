/** Sends the commands of an input to a ledger, and keeps account of every line. */
import type { Command, CommandResult, Ledger } from '#client';
import { LinesBehind, OVERTAKEN } from './behind.js';
import type { ImportProgress } from './progress-file.js';
import type { LineProblem, SourceItem } from './rows.js';

/** Answered lines between two notes of how far it is: as many as are sent once more after a kill. */
export const SAVE_EVERY_LINES = 500;
/** Items that wait for the answer of a command before them; the input is not read beyond. */
const MAX_WAITING_ITEMS = 20_000;

export interface ImporterOptions {
  ledger: Ledger;
  items: AsyncIterable<SourceItem>;
  /** Where it begins; kept up to date. */
  progress: ImportProgress;
  /** Whether a line that may succeed later ends the import, which then goes on from there another time. */
  stopWhenUnavailable: boolean;
  refused(line: number, problem: LineProblem, command: Command | undefined): void;
  /** Called often. */
  moved(item: SourceItem): void;
  /** Called every so many lines: `progress` is worth keeping. */
  save(): void;
}

export class Importer {
  /** The refusal that ended it, with its line. */
  unavailable: { line: number; problem: LineProblem } | undefined;
  readonly #options: ImporterOptions;
  /** Read and not accounted for yet, in order; from `#head` on. */
  #waiting: SourceItem[] = [];
  #head = 0;
  #lastRead = 0;
  #unsaved = 0;
  #stopping = false;
  #wake: (() => void) | undefined;
  readonly #behind = new LinesBehind();
  /** What an earlier attempt left. */
  readonly #pending: ReadonlySet<number> | undefined;
  readonly #reached: number;

  constructor(options: ImporterOptions) {
    this.#options = options;
    const { behind } = options.progress;
    this.#pending = behind === undefined ? undefined : new Set(behind.pending);
    this.#reached = behind?.reached ?? 0;
  }

  /** Sends nothing more; what was sent is answered first. */
  stop(): void {
    this.#stopping = true;
    this.#wake?.();
  }

  get stopped(): boolean {
    return this.#stopping;
  }

  async run(): Promise<void> {
    try {
      for await (const result of this.#options.ledger.commands(this.#commands(), { resume: true })) this.#settle(result);
      this.#settleProblems();
    } finally {
      if (this.unavailable !== undefined) this.#settleBehind();
      this.#options.save();
    }
  }

  async *#commands(): AsyncGenerator<Command> {
    const { items, progress } = this.#options;
    for await (const item of items) {
      if (item.line <= progress.lines || this.#isAnswered(item)) continue;
      while (this.#waiting.length - this.#head >= MAX_WAITING_ITEMS && !this.#stopping) {
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
      if (this.#stopping) return;
      this.#waiting.push(item);
      this.#lastRead = item.line;
      const { command } = item.parsed;
      if (command === undefined) {
        // Nothing is before it: no answer will come that settles it.
        if (this.#waiting.length - this.#head === 1) this.#settleProblems();
      } else {
        // The same line has the same key in every attempt, so that it is done once.
        yield { ...command, key: command.key ?? `${progress.run}:${item.line}` };
      }
    }
  }

  /** Of an attempt that a refusal stopped, some lines behind that were answered for good. */
  #isAnswered({ line }: SourceItem): boolean {
    if (this.#pending === undefined || line > this.#reached) return false;
    return !this.#pending.has(line);
  }

  #settle(result: CommandResult): void {
    this.#settleProblems();
    const item = this.#waiting[this.#head];
    if (item === undefined) throw new Error('broken invariant: an answer came to a line that was not sent');
    const forNow = result.error?.retryable === true && this.#options.stopWhenUnavailable;
    if (forNow) {
      this.unavailable ??= { line: item.line, problem: result.error as LineProblem };
      // What was sent is answered nevertheless, so that it is known what of it was done.
      this.stop();
      this.#behind.add(item, 'undone');
    } else {
      if (result.error === undefined) add(this.#options.progress.outcomes, result.outcome);
      else this.#refuse(item, result.error);
      // A line that is refused for good has done nothing that others could come too late for.
      if (this.unavailable !== undefined && result.error === undefined) this.#behind.add(item, 'done', result);
    }
    this.#done(item);
    this.#settleProblems();
  }

  /** Notes which of the lines from the refusal on are to be sent another time. */
  #settleBehind(): void {
    const { progress } = this.#options;
    for (const item of this.#waiting.slice(this.#head)) {
      if (item.parsed.problem === undefined) this.#behind.add(item, 'unknown');
      else this.#refuse(item, item.parsed.problem);
    }
    const last = this.#lastRead;
    const { pending, overtaken } = this.#behind.settle();
    for (const item of overtaken) this.#refuse(item, OVERTAKEN);
    const notSent = this.#pending === undefined ? [] : [...this.#pending].filter((line) => line > last);
    const [first] = pending;
    progress.lines = first === undefined ? Math.max(last, progress.lines) : first - 1;
    progress.behind = { reached: Math.max(last, this.#reached), pending: [...pending, ...notSent] };
  }

  /** Broken lines are reported when all lines before them are answered. */
  #settleProblems(): void {
    for (let item = this.#waiting[this.#head]; item?.parsed.problem !== undefined; item = this.#waiting[this.#head]) {
      this.#refuse(item, item.parsed.problem);
      this.#done(item);
    }
  }

  #refuse({ line, parsed }: SourceItem, problem: LineProblem): void {
    add(this.#options.progress.refusals, problem.code);
    this.#options.refused(line, problem, parsed.command);
  }

  #done(item: SourceItem): void {
    this.#head += 1;
    if (this.#head >= 1_024 && this.#head * 2 >= this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
    // From a refusal on, it is only known at the end how far it is.
    if (this.unavailable === undefined) this.#options.progress.lines = item.line;
    this.#unsaved += 1;
    if (this.unavailable === undefined && this.#unsaved >= SAVE_EVERY_LINES) {
      this.#options.save();
      this.#unsaved = 0;
    }
    this.#options.moved(item);
    this.#wake?.();
  }
}

function add(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}
