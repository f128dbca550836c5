// npm test [-- vitest arguments]: set-up, then the quick suite. With SUITE=slow the long ones instead.
import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkNode, ensureBuilt, ensureInstalled, root, runHere, say } from './setup.mjs';

checkNode();
ensureInstalled();
ensureBuilt();
const report = join(tmpdir(), `binding-ledger-tests-${process.pid}.json`);
const vitest = join(root, 'node_modules/vitest/vitest.mjs');
say('Running the tests …');
const code = runHere([
  process.execPath,
  vitest,
  'run',
  '--reporter=default',
  '--reporter=json',
  `--outputFile=${report}`,
  ...process.argv.slice(2),
]);
process.exitCode = code;
try {
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, numFailedTestSuites } = JSON.parse(
    readFileSync(report, 'utf8'),
  );
  rmSync(report, { force: true });
  // A skipped test, or a file that could not be loaded, is a test that did not pass.
  const failed = numFailedTests + numPendingTests + numTodoTests + (numFailedTests === 0 ? numFailedTestSuites : 0);
  say(`${numPassedTests} passed, ${failed} failed`);
  if (failed > 0 || numPassedTests === 0) process.exitCode = 1;
} catch {
  say('0 passed, 1 failed (the test runner did not report)');
  process.exitCode = 1;
}
