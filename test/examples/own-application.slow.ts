/** The module in a project of somebody else: the packed program is installed there, beside that project's own Nest. */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, it } from 'vitest';
import { temporaryFolders } from '../support/temporary-folders.js';
import { STOCK_SYNC_OUTPUT } from './stock-sync-output.js';

const root = join(import.meta.dirname, '..', '..');
const EXAMPLE = join(root, 'examples', 'stock-sync');
const INSTALL_MS = 300_000;
const newFolder = temporaryFolders();
const run = promisify(execFile);

const { peerDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  peerDependencies: Record<string, string>;
};
let packed: string;

beforeAll(async () => {
  const folder = newFolder();
  // The suite has built the program already.
  const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder], { cwd: root });
  packed = join(folder, stdout.trim());
}, INSTALL_MS);

function newProject(dependencies: Record<string, string>): string {
  const folder = newFolder();
  const manifest = { name: 'own-application', private: true, type: 'module', dependencies };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
  return folder;
}

const install = (folder: string) =>
  run('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error'], { cwd: folder });

/** What callers get is named in the package's entry: an author who leaves types to be inferred can have declarations made of them. */
const INFERRED = `
import type { CommandBus } from '@nestjs/cqrs';
import * as ledger from 'binding-ledger';
const NAME = { backend: 'shop-1', model: 'shop.product' };
export class Inferred {
  constructor(
    private readonly commands: CommandBus,
    readonly opened: ledger.OpenedLedger,
    readonly service: ledger.LedgerService,
    readonly binder: ledger.Binder,
  ) {}
  defineType = (type: ledger.DefineBackendType) => this.commands.execute(new ledger.DefineBackendTypeCommand(type));
  defineModel = (model: ledger.DefineBindingModel) => this.commands.execute(new ledger.DefineModelCommand(model));
  register = (backend: ledger.RegisterBackend) => this.commands.execute(new ledger.RegisterBackendCommand(backend));
  bind = () => this.commands.execute(new ledger.BindCommand(NAME, { recordId: 1, externalId: 'a' }));
  deleted = () => this.commands.execute(new ledger.DeleteRecordCommand({ localModel: 'product', recordId: 1 }));
  all = () => this.service.commands(NAME, []);
  bound = () => this.binder.bind('a', 1);
  list = () => this.service.list(NAME);
  status = () => this.service.status(NAME);
  digest = () => this.service.digest(NAME);
  digests = () => this.service.digests();
  verify = () => this.service.verify(NAME);
  lookup = () => this.service.lookup(NAME, { externalIds: ['a'] });
  health = () => this.opened.health();
  parts = () => [this.opened.queries, this.opened.catalog, this.opened.backends, this.opened.audit, this.opened.store] as const;
}
`;

/** The example as its author would have written it there, compiled with all declarations looked at. */
async function compileExample(folder: string): Promise<void> {
  for (const file of readdirSync(EXAMPLE).filter((name) => name.endsWith('.ts')))
    writeFileSync(join(folder, file), readFileSync(join(EXAMPLE, file), 'utf8').replaceAll("'#nest'", "'binding-ledger'"));
  const start = `import { main } from './main.js';\nawait main({ data: './data' }, (line) => console.log(line));\n`;
  writeFileSync(join(folder, 'start.ts'), start);
  writeFileSync(join(folder, 'inferred.ts'), INFERRED);
  const compilerOptions = {
    target: 'es2023',
    module: 'nodenext',
    strict: true,
    declaration: true,
    exactOptionalPropertyTypes: true,
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    types: ['node'],
    typeRoots: [join(root, 'node_modules', '@types')],
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions }));
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const problems = await run(process.execPath, [compiler], { cwd: folder }).then(
    () => '',
    ({ stdout }: { stdout: string }) => stdout,
  );
  expect(problems).toBe('');
}

it('runs a sync job in a Nest application of its own, with the command line beside it', async () => {
  const folder = newProject({ ...peerDependencies, 'binding-ledger': `file:${packed}` });
  await install(folder);
  await compileExample(folder);
  const { stdout, stderr } = await run(process.execPath, ['start.js'], { cwd: folder });
  expect({ lines: stdout.trimEnd().split('\n'), stderr }).toEqual({ lines: STOCK_SYNC_OUTPUT, stderr: '' });
  const ledger = join(folder, 'node_modules', '.bin', 'ledger');
  const listed = await run(ledger, ['list', 'shop-1', 'shop.product', '--data', './data', '--json'], { cwd: folder });
  const bindings = listed.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { externalId: string });
  expect(bindings.map(({ externalId }) => externalId).sort()).toEqual(['0', 'MUG-RED', 'TEAPOT/1L', 'TRAY']);
});

it('is not installed beside another major version of Nest, where it could not start', async () => {
  const nest = { '@nestjs/common': '^11.0.0', '@nestjs/core': '^11.0.0', '@nestjs/cqrs': '^11.0.0' };
  const folder = newProject({ ...peerDependencies, ...nest, 'binding-ledger': `file:${packed}` });
  await expect(install(folder)).rejects.toMatchObject({ stderr: expect.stringContaining('ERESOLVE') as string });
});
