// A node for benchmarks: the one that EVENTSTORE_TEST_URL names, or a stand-in in a process of its own.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const root = join(import.meta.dirname, '..', '..');

export async function benchmarkNode() {
  const url = process.env.EVENTSTORE_TEST_URL;
  if (url) return { url, what: 'the node of EVENTSTORE_TEST_URL', stop: async () => undefined };
  const hooks = join(root, 'test/support/stand-in/typescript.mjs');
  const program = join(root, 'test/support/stand-in/main.ts');
  const child = spawn(process.execPath, ['--import', hooks, program, '--port', '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const lines = createInterface({ input: child.stdout });
  const line = await Promise.race([new Promise((resolve) => lines.once('line', resolve)), exited]);
  if (typeof line !== 'string') throw new Error('the stand-in did not start');
  const stop = async () => {
    child.kill();
    await exited;
  };
  return { url: line, what: 'the stand-in', stop };
}
