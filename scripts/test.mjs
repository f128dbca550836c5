// npm test [-- vitest arguments]: set-up, then the quick suite. With SUITE=slow the long ones instead.
import { checkNode, ensureBuilt, ensureInstalled, say } from './setup.mjs';
import { runVitest } from './vitest.mjs';

checkNode();
ensureInstalled();
ensureBuilt();
say('Running the tests …');
runVitest();
