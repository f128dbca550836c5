/** The built command line as a user runs it: processes of its own, against a server and on a data folder. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BindingLedgerClient } from '#client';
import { temporaryFolders } from '../support/temporary-folders.js';

const root = dirname(dirname(import.meta.dirname));
const CLI = join(root, 'dist/apps/cli/src/main.js');
const SERVER = join(root, 'dist/apps/server/src/main.js');
const LEDGER = ['shop', 'shop.product'];
/** Enough to be in the middle of when the first progress is kept. */
const MANY = 5_000;
/** Programs that start, import and stop several times over get longer than the others, on a busy machine too. */
const LONG_MS = 90_000;

interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  out: string;
  err: string;
}

const folder = temporaryFolders();
let url: string;
let client: BindingLedgerClient;
let serverFolder: string;
let server: ChildProcess;

function start(args: string[], input = ''): { child: ChildProcess; ended: Promise<Ended> } {
  const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('LEDGER_')));
  const child = spawn(process.execPath, [CLI, ...args], { env: { ...environment, SHOP_PASSWORD: 'of the variable' } });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  // A command that fails early does not read its input.
  child.stdin.on('error', () => {}).end(input);
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, out, err }));
  });
  return { child, ended };
}

/** Against the running server. */
const ledger = (...args: string[]) => start(['--url', url, ...args]).ended;
const ledgerWith = (input: string, ...args: string[]) => start(['--url', url, ...args], input).ended;

async function ok(ended: Promise<Ended>): Promise<string> {
  const { code, out, err } = await ended;
  expect([code, err]).toEqual([0, '']);
  return out;
}

async function allOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

const linesOf = (text: string) =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

beforeAll(async () => {
  for (const file of [CLI, SERVER]) if (!existsSync(file)) throw new Error(`${file} is missing: build first (npm run build)`);
  serverFolder = folder();
  server = spawn(process.execPath, [SERVER], {
    env: {
      ...process.env,
      LEDGER_DATA: serverFolder,
      PORT: '0',
      HOST: '127.0.0.1',
      LOG_LEVEL: 'silent',
      LEDGER_SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: server.stdout as NodeJS.ReadableStream });
  const [line] = (await new Promise<string[]>((resolve, reject) => {
    lines.once('line', (text) => resolve([text]));
    lines.once('close', () => reject(new Error('the server ended')));
  })) as [string];
  url = /http:\S+/.exec(line)?.[0] ?? '';
  client = new BindingLedgerClient({ url });
  await ok(ledger('types', 'put', 'shop', '--version', '1=One'));
  await ok(ledger('models', 'put', 'shop.product', '--type', 'shop', '--local-model', 'product', '--index', 'group'));
  await ok(ledger('backends', 'add', 'shop', '--type', 'shop', '--location', 'https://shop.example.org'));
});

afterAll(stopServer);

async function stopServer(): Promise<void> {
  if (server.exitCode !== null) return;
  const ended = new Promise((resolve) => server.once('close', resolve));
  server.kill('SIGTERM');
  await ended;
}

/** A backend of its own, so that tests do not meet. */
async function backend(id: string): Promise<[string, string]> {
  await client.backends.register({ id, type: 'shop', location: `https://${id}.example.org` });
  return [id, 'shop.product'];
}

describe('one binding at a time', () => {
  it(
    'binds, finds, synchronizes, moves and unbinds',
    async () => {
      const bound = JSON.parse(
        await ok(ledger('bind', ...LEDGER, '1', 'a', '--data', '{"group":"g"}', '--sync-date', '2026-01-01T00:00:00Z', '--json')),
      ) as Record<string, object>;
      expect(bound).toMatchObject({
        outcome: 'created',
        binding: { recordId: '1', externalId: 'a', syncDate: '2026-01-01T00:00:00.000Z' },
      });
      expect(JSON.parse(await ok(ledger('lookup', ...LEDGER, '--external', 'a', '--json')))).toEqual(
        expect.objectContaining({ recordId: '1', data: { group: 'g' } }),
      );
      expect(await ok(ledger('sync', ...LEDGER, '--record', '1', '--sync-date', '2026-02-01T00:00:00Z'))).toMatch(
        /^outcome +synced\n[^]*sync date +2026-02-01T00:00:00.000Z\n/,
      );
      expect(await ok(ledger('move', ...LEDGER, '--record', '1', '--to', '2'))).toMatch(
        /^moved\nrecord +external id[^\n]*\n2 +a +bound /,
      );
      expect(await ok(ledger('list', ...LEDGER, '--where', 'group=g'))).toMatch(
        /^record +external id +state [^\n]*\n2 +a +bound +2026-02-01[^\n]*\{"group":"g"\}\n$/,
      );
      expect(linesOf(await ok(ledger('unbind', ...LEDGER, '--external', 'a', '--reason', 'gone', '--json')))).toMatchObject([
        { outcome: 'unbound' },
      ]);
      expect(await ok(ledger('unbind', ...LEDGER, '--external', 'a'))).toBe('outcome  unchanged\n');
      const events = linesOf(await ok(ledger('events', ...LEDGER, '--json'))).map(({ type }) => type);
      expect(events).toEqual(['LedgerOpened', 'BindingCreated', 'SyncDateUpdated', 'BindingMoved', 'BindingRemoved']);
      expect(await ok(ledger('status', ...LEDGER))).toMatch(/^state +open\nlive +0\n[^]*unbound +1\n/);
      expect(JSON.parse(await ok(ledger('digest', ...LEDGER, '--json')))).toMatchObject({
        ledger: 'shop/shop.product',
        revision: 4,
      });
    },
    LONG_MS,
  );

  it(
    'keeps backends, their states, and their passwords to itself',
    async () => {
      await backend('keep');
      const changed = await ledgerWith(
        'secret of the input\n',
        'backends',
        'change',
        'keep',
        '--username',
        'u',
        '--password-stdin',
        '--json',
      );
      expect(changed.code).toBe(0);
      expect(JSON.parse(changed.out)).toMatchObject({ username: 'u', hasPassword: true });
      await ok(ledger('backends', 'change', 'keep', '--password-env', 'SHOP_PASSWORD', '--version', '1'));
      expect(await ok(ledger('backends', 'pause', 'keep'))).toMatch(/state +paused/);
      const paused = await ledger('bind', 'keep', 'shop.product', '1', 'a', '--json');
      expect([paused.code, JSON.parse(paused.err)]).toEqual([
        5,
        { error: expect.objectContaining({ code: 'BACKEND_PAUSED', retryable: true }) as object },
      ]);
      await ok(ledger('backends', 'resume', 'keep'));
      await ok(ledger('backends', 'retire', 'keep', '--reason', 'over'));
      const history = await ok(ledger('backends', 'history', 'keep'));
      expect(history).toMatch(/BackendRegistered[^]*BackendPaused[^]*BackendResumed/);
      expect(history + changed.out + changed.err).not.toMatch(/secret of|of the variable/);
    },
    LONG_MS,
  );

  it('looks up many, in their order', async () => {
    const many = await backend('many');
    await client.ledger(...many).bind({ recordId: 1, externalId: 'a' });
    await client.ledger(...many).bind({ recordId: 2 });
    const found = await ledgerWith('x\na\r\n', 'lookup', ...many, '--external', '-');
    expect([found.code, found.out]).toEqual([3, 'external id  record\nx            -\na            1\n']);
    expect(await ok(ledger('lookup', ...many, '--record', '1', '--record', '2'))).toBe(
      'record  external id\n1       a\n2       pending\n',
    );
    const page = JSON.parse(await ok(ledger('list', ...many, '--limit', '1', '--json'))) as {
      items: object[];
      nextCursor: string;
    };
    const next = JSON.parse(
      await ok(ledger('list', ...many, '--limit', '1', '--cursor', page.nextCursor, '--json')),
    ) as typeof page;
    expect([...page.items, ...next.items]).toMatchObject([{ recordId: '1' }, { recordId: '2' }]);
  });
});

describe('exit codes', () => {
  it.each([
    [2, ['bogus'], 'unknown command'],
    [2, ['bind', 'shop'], 'missing required argument'],
    [2, ['sync', ...LEDGER], 'one of --record'],
    [2, ['bind', ...LEDGER, '1', 'a', '--data', './folder'], 'before the command'],
    [2, ['--data', 'x', 'types', 'list'], 'either --url or --data'],
    [2, ['import', ...LEDGER, '-', '--resume'], 'standard input'],
    [1, ['import', ...LEDGER, '/no/such/file'], 'ENOENT'],
    [3, ['list', 'nope', 'shop.product'], 'BACKEND_NOT_FOUND'],
    [3, ['lookup', ...LEDGER, '--external', 'nope'], 'NOT_BOUND'],
    [4, ['bind', ...LEDGER, '1', 'a', '--sync-date', 'yesterday'], 'MALFORMED|INVALID_SYNC_DATE'],
  ])('%i: %j', async (code, args, message) => {
    const ended = await ledger(...args);
    expect([ended.code, ended.out]).toEqual([code, '']);
    expect(ended.err).toMatch(new RegExp(message));
    // What went wrong, never where in the code.
    expect(ended.err).not.toMatch(/\n\s+at /);
  });

  it(
    '5: nothing answers there, or the folder is in use',
    async () => {
      const nobody = start(['--url', 'http://127.0.0.1:9', 'types', 'list']).ended;
      const inUse = await start(['--data', serverFolder, 'types', 'list']).ended;
      expect([inUse.code, inUse.out]).toEqual([5, '']);
      expect(inUse.err).toMatch(/^ledger: [^\n]* is in use: [^\n]*--url[^\n]*\n$/);
      const { code, err } = await nobody;
      expect([code, err]).toEqual([5, expect.stringMatching(/^ledger: UNREACHABLE: [^\n]*\n$/)]);
    },
    LONG_MS,
  );
});

describe('import and export', () => {
  it('imports CSV around its broken lines and keeps those', async () => {
    const csv = await backend('csv');
    const [input, refused] = [join(folder(), 'in.csv'), join(folder(), 'refused.ndjson')];
    writeFileSync(input, 'sku,ext,at,group\n1,a,2026-01-01T00:00:00Z,g\n2,"b,,\n1,c,,\n3,d,,"x ""y"""\n4,e');
    const columns = ['--record-column', 'sku', '--external-column', 'ext', '--sync-date-column', 'at', '--data-columns', 'group'];
    const ended = await ledger('import', ...csv, input, ...columns, '--refused', refused);
    expect([ended.code, ended.out]).toEqual([4, 'done     2\ncreated  2\nrefused  3 (MALFORMED 2, RECORD_ALREADY_BOUND 1)\n']);
    expect(ended.err).toMatch(
      /^line 3: MALFORMED[^\n]*\nline 4: RECORD_ALREADY_BOUND[^\n]*\nline 6: MALFORMED: the last line is not complete[^\n]*\n/,
    );
    expect(linesOf(readFileSync(refused, 'utf8'))).toMatchObject([
      { line: 3, code: 'MALFORMED' },
      { line: 4, code: 'RECORD_ALREADY_BOUND', command: { recordId: '1', externalId: 'c' } },
      { line: 6, code: 'MALFORMED' },
    ]);
    const all = linesOf(await ok(ledger('list', ...csv, '--json')));
    expect(all).toMatchObject([
      { recordId: '1', externalId: 'a', syncDate: '2026-01-01T00:00:00.000Z', data: { group: 'g' } },
      { recordId: '3', externalId: 'd', syncDate: null, data: { group: 'x "y"' } },
    ]);
    expect(readdirSync(dirname(input))).toEqual(['in.csv']);
  });

  it(
    'brings back what it exported, in both formats',
    async () => {
      const [from, ndjson, csv] = [await backend('from'), await backend('to-ndjson'), await backend('to-csv')];
      const rows = [
        '{"recordId":1,"externalId":"a,\\"b\\"","data":{"group":"ä","n":[1,null]}}',
        '{"op":"bind","recordId":2}',
        '{"recordId":3,"externalId":" c ","syncDate":null}',
        '{"op":"unbind","recordId":9}',
        '{',
      ];
      const imported = await ledgerWith(rows.join('\n'), 'import', ...from, '-', '--json');
      expect([imported.code, JSON.parse(imported.out)]).toEqual([
        4,
        { complete: true, lines: 5, done: 4, refused: 1, outcomes: { created: 3, unchanged: 1 }, refusals: { MALFORMED: 1 } },
      ]);
      const what = async (name: [string, string]) =>
        (await allOf(client.ledger(...name).bindings({}, { atLeast: 'head' }))).map(
          ({ recordId, externalId, syncDate, data, state }) => ({ recordId, externalId, syncDate, data, state }),
        );
      const original = await what(from);
      expect(original).toHaveLength(3);
      const file = join(folder(), 'out.csv');
      expect(await ok(ledger('export', ...from, '--format', 'csv', '--out', file))).toMatch(/^bindings +3\n/);
      expect(readdirSync(dirname(file))).toEqual(['out.csv']);
      await ok(ledger('import', ...csv, file));
      await ok(ledgerWith(await ok(ledger('export', ...from)), 'import', ...ndjson, '-'));
      expect(await what(csv)).toEqual(original);
      expect(await what(ndjson)).toEqual(original);
      const asItWas = await ok(ledger('export', ...from, '--as-of', 'revision:1'));
      expect(
        asItWas
          .trim()
          .split('\n')
          .map((line) => (JSON.parse(line) as { revision: number }).revision),
      ).toEqual([1]);
      // Under the final name stands a whole file or none.
      const failed = await ledger('export', 'nope', 'shop.product', '--out', join(folder(), 'none'));
      expect(failed.code).toBe(3);
    },
    LONG_MS,
  );

  it('ends quietly when its reader has seen enough', async () => {
    const { child, ended } = start(['--url', url, 'list', 'from', 'shop.product', '--json']);
    child.stdout?.destroy();
    expect(await ended).toMatchObject({ code: 0, err: '' });
  });

  it(
    'stops in the middle when it is told to, and goes on',
    async () => {
      const told = await backend('told');
      const input = manyRows();
      const first = start(['--url', url, 'import', ...told, input]);
      await inTheMiddle(input, first.child);
      first.child.kill('SIGINT');
      const stopped = await first.ended;
      expect([stopped.code, stopped.err]).toEqual([
        130,
        expect.stringMatching(/\nstopped after line \d+; the same command with --resume goes on from there\n$/),
      ]);
      const again = await ledger('import', ...told, input);
      expect([again.code, again.err]).toEqual([2, expect.stringContaining('--resume')]);
      const { code, out, err } = await ledger('import', ...told, input, '--resume', '--json');
      expect([code, JSON.parse(out)]).toEqual([4, complete]);
      expect(err).toContain(`goes on after line ${/after line (\d+)/.exec(stopped.err)?.[1]}`);
      expect(await client.ledger(...told).status({ atLeast: 'head' })).toMatchObject({ live: MANY - 1, headRevision: MANY - 1 });
    },
    LONG_MS,
  );
});

describe('on a data folder', () => {
  it(
    'begins a ledger where there is none',
    async () => {
      const fresh = join(folder(), 'data');
      expect(await start(['--data', fresh, 'types', 'put', 'shop']).ended).toMatchObject({
        code: 0,
        out: expect.stringContaining('shop') as string,
        err: `a new ledger begins in ${fresh}\n`,
      });
      expect(existsSync(fresh)).toBe(true);
      expect(await start(['--data', fresh, 'models', 'list']).ended).toMatchObject({ code: 0, err: 'nothing found\n' });
    },
    LONG_MS,
  );

  it(
    'survives kill -9 in the middle of an import, and goes on without a duplicate',
    async () => {
      await stopServer();
      const place = ['--data', serverFolder];
      const embedded = (...args: string[]) => start([...place, ...args]).ended;
      await ok(embedded('backends', 'add', 'killed', '--type', 'shop', '--location', 'https://killed.example.org'));
      const killed = ['killed', 'shop.product'];
      const [input, refused] = [manyRows(), join(folder(), 'refused')];
      const first = start([...place, 'import', ...killed, input, '--refused', refused]);
      await inTheMiddle(input, first.child);
      first.child.kill('SIGKILL');
      expect((await first.ended).signal).toBe('SIGKILL');
      const resumed = await embedded('import', ...killed, input, '--resume', '--json');
      expect([resumed.code, JSON.parse(resumed.out)]).toEqual([4, complete]);
      expect(linesOf(readFileSync(refused, 'utf8'))).toMatchObject([{ line: 500, code: 'MALFORMED' }]);
      expect(readdirSync(dirname(input))).toEqual(['many.ndjson']);
      // One event a binding: nothing was done twice.
      expect(JSON.parse(await ok(embedded('status', ...killed, '--json')))).toMatchObject({
        live: MANY - 1,
        unbound: 0,
        headRevision: MANY - 1,
      });
    },
    LONG_MS,
  );
});

const complete = {
  complete: true,
  lines: MANY,
  done: MANY - 1,
  refused: 1,
  outcomes: { created: MANY - 1 },
  refusals: { MALFORMED: 1 },
};

/** Rows without a date: done twice, they would leave two events. */
function manyRows(): string {
  const input = join(folder(), 'many.ndjson');
  const rows = Array.from({ length: MANY }, (_, index) =>
    index === 499 ? 'broken' : JSON.stringify({ recordId: index, externalId: `x${index}` }),
  );
  writeFileSync(input, `${rows.join('\n')}\n`);
  return input;
}

/** Waits until an import has noted that some lines are done. */
async function inTheMiddle(input: string, child: ChildProcess): Promise<void> {
  const file = `${input}.ledger-progress.json`;
  for (;;) {
    if (child.exitCode !== null) throw new Error('the import ended before it could be interrupted');
    const text = existsSync(file) ? readFileSync(file, 'utf8') : '{}';
    if (((JSON.parse(text) as { lines?: number }).lines ?? 0) > 0) return;
    await pause(2);
  }
}
