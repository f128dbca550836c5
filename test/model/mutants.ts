/** The program under test with a rule switched off: a copy of its sources, transpiled, with single places of them replaced. */
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import ts from 'typescript';
import type { Theme } from './plan.js';
import { Transpiled } from '../support/transpiled.js';

export interface Edit {
  file: string;
  /** Must stand in the file exactly once. */
  find: string;
  replace: string;
}

export interface Found {
  seed: number;
  /** How many seeds were tried until this one failed. */
  tried: number;
  problem: string;
}

const ROOT = dirname(dirname(import.meta.dirname));
const SEEK = 'test/model/seek.ts';
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

export class Mutants {
  private readonly original = new Transpiled([SEEK]);

  /** Runs the model over the changed program, seed after seed. `undefined`: nothing wrong was found. */
  async seek(edits: readonly Edit[], seeds: number, theme: Theme | undefined): Promise<Found | undefined> {
    const folder = mkdtempSync(join(dirname(this.original.folder), 'mutant-'));
    try {
      cpSync(this.original.folder, folder, { recursive: true });
      for (const [file, text] of changed(edits)) writeFileSync(join(folder, file.replace(/\.ts$/, '.js')), transpile(text, file));
      const program = join(folder, SEEK.replace(/\.ts$/, '.js'));
      const given = ['1', String(seeds), ...(theme === undefined ? [] : [theme])];
      const { stdout } = await promisify(execFile)(process.execPath, [program, ...given], {
        maxBuffer: MAX_OUTPUT_BYTES,
      });
      const found = JSON.parse(stdout) as Partial<Found>;
      return found.seed === undefined ? undefined : (found as Found);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  remove(): void {
    this.original.remove();
  }
}

/** The files with all of their edits. @throws when a place is not found, or not found once: then the mutation is out of date. */
export function changed(edits: readonly Edit[]): Map<string, string> {
  const texts = new Map<string, string>();
  for (const { file, find, replace } of edits) {
    const text = texts.get(file) ?? readFileSync(join(ROOT, file), 'utf8');
    const places = text.split(find).length - 1;
    if (places !== 1) throw new Error(`${file} has ${places} places with ${JSON.stringify(find)}, and the mutation is for one`);
    texts.set(
      file,
      text.replace(find, () => replace),
    );
  }
  return texts;
}

function transpile(text: string, fileName: string): string {
  const compilerOptions = { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext };
  const { outputText, diagnostics = [] } = ts.transpileModule(text, { fileName, reportDiagnostics: true, compilerOptions });
  const [problem] = diagnostics;
  if (problem !== undefined) throw new Error(`${fileName}: ${ts.flattenDiagnosticMessageText(problem.messageText, '\n')}`);
  return outputText;
}
