/** The lines that were refused, one JSON object a line. */
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import type { LineProblem } from './rows.js';

export class RefusedFile {
  readonly #file: number;
  #bytes: number;

  /** @param keepBytes of an import that goes on: what it wrote before, without what it would write twice */
  constructor(path: string, keepBytes = 0) {
    this.#file = openSync(path, keepBytes === 0 ? 'w' : 'r+');
    if (keepBytes > 0) ftruncateSync(this.#file, keepBytes);
    this.#bytes = keepBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(line: number, problem: LineProblem, command: object | undefined): void {
    const { code, detail, ...more } = problem;
    this.#bytes += writeSync(this.#file, `${JSON.stringify({ line, code, detail, command, ...more })}\n`, this.#bytes);
  }

  close(): void {
    closeSync(this.#file);
  }
}
