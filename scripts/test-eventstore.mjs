// npm run test:eventstore [-- vitest arguments]: what EventStoreDB does as far as the ledger relies on it, and the suites on
// EventStoreDB. EVENTSTORE_TEST_URL names a node of one's own for them; without it they run on the stand-in.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { checkNode, ensureBuilt, ensureInstalled, root, say } from './setup.mjs';
import { countVitest, sayCounts } from './vitest.mjs';

const START_TIMEOUT_MS = 120_000;
const STOP_TIMEOUT_MS = 10_000;
const CONFORMANCE = 'eventstoredb.test.mjs';

checkNode();
ensureInstalled();
ensureBuilt();
const given = process.env.EVENTSTORE_TEST_URL;
const conformance = await onNode(given, (url) => countConformance(url));
const suites = countVitest({ SUITE: 'eventstore' });
sayCounts({
  passed: conformance.passed + suites.passed,
  failed: conformance.failed + suites.failed,
  note: [conformance.note, suites.note].filter(Boolean).join(''),
});

/** The cases are handed around apart from this project: the newest first, then the ones that are kept here. */
function conformanceFile() {
  const { EVENTSTORE_CONFORMANCE: own } = process.env;
  if (own) return own.endsWith('.mjs') ? own : join(own, CONFORMANCE);
  const beside = join(dirname(root), 'shared', 'conformance', CONFORMANCE);
  const kept = join(root, 'test', 'support', 'stand-in', 'conformance', CONFORMANCE);
  return [beside, kept].find((file) => existsSync(file));
}

async function countConformance(url) {
  const file = conformanceFile();
  say(`Running ${file} on ${url.replace(/\/\/[^@/]*@/, '//')} …`);
  const runner = spawn(process.execPath, ['--test', '--test-reporter=tap', file], {
    cwd: root,
    env: { ...process.env, ESDB_URL: url },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const counts = {};
  for await (const line of createInterface({ input: runner.stdout })) {
    const [, name, count] = /^# (pass|fail|cancelled|skipped|todo) (\d+)$/.exec(line) ?? [];
    if (name !== undefined) counts[name] = Number(count);
    if (!/^# |^\s+(---|\.\.\.|duration_ms)/.test(line)) process.stdout.write(`${line}\n`);
  }
  const { pass = 0, fail = 0, cancelled = 0, skipped = 0, todo = 0 } = counts;
  if (pass === 0) return { passed: 0, failed: Math.max(1, fail), note: ' (no case of the conformance suite passed)' };
  return { passed: pass, failed: fail + cancelled + skipped + todo };
}

/** Calls with the connection string of the node that was given, or of a stand-in that is stopped afterwards. */
async function onNode(url, use) {
  if (url) return use(url);
  const hooks = join(root, 'test/support/stand-in/typescript.mjs');
  const program = join(root, 'test/support/stand-in/main.ts');
  const node = spawn(process.execPath, ['--import', hooks, program, '--port', '0'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const exited = new Promise((resolve) => node.once('exit', resolve));
  try {
    const started = new Promise((resolve) => createInterface({ input: node.stdout }).once('line', resolve));
    const late = new Promise((resolve) => setTimeout(resolve, START_TIMEOUT_MS).unref());
    const address = await Promise.race([started, late, exited.then(() => undefined)]);
    if (typeof address !== 'string') return { passed: 0, failed: 1, note: ' (the stand-in did not start)' };
    return await use(address);
  } finally {
    node.kill();
    const killed = setTimeout(() => node.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await exited;
    clearTimeout(killed);
  }
}
