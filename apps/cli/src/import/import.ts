/** `ledger import`: from the file to the summary. */
import { createReadStream } from 'node:fs';
import { resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { EXIT, exitCodeOf, sentenceOf, UsageError, whatIsWrong } from '../exit-codes.js';
import type { Context } from '../session.js';
import type { CsvOptions } from './csv.js';
import { Importer } from './importer.js';
import { progressBar, type ProgressBar } from './progress-bar.js';
import {
  assertSame,
  newProgress,
  progressFileOf,
  readProgress,
  removeProgress,
  writeProgress,
  type ImportIdentity,
  type ImportProgress,
} from './progress-file.js';
import { RefusedFile } from './refused-file.js';
import type { LineProblem, RowDefaults, SourceItem } from './rows.js';
import { describeFile, formatOf, itemsOf, type Format } from './source.js';

/** Refused lines that are shown; all of them are in the `--refused` file. */
const SHOWN_REFUSALS = 10;

export interface ImportOptions extends CsvOptions, RowDefaults {
  format?: Format;
  refused?: string;
  resume?: true;
  restart?: true;
}

export class Import {
  readonly #context: Context;
  readonly #options: ImportOptions;
  readonly #backend: string;
  readonly #model: string;
  /** Undefined: standard input, which cannot be read twice. */
  readonly #file: string | undefined;
  #progress!: ImportProgress;
  #refusedFile: RefusedFile | undefined;
  #bar!: ProgressBar;
  #keepsProgress: boolean;
  #shown = 0;
  #refused = 0;
  #unfinishedLine: number | undefined;

  constructor(context: Context, backend: string, model: string, file: string, options: ImportOptions) {
    this.#context = context;
    this.#options = options;
    this.#backend = backend;
    this.#model = model;
    this.#file = file === '-' ? undefined : resolve(file);
    this.#keepsProgress = this.#file !== undefined;
    if (this.#file === undefined && (options.resume || options.restart))
      throw new UsageError('standard input cannot be resumed: import a file');
    if (options.resume && options.restart) throw new UsageError('either --resume or --restart');
  }

  /** Answers the exit code. */
  async run(): Promise<number> {
    const { output } = this.#context;
    output.showWaiting = (text) => output.note(text);
    const ledger = this.#context.client.ledger(this.#backend, this.#model);
    // Whoever misspells a name learns it before a line is sent.
    await ledger.status();
    const size = this.#prepare();
    const input: Readable = this.#file === undefined ? process.stdin : createReadStream(this.#file);
    const importer = new Importer({
      ledger,
      items: this.#items(input),
      progress: this.#progress,
      stopWhenUnavailable: this.#keepsProgress,
      refused: (line, problem, command) => this.#refuse(line, problem, command),
      moved: ({ line, end }) => this.#bar.update(end, { lines: line, refused: this.#refused }),
      save: () => this.#save(),
    });
    const stop = () => {
      importer.stop();
      input.destroy();
    };
    process.once('SIGINT', stop).once('SIGTERM', stop);
    this.#bar = progressBar(size, '{lines} lines, {refused} refused');
    if (this.#bar.waiting !== undefined) output.showWaiting = this.#bar.waiting;
    let failure: unknown;
    try {
      await importer.run();
    } catch (error) {
      // An input that was closed under the reader's hands says so.
      if (!importer.stopped) failure = error;
    } finally {
      process.off('SIGINT', stop).off('SIGTERM', stop);
      input.destroy();
      this.#bar.stop();
      output.showWaiting = undefined;
      this.#refusedFile?.close();
    }
    return this.#end(importer, failure);
  }

  #items(input: Readable): AsyncGenerator<SourceItem> {
    const {
      format = this.#file === undefined ? 'ndjson' : formatOf(this.#file),
      ifBound,
      ifTaken,
      direction,
      reason,
      ...csv
    } = this.#options;
    const tab = this.#file !== undefined && /\.tsv$/i.test(this.#file);
    const delimiter = csv.delimiter === '\\t' || (csv.delimiter === undefined && tab) ? '\t' : csv.delimiter;
    // Undefined members would hide those of a row.
    const defaults = Object.fromEntries(
      Object.entries({ ifBound, ifTaken, direction, reason }).filter(([, value]) => value !== undefined),
    );
    return itemsOf(input, format, { ...csv, delimiter }, defaults, (line) => {
      if (format === 'csv') this.#unfinishedLine = line;
    });
  }

  /** Where to begin, and what the former attempt left. Answers the input's size, when it is known. */
  #prepare(): number | undefined {
    const identity = this.#identity();
    const file = this.#progressFile;
    const before = file === undefined || this.#options.restart ? undefined : readProgress(file);
    if (before !== undefined && !this.#options.resume) {
      throw new UsageError(`an import of this file stopped at line ${before.lines}: --resume goes on, --restart begins again`);
    }
    if (before !== undefined) assertSame(before, identity, this.#file as string);
    this.#progress = before ?? newProgress(identity);
    this.#refused = sum(this.#progress.refusals);
    if (before !== undefined) this.#context.output.note(`goes on after line ${before.lines}`);
    this.#openRefused();
    this.#beginSaving();
    return identity.source.size || undefined;
  }

  #identity(): ImportIdentity {
    const { refused: _refused, resume: _resume, restart: _restart, ...options } = this.#options;
    const names = [
      'format',
      'delimiter',
      'recordColumn',
      'externalColumn',
      'syncDateColumn',
      'dataColumns',
      'ifBound',
      'ifTaken',
      'direction',
      'reason',
    ];
    const source = this.#file === undefined ? { size: 0, modifiedMs: 0, beginning: '' } : describeFile(this.#file);
    return { source, target: `${this.#context.where} ${this.#backend}/${this.#model}`, options: JSON.stringify(options, names) };
  }

  #openRefused(): void {
    const path = this.#options.refused === undefined ? this.#progress.refusedFile : resolve(this.#options.refused);
    if (path === undefined) return;
    if (path === this.#file) throw new UsageError('--refused: that is the input');
    this.#refusedFile = new RefusedFile(path, path === this.#progress.refusedFile ? this.#progress.refusedBytes : 0);
    this.#progress.refusedFile = path;
  }

  /** A folder that cannot be written is no reason not to import from it. */
  #beginSaving(): void {
    try {
      this.#save();
    } catch (error) {
      if (this.#options.resume) throw error;
      this.#keepsProgress = false;
      this.#context.output.note(`this import cannot be resumed: ${sentenceOf(error)}`);
    }
  }

  #save(): void {
    this.#progress.refusedBytes = this.#refusedFile?.bytes ?? 0;
    if (this.#keepsProgress && this.#progressFile !== undefined) writeProgress(this.#progressFile, this.#progress);
  }

  get #progressFile(): string | undefined {
    return this.#file === undefined ? undefined : progressFileOf(this.#file);
  }

  #refuse(line: number, problem: LineProblem, command: object | undefined): void {
    this.#refused += 1;
    this.#refusedFile?.add(line, problem, command);
    this.#shown += 1;
    if (this.#shown <= SHOWN_REFUSALS)
      this.#context.output.note(`line ${line}: ${problem.code}: ${problem.detail}${whatIsWrong(problem)}`);
    if (this.#shown === SHOWN_REFUSALS + 1)
      this.#context.output.note(
        `… ${this.#refusedFile === undefined ? 'more: --refused FILE keeps them' : 'the others are in the file of the refused'}`,
      );
  }

  async #end(importer: Importer, failure: unknown): Promise<number> {
    const { output } = this.#context;
    const complete = !importer.stopped && failure === undefined;
    if (complete && this.#progressFile !== undefined && this.#keepsProgress) removeProgress(this.#progressFile);
    if (failure instanceof UsageError) {
      // Nothing was sent: there is nothing to go on with.
      if (this.#progress.lines === 0 && this.#progressFile !== undefined) removeProgress(this.#progressFile);
      throw failure;
    }
    await this.#summary(complete);
    if (complete && this.#unfinishedLine !== undefined)
      output.note(`line ${this.#unfinishedLine} has no line end: make sure that the input is complete`);
    const { unavailable } = importer;
    if (failure !== undefined) output.error(failure);
    if (unavailable !== undefined)
      output.note(`ledger: line ${unavailable.line}: ${unavailable.problem.code}: ${unavailable.problem.detail}`);
    if (!complete) output.note(this.#howToGoOn());
    if (failure !== undefined) return exitCodeOf(failure);
    if (unavailable !== undefined) return EXIT.unavailable;
    if (importer.stopped) return EXIT.interrupted;
    return this.#refused > 0 ? EXIT.refused : EXIT.ok;
  }

  #howToGoOn(): string {
    const { lines } = this.#progress;
    if (!this.#keepsProgress) return `stopped after line ${lines}; everything up to it is done`;
    return `stopped after line ${lines}; the same command with --resume goes on from there`;
  }

  async #summary(complete: boolean): Promise<void> {
    const { outcomes, refusals } = this.#progress;
    const done = sum(outcomes);
    const answer = { complete, lines: this.#progress.lines, done, refused: this.#refused, outcomes, refusals };
    const codes = Object.entries(refusals).map(([code, count]) => `${code} ${count}`);
    const refused = codes.length === 0 ? 0 : `${this.#refused} (${codes.join(', ')})`;
    await this.#context.output.answer(answer, { done, ...outcomes, refused });
  }
}

function sum(counts: Record<string, number>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}
