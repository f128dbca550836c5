/**
 * The sources as JavaScript, for what a test starts outside of vitest: worker threads and processes of their own. Written afresh
 * from the sources by every run, so that it can be neither stale nor missing.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { pathToFileURL } from 'node:url';
import ts from 'typescript';

const ROOT = dirname(dirname(import.meta.dirname));
/** Below node_modules, so that the packages are found. */
const CACHE = join(ROOT, 'node_modules', '.cache', 'binding-ledger');

interface Manifest {
  imports: Record<string, { source: string; default: string }>;
}

export class Transpiled {
  readonly folder: string;
  readonly #imports = (JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest).imports;
  readonly #done = new Set<string>();

  /** @param entries files of the repository; whatever they import comes along. */
  constructor(entries: readonly string[]) {
    mkdirSync(CACHE, { recursive: true });
    this.folder = mkdtempSync(join(CACHE, 'transpiled-'));
    const imports = Object.entries(this.#imports).map(([name, { source }]) => [name, source.replace(/\.ts$/, '.js')]);
    writeFileSync(join(this.folder, 'package.json'), JSON.stringify({ type: 'module', imports: Object.fromEntries(imports) }));
    for (const entry of entries) this.#add(normalize(entry));
  }

  /** Where the JavaScript of a source file is. */
  url(source: string): URL {
    return pathToFileURL(join(this.folder, source.replace(/\.ts$/, '.js')));
  }

  /** Writes a program that can import the project by the names of its libraries. */
  write(name: string, program: string): string {
    const path = join(this.folder, name);
    writeFileSync(path, program);
    return path;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #add(source: string): void {
    if (this.#done.has(source)) return;
    this.#done.add(source);
    const text = readFileSync(join(ROOT, source), 'utf8');
    const target = join(this.folder, source.replace(/\.ts$/, '.js'));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, transpile(text, source));
    for (const { fileName } of ts.preProcessFile(text).importedFiles) this.#addImport(source, fileName);
  }

  #addImport(from: string, name: string): void {
    const library = this.#imports[name];
    if (library !== undefined) this.#add(normalize(library.source));
    else if (name.startsWith('.')) this.#add(join(dirname(from), name.replace(/\.js$/, '.ts')));
  }
}

function transpile(text: string, fileName: string): string {
  const { outputText, diagnostics } = ts.transpileModule(text, {
    fileName,
    reportDiagnostics: true,
    compilerOptions: {
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.ESNext,
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
    },
  });
  if (diagnostics !== undefined && diagnostics.length > 0) {
    throw new Error(
      ts.formatDiagnostics(diagnostics, {
        getCanonicalFileName: (name) => name,
        getCurrentDirectory: () => ROOT,
        getNewLine: () => '\n',
      }),
    );
  }
  return outputText;
}
