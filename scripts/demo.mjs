// npm run demo: set-up, then real sync jobs over real data on a fresh embedded ledger.
import { join } from 'node:path';
import { checkNode, ensureBuilt, ensureInstalled, root, runHere, say } from './setup.mjs';

const USAGE = `npm run demo: sync jobs over real countries and airports, against a fresh ledger in ./data, or in the folder that
LEDGER_DATA names. It makes that folder anew each time; one that it did not make it leaves alone. It takes no arguments.`;

const args = process.argv.slice(2);
if (args.length > 0) {
  // Whoever asks what it does is not to find the folder emptied.
  const asked = args.every((argument) => argument === '--help' || argument === '-h');
  if (asked) process.stdout.write(`${USAGE}\n`);
  else say(USAGE);
  process.exit(asked ? 0 : 2);
}

checkNode();
ensureInstalled();
ensureBuilt();
process.exitCode = runHere([process.execPath, join(root, 'dist/apps/demo/src/main.js')]);
