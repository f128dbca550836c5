/** The folder tree is the architecture: what may import what, and how large things may be. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const root = dirname(import.meta.dirname);
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.ts'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => /^(apps|libs|examples)\//.test(file) && existsSync(join(root, file)));
const programs = files.filter((file) => !/\.(spec|slow|mongodb|eventstore)\.ts$/.test(file) && !file.endsWith('/contract.ts'));
const source = (file: string) => ts.createSourceFile(file, readFileSync(join(root, file), 'utf8'), ts.ScriptTarget.ES2023, true);

/** Layer → what it may import besides itself, packages aside. Adapters are layers of their own, so none imports another. */
const ALLOWED: Record<string, string[]> = {
  'libs/domain': [],
  'libs/sqlite': [],
  'libs/mongodb': [],
  'libs/event-store/src': ['libs/domain'],
  'libs/event-store/sqlite': ['libs/event-store/src', 'libs/sqlite', 'libs/domain'],
  'libs/event-store/eventstoredb': ['libs/event-store/src', 'libs/domain'],
  'libs/read-model/src': ['libs/domain'],
  'libs/read-model/mongodb': ['libs/read-model/src', 'libs/mongodb', 'libs/domain'],
  'libs/read-model/sqlite': ['libs/read-model/src', 'libs/sqlite', 'libs/domain'],
  'libs/vault/src': ['libs/domain'],
  'libs/vault/mongodb': ['libs/vault/src', 'libs/mongodb', 'libs/domain'],
  'libs/vault/sqlite': ['libs/vault/src', 'libs/sqlite', 'libs/domain'],
  'libs/ledger': ['libs/domain', 'libs/event-store/src', 'libs/read-model/src', 'libs/vault/src'],
  'libs/audit': ['libs/domain', 'libs/ledger', 'libs/event-store/src', 'libs/read-model/src'],
  'libs/subscriptions': ['libs/domain', 'libs/ledger', 'libs/event-store/src', 'libs/read-model/src', 'libs/vault/src'],
  'libs/schemas': ['libs/domain', 'libs/ledger'],
  'libs/runtime': [
    'libs/domain',
    'libs/ledger',
    'libs/audit',
    'libs/subscriptions',
    'libs/sqlite',
    'libs/event-store/src',
    'libs/event-store/sqlite',
    'libs/event-store/eventstoredb',
    'libs/read-model/src',
    'libs/read-model/sqlite',
    'libs/read-model/mongodb',
    'libs/vault/src',
    'libs/vault/sqlite',
    'libs/vault/mongodb',
    'libs/mongodb',
  ],
  'libs/nest': [
    'libs/domain',
    'libs/ledger',
    'libs/audit',
    'libs/subscriptions',
    'libs/schemas',
    'libs/runtime',
    'libs/event-store/src',
    'libs/read-model/src',
    'libs/vault/src',
  ],
  'libs/client': [],
  'apps/server': [
    'libs/domain',
    'libs/ledger',
    'libs/audit',
    'libs/subscriptions',
    'libs/schemas',
    'libs/runtime',
    'libs/nest',
    'libs/event-store/src',
    'libs/read-model/src',
    'libs/vault/src',
  ],
  'apps/cli': ['libs/client', 'libs/domain', 'libs/ledger', 'libs/audit', 'libs/runtime', 'apps/server'],
  'apps/demo': ['libs/client', 'libs/runtime', 'libs/sqlite', 'apps/server'],
  examples: ['libs/nest', 'libs/domain', 'libs/client'],
};
/** Packages of a framework, or of a store, that a layer is to know nothing of. */
const FORBIDDEN_PACKAGES: Record<string, RegExp> = {
  'libs/domain': /./,
  'libs/client': /./,
  'libs/subscriptions': /./,
  'libs/ledger': /^(@nestjs|fastify|@fastify|rxjs|mongodb|@eventstore|@photostructure|zod)/,
  'libs/event-store/src': /./,
  'libs/read-model/src': /./,
  'libs/vault/src': /./,
};
const MAX_FILE_LINES = 300;
const MAX_FUNCTION_LINES = 60;

const layerOf = (file: string) =>
  Object.keys(ALLOWED)
    .filter((layer) => file.startsWith(`${layer}/`))
    .sort((a, b) => b.length - a.length)[0];
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { imports: Record<string, { source: string }> };

function importsOf(file: string): string[] {
  const names: string[] = [];
  const visit = (node: ts.Node): void => {
    const target =
      ts.isImportDeclaration(node) || ts.isExportDeclaration(node)
        ? node.moduleSpecifier
        : ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword
          ? node.arguments[0]
          : undefined;
    if (target !== undefined && ts.isStringLiteral(target)) names.push(target.text);
    ts.forEachChild(node, visit);
  };
  visit(source(file));
  return names;
}

function targetOf(file: string, name: string): string | undefined {
  if (name.startsWith('.')) return normalize(join(dirname(file), name));
  if (name.startsWith('#')) return normalize(manifest.imports[name]?.source ?? `unknown import ${name}`);
  return undefined;
}

describe('the tree', () => {
  it('has files to check', () => expect(programs.length).toBeGreaterThan(30));

  it('has every source file in a layer', () => expect(programs.filter((file) => layerOf(file) === undefined)).toEqual([]));

  it('imports inwards only', () => {
    const wrong = programs.flatMap((file) => {
      const layer = layerOf(file) as string;
      return importsOf(file).flatMap((name) => {
        const target = targetOf(file, name);
        if (target !== undefined) {
          const to = layerOf(target);
          return to === layer || ALLOWED[layer]?.includes(to ?? '') ? [] : [`${file} imports ${name}`];
        }
        const builtin = name.startsWith('node:');
        if (layer === 'libs/domain') return [`${file} imports ${name}`];
        return !builtin && FORBIDDEN_PACKAGES[layer]?.test(name) ? [`${file} imports ${name}`] : [];
      });
    });
    expect(wrong).toEqual([]);
  });

  it('has no test double or suite in what a user runs', () => {
    const wrong = programs.filter((file) =>
      importsOf(file).some((name) => /(^|\/)test\/|contract\.js$|vitest|fast-check/.test(name)),
    );
    const started = ['scripts/start.mjs', 'scripts/demo.mjs', 'scripts/ledger.mjs', 'scripts/setup.mjs', 'Dockerfile'];
    wrong.push(...started.filter((file) => /\btest\/|stand-in/.test(readFileSync(join(root, file), 'utf8'))));
    expect(wrong).toEqual([]);
  });

  it('has files of a readable size', () => {
    const long = files
      .filter((file) => !file.endsWith('contract.ts'))
      .map((file) => [readFileSync(join(root, file), 'utf8').split('\n').length, file] as const);
    expect(long.filter(([lines]) => lines > MAX_FILE_LINES)).toEqual([]);
  });

  it('has functions of a readable size', () => {
    const long = programs.flatMap((file) => {
      const tree = source(file);
      const found: string[] = [];
      const visit = (node: ts.Node): void => {
        if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined) {
          const [start, end] = [node.getStart(tree), node.getEnd()].map(
            (position) => tree.getLineAndCharacterOfPosition(position).line,
          );
          const lines = (end as number) - (start as number) + 1;
          if (lines > MAX_FUNCTION_LINES) found.push(`${file}:${(start as number) + 1} has ${lines} lines`);
        }
        ts.forEachChild(node, visit);
      };
      visit(tree);
      return found;
    });
    expect(long).toEqual([]);
  });
});
