// A node for benchmarks: the one that EVENTSTORE_TEST_URL names, or a stand-in in a process of its own.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const root = join(import.meta.dirname, '..', '..');

/** `flush`: the stand-in keeps its events in a file, and flushes it before it acknowledges them, as a node does. */
export async function benchmarkNode({ flush = false } = {}) {
  const url = process.env.EVENTSTORE_TEST_URL;
  if (url) return { url, what: 'the node of EVENTSTORE_TEST_URL', stop: async () => undefined };
  const hooks = join(root, 'test/support/stand-in/typescript.mjs');
  const program = join(root, 'test/support/stand-in/main.ts');
  const folder = flush ? mkdtempSync(join(tmpdir(), 'ledger-bench-')) : undefined;
  const kept = folder === undefined ? [] : ['--file', join(folder, 'events'), '--flush'];
  const child = spawn(process.execPath, ['--import', hooks, program, '--port', '0', ...kept], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const lines = createInterface({ input: child.stdout });
  const line = await Promise.race([new Promise((resolve) => lines.once('line', resolve)), exited]);
  if (typeof line !== 'string') throw new Error('the stand-in did not start');
  const stop = async () => {
    child.kill();
    await exited;
    if (folder !== undefined) rmSync(folder, { recursive: true });
  };
  return { url: line, what: flush ? 'the stand-in, flushing' : 'the stand-in', stop };
}
