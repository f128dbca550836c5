/** What the built command line says to whoever uses it wrongly, and that it leaves nothing behind then. */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCommandLine, startCommandLine } from '../support/command-line.js';
import { temporaryFolders } from '../support/temporary-folders.js';

const folder = temporaryFolders();
const LONG_MS = 90_000;
const LEDGER = ['shop', 'shop.product'];

async function newLedger(): Promise<string> {
  const data = join(folder(), 'data');
  for (const command of [
    ['types', 'put', 'shop', '--version', '1=One'],
    ['models', 'put', 'shop.product', '--type', 'shop', '--local-model', 'product'],
    ['backends', 'add', 'shop', '--type', 'shop', '--location', 'https://shop.example.org'],
  ])
    expect(await runCommandLine('--data', data, ...command)).toMatchObject({ code: 0 });
  return data;
}

describe('a folder without a ledger', () => {
  it.each([
    ['events'],
    ['types', 'list'],
    ['records', 'bindings', 'product', '1'],
    ['subscribers', 'list'],
    ['list', ...LEDGER],
    ['lookup', ...LEDGER, '--external', 'a'],
    ['export', ...LEDGER],
    ['bind', ...LEDGER, '1', 'a'],
    ['digests'],
    ['import-ledger', import.meta.filename],
  ])('is not made by %s %s', async (...command) => {
    const mistyped = join(folder(), 'dat');
    const { code, out, err } = await runCommandLine('--data', mistyped, ...command);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(`there is no data folder ${mistyped}`);
    expect(existsSync(mistyped)).toBe(false);
  });

  it('is told as such when it is there, and stays as it is', async () => {
    const empty = folder();
    mkdirSync(empty, { recursive: true });
    const { code, err } = await runCommandLine('--data', empty, 'types', 'list');
    expect([code, err]).toEqual([2, expect.stringContaining(`there is no ledger in the folder ${empty}`)]);
    expect(readdirSync(empty)).toEqual([]);
  });

  it('begins only when it could be made', async () => {
    const file = join(folder(), 'file');
    writeFileSync(file, '');
    const { code, err } = await runCommandLine('--data', join(file, 'data'), 'types', 'put', 'shop');
    expect(code).not.toBe(0);
    expect(err).not.toContain('a new ledger begins');
  });

  it('is not kept in memory', async () => {
    const { code, err } = await runCommandLine('--data', ':memory:', 'types', 'put', 'shop');
    expect([code, err]).toEqual([2, expect.stringContaining(':memory: is for a server')]);
    expect(existsSync(':memory:')).toBe(false);
  });
});

describe('options with values that they cannot have', () => {
  it(
    'are named, once, as wrong usage',
    async () => {
      const data = await newLedger();
      const run = (...command: string[]) => runCommandLine('--data', data, ...command);
      expect(await run('list', ...LEDGER, '--limit', '0')).toEqual({
        code: 2,
        out: '',
        err: 'ledger: --limit: must be a whole number from 1 to 1000\n',
      });
      expect(await run('list', ...LEDGER, '--limit', '0', '--state', 'open')).toMatchObject({
        code: 2,
        err: 'ledger: --state: must be one of "pending", "bound", "unbound"; --limit: must be a whole number from 1 to 1000\n',
      });
      const scripted = await run('list', ...LEDGER, '--limit', '0', '--json');
      expect(scripted.code).toBe(2);
      expect(JSON.parse(scripted.err)).toMatchObject({ error: { code: 'MALFORMED', errors: [{ path: '/limit' }] } });
    },
    LONG_MS,
  );

  it(
    'are not blamed for what the ledger refuses, which is said once',
    async () => {
      const data = await newLedger();
      const unknown = await runCommandLine(
        '--data',
        data,
        'backends',
        'add',
        'x',
        '--type',
        'nope',
        '--location',
        'https://x.example',
      );
      expect(unknown).toMatchObject({ code: 3, err: 'ledger: BACKEND_TYPE_NOT_FOUND: there is no backend type "nope"\n' });
      const empty = await runCommandLine('--data', data, 'bind', ...LEDGER, '', 'a');
      expect(empty).toMatchObject({ code: 4, err: 'ledger: INVALID_ID: /recordId: "" is not an id\n' });
    },
    LONG_MS,
  );

  it.each([
    ['localhost', /^ledger: --url is not a URL: it looks like http/],
    ['ftp://localhost', /^ledger: --url begins with neither http/],
    ['http://me:hidden@localhost', /^ledger: --url has a user or a password in it/],
  ])('a URL such as %s is told as such', async (url, sentence) => {
    const { code, err } = await runCommandLine('--url', url, 'types', 'list');
    expect([code, err]).toEqual([2, expect.stringMatching(sentence)]);
    expect(err).not.toContain('hidden');
  });
});

it.each(['SIGINT', 'SIGTERM'] as const)('a command that waits for an answer ends by %s with 130', async (signal) => {
  const silent = createServer(() => undefined).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  const { ended, kill } = startCommandLine('--url', `http://127.0.0.1:${port}`, 'types', 'list');
  const [connection] = (await once(silent, 'connection')) as [{ destroy(): void }];
  kill(signal);
  expect(await ended).toMatchObject({ code: 130, out: '' });
  connection.destroy();
  silent.close();
});

it('the version is that of the program', async () => {
  expect(await runCommandLine('--version')).toEqual({ code: 0, out: '0.1.0\n', err: '' });
});
