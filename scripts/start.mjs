// npm start: set-up, then the server. Its settings are environment variables; the README lists them.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { checkNode, ensureBuilt, ensureInstalled, root } from './setup.mjs';

checkNode();
ensureInstalled();
ensureBuilt();
// Node collects late when it has room: these keep a bulk import of a million lines below 300 MB, at no visible cost.
const memory = ['--max-old-space-size=400', '--max-semi-space-size=8'];
const server = spawn(process.execPath, [...memory, join(root, 'dist/apps/server/src/main.js')], { cwd: root, stdio: 'inherit' });
// The server stops in order when it is told to; this process waits for it and ends as it did.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => server.kill(signal));
server.on('exit', (code, signal) => process.exit(code ?? (signal === null ? 0 : 1)));
