/** `ledger subscribers` on a data folder and against a server; the subscriber itself is a process of its own, and not running. */
import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runCommandLine as ledger, type Ended } from '../support/command-line.js';
import { Program } from '../support/program.js';
import { temporaryFolders } from '../support/temporary-folders.js';

const root = join(import.meta.dirname, '../..');
const SERVER = join(root, 'dist/apps/server/src/main.js');
const SUBSCRIBER = join(root, 'test/kill/subscriber-process.mjs');
const newFolder = temporaryFolders();
/** Programs that start and stop several times over get longer than the others, on a busy machine too. */
const LONG_MS = 120_000;

type Json = Record<string, unknown>;
interface Parked {
  backend: string;
  bindingId: string;
  events: { revision: number }[];
}

const linesOf = ({ out }: Ended): Json[] =>
  out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Json);

let folder: string;
let server: ChildProcess;
let url: string;

beforeAll(async () => {
  folder = newFolder();
  writeFileSync(join(folder, 'handled.txt'), '');
  for (const args of [['seed'], ['run', 'never', '0', '0']])
    expect(await new Program(SUBSCRIBER, folder, ...args).ended).toMatchObject({ code: 0, stderr: '' });
  const environment = { ...process.env, PORT: '0', LEDGER_DATA: folder, LOG_LEVEL: 'error' };
  server = spawn(process.execPath, [SERVER], { env: environment, stdio: ['ignore', 'pipe', 'inherit'] });
  url = await new Promise<string>((resolve, reject) => {
    let said = '';
    server.once('exit', () => reject(new Error('the server ended')));
    server.stdout?.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      const address = /http:\/\/[\d.]+:\d+/.exec(said)?.[0];
      if (address !== undefined) resolve(address);
    });
  });
}, LONG_MS);
afterAll(stopServer);

async function stopServer(): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const gone = new Promise((resolve) => server.once('exit', resolve));
  server.kill('SIGTERM');
  await gone;
}

const onServer = (...args: string[]) => ledger('--url', url, 'subscribers', ...args);

it(
  'says what cannot be, with its exit code',
  async () => {
    const codes = [
      ['show', 'none'],
      ['reset', 'killed'],
      ['replay', 'killed', '--binding', 'b'],
      ['reset', 'killed', '--to', 'yesterday'],
    ].map(async (args) => (await onServer(...args)).code);
    expect(await Promise.all(codes)).toEqual([3, 2, 2, 4]);
  },
  LONG_MS,
);

it(
  'shows where subscribers are, and has parked events replayed and skipped by the next instance',
  async () => {
    const [listed] = linesOf(await onServer('list', '--json'));
    expect(listed).toMatchObject({ name: 'killed', state: 'waiting', instance: null, parked: { events: 6, bindings: 6 } });
    const table = (await onServer('list')).out;
    expect(table.split('\n')[0]).toMatch(/^subscriber\s+state\s+lag\s+seconds\s+parked\s+oldest seconds\s+instance\s+last error/);
    expect(table).toMatch(/killed\s+waiting\s+0\s+0\s+6/);
    expect((await onServer('show', 'killed')).out).toMatch(/parked\s+6 events of 6 bindings/);
    const parked = linesOf(await onServer('parked', 'killed', '--json')) as unknown as Parked[];
    expect(parked).toHaveLength(6);
    const [first] = parked;
    if (first === undefined) throw new Error('nothing is parked');
    const binding = ['--backend', first.backend, '--model', 'shop.product', '--binding', first.bindingId];
    const revision = String(first.events[0]?.revision);
    const skipped = await onServer('skip', 'killed', ...binding, '--revision', revision, '--reason', 'sold out');
    expect([skipped.code, skipped.err]).toEqual([0, expect.stringContaining('no instance runs it now')]);
    const asked = await onServer('replay', 'killed', '--json');
    expect([asked.code, asked.err]).toEqual([0, '']);
    expect(linesOf(asked)[0]).toMatchObject({ requests: [{ action: 'skip', reason: 'sold out' }, { action: 'replay' }] });
    await stopServer();
    expect(await new Program(SUBSCRIBER, folder, 'finish').ended).toMatchObject({ code: 0, stderr: '' });
    const handled = readFileSync(join(folder, 'handled.txt'), 'utf8').trimEnd().split('\n');
    // All but the one that was left out.
    expect(handled).toHaveLength(3 * 20 - 1);
    // The same on the folder itself, without a server.
    const shown = await ledger('--data', folder, 'subscribers', 'show', 'killed', '--json');
    expect(linesOf(shown)[0]).toMatchObject({ parked: { events: 0 }, requests: [] });
  },
  LONG_MS,
);
