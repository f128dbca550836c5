// npm run build: set-up, then the program, whether or not it was built before, and the client as a package of its own.
import { join } from 'node:path';
import { checkNode, ensureBuilt, ensureInstalled, root, runHere } from './setup.mjs';

checkNode();
ensureInstalled();
ensureBuilt({ always: true });
const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
process.exitCode = runHere([process.execPath, compiler, '-p', join('libs', 'client', 'tsconfig.json')]);
