// npm run ledger -- COMMAND …: set-up, then the command line. Says nothing of its own unless there is something to do.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { checkNode, ensureBuilt, ensureInstalled, root } from './setup.mjs';

checkNode();
ensureInstalled();
ensureBuilt();
const ledger = spawn(process.execPath, [join(root, 'dist/apps/cli/src/main.js'), ...process.argv.slice(2)], { stdio: 'inherit' });
// Ctrl-C reaches both; this process waits for the other, which ends in order.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => ledger.kill('SIGTERM'));
ledger.on('exit', (code, signal) => process.exit(code ?? (signal === null ? 0 : 1)));
