/** The built command line: what is done with records, backends and types, and what it says when it is led astray. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BindingLedgerClient } from '#client';
import { temporaryFolders } from '../support/temporary-folders.js';

const root = dirname(dirname(import.meta.dirname));
const CLI = join(root, 'dist/apps/cli/src/main.js');
const SERVER = join(root, 'dist/apps/server/src/main.js');
/** Each call is a program that starts. */
const LONG_MS = 120_000;

const folder = temporaryFolders();
let server: ChildProcess;
let url: string;
let client: BindingLedgerClient;

interface Ended {
  code: number | null;
  out: string;
  err: string;
}

async function run(...args: string[]): Promise<Ended> {
  const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('LEDGER_')));
  const child = spawn(process.execPath, [CLI, ...args], { env: { ...environment, PASSWORD: 'of the variable' } });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  child.stdin.end();
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, out, err };
}

const ledger = (...args: string[]) => run('--url', url, ...args);

async function ok(...args: string[]): Promise<string> {
  const { code, out, err } = await ledger(...args);
  expect([code, err]).toEqual([0, '']);
  return out;
}

beforeAll(async () => {
  for (const file of [CLI, SERVER]) if (!existsSync(file)) throw new Error(`${file} is missing: build first (npm run build)`);
  const env = {
    PATH: process.env['PATH'],
    LEDGER_DATA: folder(),
    PORT: '0',
    LOG_LEVEL: 'silent',
    LEDGER_SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
  };
  server = spawn(process.execPath, [SERVER], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(server.stdout!, 'data')) as [Buffer];
  url = /http:\S+/.exec(line.toString())?.[0] ?? '';
  client = new BindingLedgerClient({ url });
  const settingsSchema = {
    type: 'object',
    properties: { token: { type: 'string', 'x-secret': true }, lang: { type: 'string' } },
  };
  await client.backendTypes.put('shop', { label: 'Shop', versions: [{ value: '1', label: 'One' }], settingsSchema });
  for (const [model, localModel] of [
    ['shop.product', 'product'],
    ['shop.bundle', 'product'],
    ['shop.customer', 'partner'],
  ] as const)
    await client.models.put(model, { backendType: 'shop', localModel });
  await client.backends.register({ id: 'shop', type: 'shop', location: 'https://shop.example.org' });
});

afterAll(async () => {
  if (server.exitCode !== null) return;
  let said = '';
  server.stdout!.on('data', (piece: Buffer) => (said += piece.toString()));
  const ended = once(server, 'close');
  server.kill('SIGINT');
  await ended;
  expect(said).toBe(
    'binding ledger: SIGINT: finishing what was accepted; a second one ends it at once\nbinding ledger: stopped\n',
  );
});

describe('a record', () => {
  it(
    'is shown and deleted, and says which ledgers refused',
    async () => {
      await client.backends.register({ id: 'second', type: 'shop', location: 'https://second.example.org' });
      await client.ledger('shop', 'shop.product').bind({ recordId: 7, externalId: 'a' });
      await client.ledger('shop', 'shop.bundle').bind({ recordId: 7, externalId: 'b' });
      await client.ledger('second', 'shop.product').bind({ recordId: 7, externalId: 'c' });
      await client.ledger('second', 'shop.product').status({ atLeast: 'head' });
      await client.backends.pause('second');
      const part = await ledger('records', 'delete', 'product', '7', '--reason', 'gone');
      expect(part.code).toBe(4);
      expect(
        part.out
          .split('\n')
          .slice(1, 3)
          .map((row) => row.split(/\s+/, 1)[0])
          .sort(),
      ).toEqual(['shop/shop.bundle', 'shop/shop.product']);
      expect(part.err).toContain('second/shop.product: BACKEND_PAUSED');
      expect(part.err).toContain('ledger: PARTLY_UNBOUND');
      await client.backends.resume('second');
      const rest = JSON.parse(await ok('records', 'delete', 'product', '7', '--json')) as { unbound: object[] };
      expect(rest.unbound).toMatchObject([{ backend: 'second', externalId: 'c', cause: 'recordDeleted' }]);
      await client.ledger('second', 'shop.product').status({ atLeast: 'head' });
      expect((await ledger('records', 'bindings', 'product', '7')).err).toBe('nothing found\n');
    },
    LONG_MS,
  );

  it(
    'of a local model that nobody has heard of is no silent success',
    async () => {
      const { code, out, err } = await ledger('records', 'delete', 'prodct', '7');
      expect([code, out, err]).toEqual([3, '', 'ledger: no model binds records of "prodct": there are partner, product\n']);
    },
    LONG_MS,
  );
});

describe('backends, types and bindings', () => {
  it(
    'are shown with what changed, and with secrets where they are asked for',
    async () => {
      const type = await ok('types', 'show', 'shop');
      expect(type).toContain('versions         1 (One)\n');
      expect(type).toContain('"x-secret":true');
      const secret = ['--username', 'sync', '--password-env', 'PASSWORD', '--settings', '{"token":"t0ken","lang":"fr"}'];
      await ok('backends', 'add', 'secret', '--type', 'shop', '--location', 'https://secret.example.org', ...secret);
      await ok('backends', 'change', 'secret', '--version', '1', '--on-behalf-of', 'anna');
      await ok('--on-behalf-of', 'bert', 'backends', 'pause', 'secret', '--reason', 'stocktaking');
      expect(await ok('backends', 'credentials', 'secret')).toBe('username  sync\npassword  of the variable\ntoken     t0ken\n');
      expect(JSON.parse(await ok('backends', 'credentials', 'secret', '--json'))).toEqual({
        username: 'sync',
        password: 'of the variable',
        secrets: { token: 't0ken' },
      });
      const history = await ok('backends', 'history', 'secret');
      expect(history).toMatch(/BackendChanged +anonymous for anna +version: null → 1\n/);
      expect(history).toMatch(/BackendPaused +anonymous for bert +state: active → paused \(stocktaking\)\n/);
      expect(history).toMatch(/CredentialsRead /);
      expect(history).not.toContain('t0ken');
    },
    LONG_MS,
  );

  it(
    'have data that is changed by any of their names',
    async () => {
      await client.ledger('shop', 'shop.customer').bind({ recordId: 1, externalId: 'c', data: { a: 1, b: 2 } });
      const of = ['shop', 'shop.customer'];
      expect(await ok('change-data', ...of, '--external', 'c', '--data', '{"b":null,"c":3}')).toContain(
        'data         {"a":1,"c":3}',
      );
      expect(await ok('change-data', ...of, '--record', '1', '--data', '{"c":3}')).toContain('outcome      unchanged');
      const none = await ledger('change-data', ...of, '--record', '2', '--data', '{}');
      expect([none.code, none.err]).toEqual([3, expect.stringContaining('NOT_BOUND')]);
    },
    LONG_MS,
  );
});

describe('a URL that leads astray', () => {
  it(
    'is told from a ledger that is away',
    async () => {
      const path = await run('--url', `${url}/api`, 'backends', 'list');
      expect([path.code, path.err]).toEqual([1, expect.stringMatching(/^ledger: ROUTE_NOT_FOUND: .*\(is it a binding ledger/)]);
      const other = createServer((_request, response) => response.writeHead(404).end('<html>')).listen(0, '127.0.0.1');
      await once(other, 'listening');
      const { port } = other.address() as AddressInfo;
      const page = await run('--url', `http://127.0.0.1:${port}`, 'backends', 'list');
      expect([page.code, page.err]).toEqual([1, expect.stringMatching(/UNEXPECTED_ANSWER: .*\(is it a binding ledger/)]);
      other.close();
      await once(other, 'close');
      const gone = await run('--url', `http://127.0.0.1:${port}`, 'backends', 'list');
      expect(gone.code).toBe(5);
      expect(gone.err).toMatch(/^ledger: UNREACHABLE: .*are the host and port of --url right\?\)\n$/);
      const waiting = await run('--url', `http://127.0.0.1:${port}`, 'import', 'shop', 'shop.product', '-');
      expect(waiting.err).toMatch(/^UNREACHABLE: .*; trying again in \d+\.\d s \(1\)\n/);
    },
    LONG_MS,
  );
});

describe('an import that is refused for now', () => {
  it(
    'goes on behind what it stopped at, in the order of the file',
    async () => {
      await client.backends.register({ id: 'busy', type: 'shop', location: 'https://busy.example.org' });
      await client.backends.pause('busy');
      const input = join(folder(), 'in.ndjson');
      const rows = [
        { recordId: 1, externalId: 'a' },
        { op: 'move', fromRecordId: 1, toRecordId: 2 },
        { recordId: 1, externalId: 'b' },
      ];
      writeFileSync(input, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
      const stopped = await ledger('import', 'busy', 'shop.product', input);
      expect([stopped.code, stopped.err]).toEqual([5, expect.stringContaining('line 1: BACKEND_PAUSED')]);
      expect(JSON.parse(readFileSync(`${input}.ledger-progress.json`, 'utf8'))).toMatchObject({
        lines: 0,
        behind: { reached: 3, pending: [1, 2, 3] },
      });
      await client.backends.resume('busy');
      expect((await ledger('import', 'busy', 'shop.product', input, '--resume')).code).toBe(0);
      const found = await client.ledger('busy', 'shop.product').lookup({ recordIds: [1, 2] }, { atLeast: 'head' });
      expect(found.found).toMatchObject({ '1': [{ externalId: 'b' }], '2': [{ externalId: 'a' }] });
    },
    LONG_MS,
  );
});
