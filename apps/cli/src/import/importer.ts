/** Sends the commands of an input to a ledger, and keeps account of every line. */
import type { Command, CommandResult, Ledger } from '#client';
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
  #unsaved = 0;
  #stopping = false;
  #wake: (() => void) | undefined;

  constructor(options: ImporterOptions) {
    this.#options = options;
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
      for await (const result of this.#options.ledger.commands(this.#commands(), { resume: true })) {
        if (!this.#settle(result)) break;
      }
      if (this.unavailable === undefined) this.#settleProblems();
    } finally {
      this.#options.save();
    }
  }

  async *#commands(): AsyncGenerator<Command> {
    const { items, progress } = this.#options;
    for await (const item of items) {
      if (item.line <= progress.lines) continue;
      while (this.#waiting.length - this.#head >= MAX_WAITING_ITEMS && !this.#stopping) {
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
      if (this.#stopping) return;
      this.#waiting.push(item);
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

  /** Answers whether to go on. */
  #settle(result: CommandResult): boolean {
    this.#settleProblems();
    const item = this.#waiting[this.#head];
    if (item === undefined) throw new Error('broken invariant: an answer came to a line that was not sent');
    if (result.error === undefined) {
      add(this.#options.progress.outcomes, result.outcome);
    } else {
      if (result.error.retryable === true && this.#options.stopWhenUnavailable) {
        this.unavailable = { line: item.line, problem: result.error };
        this.stop();
        return false;
      }
      this.#refuse(item, result.error);
    }
    this.#done(item);
    this.#settleProblems();
    return true;
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
    this.#options.progress.lines = item.line;
    this.#unsaved += 1;
    if (this.#unsaved >= SAVE_EVERY_LINES) {
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
