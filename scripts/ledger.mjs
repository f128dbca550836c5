// npm run ledger -- COMMAND …: set-up, then the command line. Says nothing of its own unless there is something to do.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { checkNode, ensureBuilt, ensureInstalled, root } from './setup.mjs';

checkNode();
ensureInstalled();
ensureBuilt();
// npm goes to the clone before it runs anything; files are named from where the user is. The data folder stays the clone's.
const from = process.env.npm_lifecycle_event === 'ledger' ? (process.env.INIT_CWD ?? process.cwd()) : process.cwd();
const env = from === root ? process.env : { ...process.env, LEDGER_DATA: process.env.LEDGER_DATA || join(root, 'data') };
const ledger = spawn(process.execPath, [join(root, 'dist/apps/cli/src/main.js'), ...process.argv.slice(2)], {
  cwd: from,
  env,
  stdio: 'inherit',
});
// Ctrl-C reaches both; this process waits for the other, which ends in order.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => ledger.kill('SIGTERM'));
// A program that a signal ended before it could say so ends as docs/cli.md has it.
ledger.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' || signal === 'SIGTERM' ? 130 : 1)));
