/** `ledger events` as a user runs it: of one ledger, of all, and as they happen. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BindingLedgerClient } from '#client';
import { ServerProcess } from '../support/server-process.js';
import { temporaryFolders } from '../support/temporary-folders.js';

const CLI = join(import.meta.dirname, '../../dist/apps/cli/src/main.js');
const folder = temporaryFolders();
let server: ServerProcess;
let serverFolder: string;
let client: BindingLedgerClient;

class Command {
  err = '';
  readonly #child;
  readonly #lines: AsyncIterator<string>;
  readonly #ended: Promise<number | null>;

  constructor(...args: string[]) {
    const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('LEDGER_')));
    const child = spawn(process.execPath, [CLI, ...args], { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.err += text));
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    this.#ended = new Promise((resolve) => child.once('close', resolve));
  }

  async line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`it ended: ${this.err}`);
    return value;
  }

  async events(count: number): Promise<Record<string, string>[]> {
    const events = [];
    while (events.length < count) events.push(JSON.parse(await this.line()) as Record<string, string>);
    return events;
  }

  async rest(): Promise<{ lines: string[]; code: number | null; err: string }> {
    const lines: string[] = [];
    for (let next = await this.#lines.next(); !next.done; next = await this.#lines.next()) lines.push(next.value);
    return { lines, code: await this.#ended, err: this.err };
  }

  interrupt(): void {
    this.#child.kill('SIGINT');
  }
}

const events = (...args: string[]) => new Command('--url', server.url, 'events', ...args);
const recordsOf = (lines: string[]) => lines.map((line) => (JSON.parse(line) as { recordId: string }).recordId);

beforeAll(async () => {
  if (!existsSync(CLI)) throw new Error(`${CLI} is missing: build first (npm run build)`);
  serverFolder = folder();
  server = new ServerProcess(serverFolder);
  await server.start();
  client = new BindingLedgerClient({ url: server.url });
  await client.backendTypes.put('shop', {});
  await client.models.put('shop.product', { backendType: 'shop', localModel: 'product' });
  for (const id of ['shop-1', 'shop-2']) await client.backends.register({ id, type: 'shop', location: `https://${id}.example` });
  const ledgers = ['shop-1', 'shop-2'].map((id) => client.ledger(id, 'shop.product'));
  for (const ledger of ledgers) for (const recordId of ['1', '2']) await ledger.bind({ recordId, externalId: recordId });
  await ledgers[0]?.unbind({ recordId: '2' });
});
afterAll(() => server.stop());

/** Programs that start and stop several times over get longer, on a busy machine too. */
const LONG_MS = 180_000;

describe('events', { timeout: LONG_MS }, () => {
  it('of all ledgers are read to their end, by pages, filtered and limited', async () => {
    const all = await events('--json').rest();
    expect([recordsOf(all.lines), all.code, all.err]).toEqual([['1', '2', '1', '2', '2'], 0, '']);
    const { position } = JSON.parse(all.lines[2] ?? '') as { position: string };
    expect(recordsOf((await events('--json', '--after', position).rest()).lines)).toEqual(['2', '2']);
    expect(recordsOf((await events('--json', '--limit', '2').rest()).lines)).toEqual(['1', '2']);
    expect(recordsOf((await events('shop-2', '--json').rest()).lines)).toEqual(['1', '2']);
    const removed = await events('shop-1', 'shop.product', '--type', 'BindingRemoved', '--type', 'BindingMoved', '--json').rest();
    expect(recordsOf(removed.lines)).toEqual(['2']);
    const { lines } = await events('--record', '1').rest();
    expect(lines[0]).toMatch(/^ledger +revision +at +event +record +external id +actor$/);
    expect(lines[1]).toMatch(/^shop-1\/shop.product +1 +\S+ +BindingCreated +1 +1 +anonymous$/);
  });

  it('are followed until it is stopped, and say where to go on', async () => {
    const following = events('--follow', '--from', 'start', '--json', '--record', '1', '--record', 'new');
    expect((await following.events(2)).map(({ backend }) => backend)).toEqual(['shop-1', 'shop-2']);
    await client.ledger('shop-2', 'shop.product').bind({ recordId: 'new', externalId: 'new' });
    const [last] = await following.events(1);
    expect(last).toMatchObject({ recordId: 'new', type: 'BindingCreated' });
    following.interrupt();
    const { code, err, lines } = await following.rest();
    expect([code, lines]).toEqual([130, []]);
    const [, position] = /with --after (\S+) in place of --from start goes on from there/.exec(err) ?? [];
    expect(position).toBe(last?.['position']);
    await client.ledger('shop-1', 'shop.product').bind({ recordId: 'later', externalId: 'later' });
    const again = await events('--follow', '--after', position as string, '--limit', '1', '--json').rest();
    expect([recordsOf(again.lines), again.code]).toEqual([['later'], 0]);
  });

  it('are followed across a restart of the server', async () => {
    const bind = (id: string) => client.ledger('shop-1', 'shop.product').bind({ recordId: id, externalId: id });
    await bind('before');
    const following = events('--follow', '--json', '--from', 'start', '--record', 'before', '--record', 'after', '--limit', '2');
    expect(recordsOf([await following.line()])).toEqual(['before']);
    await server.stop('SIGKILL');
    await server.start();
    await bind('after');
    const { lines, code, err } = await following.rest();
    expect([recordsOf(lines), code]).toEqual([['after'], 0]);
    expect(err).toMatch(/^(STREAM_CUT|UNREACHABLE): trying again in \d+\.\d s$/m);
  });

  it.each([
    ['a position that is gone', ['--follow', '--after', '12'], 4, /POSITION_GONE/],
    ['a position that is gone, by pages', ['--after', '12'], 4, /POSITION_GONE/],
    ['a type that is none', ['--follow', '--type', 'Nonsense'], 2, /--type: must be one of "BindingCreated"/],
    ['two beginnings', ['--follow', '--after', '12', '--from', 'start'], 2, /either --after or --from/],
    [
      'a position where a revision is wanted',
      ['shop-1', 'shop.product', '--after', 'start'],
      2,
      /of one ledger it is a revision/,
    ],
  ])('%s is said at once', async (_what, args, code, why) => {
    const ended = await events(...args).rest();
    expect([ended.code, ended.lines]).toEqual([code, []]);
    expect(ended.err).toMatch(why);
  });
});

describe('a data folder', { timeout: LONG_MS }, () => {
  it('that a server has is refused, and says what to do', async () => {
    const { code, err } = await new Command('--data', serverFolder, 'events', '--follow').rest();
    expect(code).toBe(5);
    expect(err).toMatch(/is in use: stop what has it open.*; if a server has it, talk to that server with --url/);
  });

  it('can be followed by whoever has it alone', async () => {
    await server.stop();
    const following = new Command('--data', serverFolder, 'events', '--follow', '--from', 'start', '--json');
    expect((await following.events(1))[0]).toMatchObject({ recordId: '1' });
    expect(following.err).toContain('no other process can write to it');
    following.interrupt();
    expect((await following.rest()).code).toBe(130);
    const { lines, code } = await new Command('--data', serverFolder, 'events', '--json', '--record', '1').rest();
    expect([recordsOf(lines), code]).toEqual([['1', '1'], 0]);
  });
});
