/** The built command line, run as a user runs it, without the variables of whoever runs the tests. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const CLI = join(import.meta.dirname, '../../dist/apps/cli/src/main.js');

export interface Ended {
  code: number | null;
  out: string;
  err: string;
}

export function startCommandLine(...args: string[]): { ended: Promise<Ended>; kill: (signal?: NodeJS.Signals) => void } {
  if (!existsSync(CLI)) throw new Error(`${CLI} is missing: build first (npm run build)`);
  const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('LEDGER_')));
  const child = spawn(process.execPath, [CLI, ...args], { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, out, err }));
  });
  return { ended, kill: (signal = 'SIGKILL') => child.kill(signal) };
}

export function runCommandLine(...args: string[]): Promise<Ended> {
  return startCommandLine(...args).ended;
}
