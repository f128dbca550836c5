// npm run demo: set-up, then real sync jobs over real data on a fresh embedded ledger.
import { join } from 'node:path';
import { checkNode, ensureBuilt, ensureInstalled, root, runHere } from './setup.mjs';

checkNode();
ensureInstalled();
ensureBuilt();
process.exitCode = runHere([process.execPath, join(root, 'dist/apps/demo/src/main.js'), ...process.argv.slice(2)]);
