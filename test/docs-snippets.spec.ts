/** The TypeScript in the documents compiles, against the sources that it imports from. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { beforeAll, expect, it } from 'vitest';

const root = dirname(import.meta.dirname);
const LONG_MS = 180_000;

const CLIENT =
  "import type { BindingEvent, BindingLedgerClient, Digest, Verification } from '#client'; declare const client: BindingLedgerClient;";
const PAGES = `${CLIENT} declare const signal: AbortSignal;
  declare const pages: { position: string | undefined; apply(event: BindingEvent): void; save(position: string): Promise<void> };`;
/** Document → what its examples, one after the other, take for given. An example that is a part of a class has a test of its own. */
const GIVEN: Record<string, string[]> = {
  'README.md': ['declare const rows: Iterable<{ id: string; code: string; changedAt: Date }>;', ''],
  'libs/client/README.md': [
    '',
    `${CLIENT} declare const kept: string | undefined, signal: AbortSignal;
    declare function react(event: BindingEvent): Promise<void>; declare function keep(position: string): Promise<void>;`,
  ],
  'libs/nest/README.md': ['', ''],
  'docs/guides/subscribers-over-http.md': [PAGES, PAGES],
  'docs/guides/audit.md': [CLIENT, `${CLIENT} declare const line: string, reports: Verification[];`],
};

interface Snippet {
  file: string;
  /** Where it stands in the document, for messages. */
  name: string;
  text: string;
}

function snippetsOf(document: string): Snippet[] {
  const text = readFileSync(join(root, document), 'utf8');
  return [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = ''], index) => {
    const name = `${document} example ${index + 1}`;
    const given = GIVEN[document]?.[index] ?? '';
    return { name, file: join(root, 'test', `${name.replaceAll(/\W/g, '-')}.ts`), text: `${given}\n${code}\nexport {};\n` };
  });
}

const SNIPPETS = Object.keys(GIVEN).flatMap(snippetsOf);
let problems: Map<string, string[]>;

/** All of them together: most of the time goes into what they import. */
beforeAll(() => {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile) as { config: { compilerOptions: object } };
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root);
  Object.assign(options, {
    noEmit: true,
    incremental: false,
    tsBuildInfoFile: undefined,
    noUnusedLocals: false,
    paths: { '@binding-ledger/client': [join(root, 'libs/client/src/index.ts')] },
  });
  const host = ts.createCompilerHost(options);
  const texts = new Map(SNIPPETS.map(({ file, text }) => [file, text]));
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (file) => texts.has(file) || fileExists(file);
  host.readFile = (file) => texts.get(file) ?? readFile(file);
  host.getSourceFile = (file, language, ...others) => {
    const text = texts.get(file);
    return text === undefined
      ? getSourceFile(file, language, ...others)
      : ts.createSourceFile(file, text, language, false, ts.ScriptKind.TS);
  };
  const program = ts.createProgram([...texts.keys()], options, host);
  problems = new Map(
    SNIPPETS.map(({ file }) => {
      const source = program.getSourceFile(file);
      const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
      return [file, found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))];
    }),
  );
}, LONG_MS);

it('every example is looked at, and there are no others', () => {
  expect(SNIPPETS.length).toBe(Object.values(GIVEN).flat().length);
});

it.each(SNIPPETS)('$name compiles', ({ file }) => {
  expect(problems.get(file)).toEqual([]);
});
