/** The built command line asks a server what was. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestServer } from '../support/http-server.js';

const CLI = join(dirname(dirname(import.meta.dirname)), 'dist/apps/cli/src/main.js');
const SHOP = ['shop', 'shop.product'];
/** Each command is a process of its own, which takes its time to start on a busy machine. */
const LONG_MS = 180_000;
let server: TestServer;
let url: string;

interface Ended {
  code: number;
  out: string;
  err: string;
}

/** One command, by a process of its own. */
async function ledger(...args: string[]): Promise<Ended> {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('LEDGER_')));
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [CLI, '--url', url, ...args], { env });
    return { code: 0, out: stdout, err: stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, out: stdout, err: stderr };
  }
}

async function ok(...args: string[]): Promise<string> {
  const { code, out, err } = await ledger(...args);
  expect([args, code, err]).toEqual([args, 0, '']);
  return out;
}

const linesOf = (text: string) =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

beforeAll(async () => {
  if (!existsSync(CLI)) throw new Error(`${CLI} is missing: build first (npm run build)`);
  server = await TestServer.start();
  await server.prepare();
  await server.commands([
    { op: 'bind', recordId: '7', externalId: 'A', syncDate: null },
    { op: 'bind', recordId: '7', externalId: 'B', ifBound: 'replace', syncDate: null, reason: 'renamed in the shop' },
    { op: 'move', fromRecordId: '7', toRecordId: '8' },
  ]);
  url = await server.server.listen(0, '127.0.0.1');
});
afterAll(() => server.close());

it(
  'tells the history of a record, an external id and a binding, with what became what',
  async () => {
    const table = await ok('history', ...SHOP, '--external', 'B');
    expect(table).toMatch(/ExternalIdReplaced +7 +A → B .*renamed in the shop/);
    expect(table).toMatch(/BindingMoved +7 → 8 +B/);
    const events = linesOf(await ok('history', ...SHOP, '--record', '7', '--json'));
    expect(events.map(({ revision, type }) => [revision, type])).toEqual([
      [1, 'BindingCreated'],
      [2, 'ExternalIdReplaced'],
      [3, 'BindingMoved'],
    ]);
    const binding = String(events[0]?.['bindingId']);
    const [page] = linesOf(await ok('history', ...SHOP, '--binding', binding, '--limit', '2', '--json'));
    expect(page).toEqual({ items: events.slice(0, 2), nextCursor: '2' });
    expect(await ledger('history', ...SHOP, '--binding', 'none')).toMatchObject({ code: 3 });
    expect(await ledger('history', ...SHOP)).toMatchObject({ code: 2 });
  },
  LONG_MS,
);

it(
  'looks up and lists as of a revision',
  async () => {
    expect(await ok('lookup', ...SHOP, '--external', 'A', '--as-of', 'revision:1')).toMatch(
      /record +7[^]*as of +revision 1, recorded/,
    );
    expect(await ledger('lookup', ...SHOP, '--external', 'A', '--as-of', 'revision:2')).toMatchObject({ code: 3 });
    const then = linesOf(await ok('list', ...SHOP, '--as-of', 'revision:2', '--json'));
    expect(then.map(({ recordId, externalId }) => [recordId, externalId])).toEqual([['7', 'B']]);
    const tooYoung = await ledger('lookup', ...SHOP, '--external', 'A', '--as-of', new Date().toISOString());
    expect([tooYoung.code, tooYoung.err]).toEqual([4, expect.stringContaining('not certain yet')]);
  },
  LONG_MS,
);

it(
  'tells of a record on all backends',
  async () => {
    expect(linesOf(await ok('records', 'bindings', 'product', '8', '--json'))).toMatchObject([
      { recordId: '8', externalId: 'B' },
    ]);
    const before = ['records', 'bindings', 'product', '8', '--as-of', '2020-01-01T00:00:00Z', '--json'];
    expect(linesOf(await ok(...before))).toEqual([]);
    expect(await ok('records', 'history', 'product', '8')).toMatch(/shop +shop\.product +3 .*BindingMoved/);
  },
  LONG_MS,
);
