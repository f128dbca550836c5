/** What the documents say of the code is so: tests, codes, variables, files, links. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PROBLEM_KINDS } from '../apps/server/src/http/problem-codes.js';
import { VERSION } from '../apps/server/src/version.js';
import { DEFAULT_LIMITS } from '../libs/ledger/src/limits.js';

const root = dirname(import.meta.dirname);
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const DOCUMENTS = [
  'README.md',
  'libs/client/README.md',
  'libs/nest/README.md',
  ...readdirSync(join(root, 'docs')).map((file) => `docs/${file}`),
].filter((file) => file.endsWith('.md'));

/** Rows of the Markdown tables in a text, by cell; heads and rules left out. */
function rowsOf(text: string): string[][] {
  const lines = text.split('\n');
  return lines
    .filter((line, index) => line.startsWith('| ') && !line.startsWith('| -') && !lines[index + 1]?.startsWith('| -'))
    .map((line) => line.slice(2, -2).split(' | '));
}

/** The part of a document beneath a heading, up to the next of its kind. */
function section(document: string, heading: string): string {
  const part = `\n${read(document)}`.split('\n## ').find((each) => each.startsWith(`${heading}\n`));
  if (part === undefined) throw new Error(`${document} has no section ${heading}`);
  return part;
}

const firstCode = (row: string[]) => /^`([^`]+)`/.exec(row[0] ?? '')?.[1] ?? '';
const programFiles = (folder: string) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter(
      (file) => file.endsWith('.ts') && !/\.(spec|slow|mongodb|eventstore)\.ts$/.test(file) && !file.includes('node_modules'),
    )
    .map((file) => `${folder}/${file}`);

describe('docs/GUARANTEES.md', () => {
  const promises = rowsOf(read('docs/GUARANTEES.md'));
  const holders = promises.flatMap(([promise = '', by = '']) =>
    by
      .split(/(?=\[)/)
      .filter((part) => part.startsWith('['))
      .map((part) => ({
        promise,
        file: /^\[([^\]]+)\]/.exec(part)?.[1] ?? '',
        names: [...part.matchAll(/“([^”]+)”/g)].map(([, name]) => name as string),
      })),
  );

  it('names a file and a test for each promise', () => {
    expect(promises.length).toBeGreaterThan(30);
    expect(promises.filter(([promise]) => !holders.some((each) => each.promise === promise))).toEqual([]);
    expect(holders.filter(({ names }) => names.length === 0)).toEqual([]);
  });

  it('names tests that are there', () => {
    const missing = holders.flatMap(({ file, names }) => {
      const text = existsSync(join(root, file)) ? read(file) : '';
      return names.filter((name) => !text.includes(`'${name}'`)).map((name) => `${file}: ${name}`);
    });
    expect(missing).toEqual([]);
  });
});

describe('docs/errors.md', () => {
  it('has the codes of the server, with status and whether they are retryable', () => {
    const listed = rowsOf(section('docs/errors.md', 'Codes of the HTTP API')).map((row) => [firstCode(row), row[1], row[2]]);
    const kinds = Object.entries(PROBLEM_KINDS).map(([code, { status, retryable }]) => [
      code,
      `${status}`,
      retryable ? 'yes' : 'no',
    ]);
    expect(listed).toEqual(kinds);
  });

  it('has the codes of the client', () => {
    const listed = rowsOf(section('docs/errors.md', 'Codes of the client')).map(firstCode);
    const declared = /type ClientErrorCode = ([^;]+);/.exec(read('libs/client/src/errors.ts'))?.[1] ?? '';
    expect(listed).toEqual([...declared.matchAll(/'([A-Z_]+)'/g)].map(([, code]) => code));
  });
});

describe('README.md', () => {
  it('has the variables that the code reads, and no others', () => {
    const READING = /(?:environment|process\.env)(?:\[')([A-Z][A-Z0-9_]*)'\]|\bread\('([A-Z][A-Z0-9_]*)'\)/g;
    const text = [...programFiles('apps'), ...programFiles('libs')].map(read).join('\n');
    const known = new Set([...text.matchAll(READING)].map(([, direct, named]) => direct ?? named));
    expect(new Set(rowsOf(section('README.md', 'Configuration')).map(firstCode))).toEqual(known);
  });

  it('speaks of commands that there are', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const named = DOCUMENTS.flatMap((file) =>
      [...read(file).matchAll(/npm (?:run )?([a-z][a-z:-]*)\b/g)].map(([, name]) => name as string),
    );
    expect(named).toContain('demo');
    expect(named.filter((name) => !(name in scripts) && !['install', 'ci', 'run', 'pack'].includes(name))).toEqual([]);
  });
});

it('docs/errors.md has the codes of the command line', () => {
  const listed = rowsOf(section('docs/errors.md', 'Codes of the command line')).map(firstCode);
  const own = programFiles('apps/cli').flatMap((file) =>
    [...read(file).matchAll(/\bcode: '([A-Z_]+)'/g)].map(([, code]) => code),
  );
  expect([...new Set(own)].filter((code) => !((code as string) in PROBLEM_KINDS))).toEqual(listed);
});

describe('docs/operations.md', () => {
  it('has the metrics of the server', () => {
    const listed = rowsOf(section('docs/operations.md', 'Health and metrics')).map(firstCode);
    const files = ['metrics', 'subscriber-metrics'].map((file) => read(`apps/server/src/${file}.ts`));
    const metrics = files.join('').replace('${kind}', 'command');
    const named = [...metrics.matchAll(/binding_ledger_[a-z_]+/g)].map(([name]) => name);
    const all = [...named, 'binding_ledger_query_duration_seconds'];
    expect(listed.filter((name) => name.startsWith('binding_ledger_')).sort()).toEqual(all.sort());
  });

  it('has the limits of the ledger', () => {
    const listed = rowsOf(section('docs/operations.md', 'Limits')).map((row) => [firstCode(row), row[1]]);
    expect(listed).toEqual(Object.entries(DEFAULT_LIMITS).map(([name, value]) => [name, value.toLocaleString('en')]));
  });
});

it('docs/ARCHITECTURE.md has every file of libs/ledger, and no others', () => {
  const listed = rowsOf(section('docs/ARCHITECTURE.md', 'What each file of `libs/ledger` does')).flatMap(([files = '']) =>
    [...files.matchAll(/`([^`]+)`/g)].map(([, file]) => `libs/ledger/src/${file}`),
  );
  expect(listed.sort()).toEqual(programFiles('libs/ledger/src').sort());
});

it('the program says of itself what package.json says', () => {
  const versions = ['package.json', 'libs/client/package.json'].map(
    (file) => (JSON.parse(read(file)) as { version: string }).version,
  );
  expect(versions).toEqual([VERSION, VERSION]);
});

it('every relative link leads to a file', () => {
  const links = DOCUMENTS.flatMap((document) =>
    [...read(document).matchAll(/\]\((?!https?:|#)([^)#\s]+)(?:#[^)]*)?\)/g)].map(([, to]) => ({ document, to: to as string })),
  );
  expect(links.length).toBeGreaterThan(20);
  expect(links.filter(({ document, to }) => !existsSync(join(root, dirname(document), to)))).toEqual([]);
});
