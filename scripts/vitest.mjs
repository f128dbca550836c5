// Runs vitest on this terminal, and counts.
import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root, runHere, say } from './setup.mjs';

/** Runs the tests of a suite with the arguments of this program, says how many passed and failed, and sets the exit code. */
export function runVitest(env = {}, args = process.argv.slice(2)) {
  sayCounts(countVitest(env, args));
}

/** The line that .ci/run adds up, and the exit code that goes with it. */
export function sayCounts({ passed, failed, note = '' }) {
  say(`${passed} passed, ${failed} failed${note}`);
  if (failed > 0 || passed === 0) process.exitCode = 1;
}

/** Runs the tests of a suite; what could not run is a test that failed. */
export function countVitest(env = {}, args = process.argv.slice(2)) {
  const report = join(tmpdir(), `binding-ledger-tests-${process.pid}.json`);
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile=${report}`];
  const code = runHere([process.execPath, vitest, 'run', ...reporters, ...args], env);
  try {
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, numFailedTestSuites } = JSON.parse(
      readFileSync(report, 'utf8'),
    );
    rmSync(report, { force: true });
    // A skipped test, or a file that could not be loaded, is a test that did not pass.
    const failed = numFailedTests + numPendingTests + numTodoTests + (numFailedTests === 0 ? numFailedTestSuites : 0);
    // A runner that ends badly although its tests passed has met an error outside of them.
    if (code !== 0 && failed === 0) return { passed: numPassedTests, failed: 1, note: ' (the test runner ended with an error)' };
    return { passed: numPassedTests, failed };
  } catch {
    return { passed: 0, failed: 1, note: ' (the test runner did not report)' };
  }
}
