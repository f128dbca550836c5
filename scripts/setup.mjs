// What every command does first on a fresh clone: dependencies in place, program built. Uses nothing but Node.
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const installed = join(root, 'node_modules', '.installed');
const built = join(root, 'dist', '.built');

export function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  // As package.json says: releases in between lack what the dependencies need.
  if ((major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major > 22) return;
  fail(`Node 20.19 or newer is needed, or 22.12 or newer; this is ${process.version}.`);
}

/** Installs the locked dependencies, unless what is installed is what the lock file says. */
export function ensureInstalled() {
  const lock = hashOf([join(root, 'package-lock.json')]);
  if (existsSync(installed) && readFileSync(installed, 'utf8') === lock) return;
  say('Installing dependencies (npm ci) …');
  // Run from npm, npm's own JavaScript is known; otherwise npm is on the path.
  const npm = process.env.npm_execpath?.endsWith('.js') ? [process.execPath, process.env.npm_execpath] : ['npm'];
  run([...npm, 'ci', '--no-fund', '--no-audit', '--loglevel=error'], 'npm ci failed: see the messages above.');
  writeFileSync(installed, lock);
}

/** Builds the program; unless it was built from the sources as they are, or `always` is asked for. */
export function ensureBuilt({ always = false } = {}) {
  const sources = hashOf(
    ['apps', 'libs', 'examples']
      .flatMap((folder) => filesBelow(join(root, folder)))
      .concat(['tsconfig.json', 'tsconfig.build.json', 'nest-cli.json', 'package.json'].map((file) => join(root, file))),
  );
  if (!always && existsSync(built) && readFileSync(built, 'utf8') === sources) return;
  say('Building …');
  rmSync(built, { force: true });
  run(
    [process.execPath, join(root, 'node_modules', '@nestjs', 'cli', 'bin', 'nest.js'), 'build', 'server'],
    'The build failed: see the messages above.',
  );
  mkdirSync(dirname(built), { recursive: true });
  writeFileSync(built, sources);
}

/** Runs a program with this terminal and answers its exit code. */
export function runHere(command, env = {}) {
  const [program, ...args] = command;
  const result = spawnSync(program, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } });
  return result.status ?? 1;
}

export function say(text) {
  process.stderr.write(`${text}\n`);
}

export function fail(text) {
  say(text);
  process.exit(1);
}

function run([program, ...args], message) {
  try {
    execFileSync(program, args, { cwd: root, stdio: ['ignore', 2, 2] });
  } catch {
    fail(message);
  }
}

/** What is made of the sources, such as the client's own build, is none. */
const OTHERS = /[\\/](node_modules|dist)([\\/]|$)/;

function filesBelow(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && !OTHERS.test(entry.parentPath.slice(root.length)) && !entry.name.endsWith('.spec.ts'))
    .map((entry) => join(entry.parentPath, entry.name));
}

function hashOf(files) {
  const hash = createHash('sha256');
  for (const file of files.filter((each) => existsSync(each) && statSync(each).isFile()).sort())
    hash.update(file.slice(root.length)).update(readFileSync(file));
  return hash.digest('hex');
}
