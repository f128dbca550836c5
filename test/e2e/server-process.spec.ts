/** The server as a process: what it says when it starts, when it cannot, and how it ends. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BACKGROUND_PRIORITY } from '../../libs/runtime/src/thread-priority.js';

const MAIN = join(import.meta.dirname, '../../dist/apps/server/src/main.js');
const PASSWORD = 'pass-Zx81-word';

let folder: string;
const running: ChildProcess[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'server-process-'));
});
afterEach(async () => {
  for (const child of running.splice(0)) if (child.exitCode === null && child.signalCode === null) await kill(child, 'SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

function start(env: Record<string, string>): { child: ChildProcess; out: () => string; err: () => string } {
  const child = spawn(process.execPath, [MAIN], { env: { PATH: process.env['PATH'], PORT: '0', LEDGER_DATA: folder, ...env } });
  running.push(child);
  const said = { out: '', err: '' };
  child.stdout?.on('data', (piece: Buffer) => (said.out += piece.toString()));
  child.stderr?.on('data', (piece: Buffer) => (said.err += piece.toString()));
  return { child, out: () => said.out, err: () => said.err };
}

async function started(env: Record<string, string> = {}): Promise<ReturnType<typeof start> & { url: string }> {
  const server = start(env);
  const exited = once(server.child, 'exit').then(() => {
    throw new Error(`it ended: ${server.err()}`);
  });
  exited.catch(() => undefined);
  for (;;) {
    const [, url] = /(http:\/\/\S+)  \(documentation: http:\/\/\S+\/docs\)/.exec(server.out()) ?? [];
    if (url !== undefined) return { ...server, url };
    await Promise.race([once(server.child.stdout!, 'data'), exited]);
  }
}

async function kill(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  const exited = once(child, 'exit') as Promise<[number | null]>;
  child.kill(signal);
  return (await exited)[0];
}

/** The priorities of a process' threads, where the system gives each its own: 0 is the ordinary one, higher ones go later. */
function prioritiesOf({ pid }: ChildProcess): number[] {
  const folder = `/proc/${pid}/task`;
  if (!existsSync(folder)) return [];
  const stats = readdirSync(folder).map((thread) => readFileSync(join(folder, thread, 'stat'), 'utf8'));
  return stats.map((stat) => Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]));
}

async function ended(env: Record<string, string>): Promise<{ code: number | null; err: string; out: string }> {
  const { child, out, err } = start(env);
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, err: err(), out: out() };
}

describe('a server that starts', () => {
  it('lets the thread that projects go after those that somebody waits for', async () => {
    const { child } = await started();
    // The thread starts when the server does, but need not be there when it first answers.
    const others = () => prioritiesOf(child).filter((priority) => priority !== 0);
    await expect.poll(others, { timeout: 20_000 }).toEqual(process.platform === 'linux' ? [BACKGROUND_PRIORITY] : []);
  });

  it('says where it is, serves, and ends in order with everything it acknowledged', async () => {
    const first = await started({ LEDGER_SECRET_KEY: Buffer.alloc(32, 1).toString('base64'), LOG_LEVEL: 'trace' });
    const send = (method: string, path: string, body: object) =>
      fetch(first.url + path, { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    await send('PUT', '/v1/backend-types/shop', {});
    await send('PUT', '/v1/models/shop.product', { backendType: 'shop', localModel: 'product' });
    await send('POST', '/v1/backends', { id: 'shop', type: 'shop', location: 'https://shop.example.org', password: PASSWORD });
    const bound = await send('POST', '/v1/backends/shop/models/shop.product/bindings', { recordId: 1, externalId: 'a' });
    expect(bound.status).toBe(201);
    expect((await fetch(`${first.url}/docs`)).status).toBe(200);
    expect((await fetch(`${first.url}/health/ready`)).status).toBe(200);
    expect(await kill(first.child, 'SIGTERM')).toBe(0);
    expect(first.out() + first.err()).not.toContain(PASSWORD);

    const second = await started();
    const found = await fetch(`${second.url}/v1/backends/shop/models/shop.product/external/a?atLeast=head`);
    expect(await found.json()).toMatchObject({ recordId: '1' });
    expect(await kill(second.child, 'SIGINT')).toBe(0);
  });

  it('is reached from this machine only, unless it is told that others are kept away, and warns then', async () => {
    expect((await started()).url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    const open = await started({ HOST: '0.0.0.0', LEDGER_INSECURE: 'true', LEDGER_DATA: ':memory:' });
    while (!open.out().includes('everybody who can reach this address may do everything')) await once(open.child.stdout!, 'data');
  });
});

describe('a server that cannot start says why in one line', () => {
  it.each<[string, Record<string, string>, RegExp]>([
    ['a port that is none', { PORT: 'http' }, /PORT is a number from 0 to 65535/],
    ['a level that is none', { LOG_LEVEL: 'loud' }, /LOG_LEVEL is one of fatal, error/],
    ['a host that others can reach', { HOST: '0.0.0.0' }, /HOST 0\.0\.0\.0 can be reached by others, and there are no API keys/],
    ['an exception that is none', { LEDGER_INSECURE: 'yes' }, /LEDGER_INSECURE is true or nothing, not "yes"/],
    [
      'an event store that is not there',
      { EVENTSTORE_URL: 'esdb://me:hunter2@127.0.0.1:9?tls=false', MONGODB_URL: 'mongodb://me:hunter2@127.0.0.1:9' },
      /EVENTSTORE_URL: .* 127\.0\.0\.1:9 cannot be used: connect ECONNREFUSED 127\.0\.0\.1:9 \(is the node running/,
    ],
    ['a host that is none', { HOST: 'no.such.host.invalid', LEDGER_INSECURE: 'true' }, /no\.such\.host\.invalid/],
    ['one store without the other', { EVENTSTORE_URL: 'esdb://localhost' }, /EVENTSTORE_URL is set but MONGODB_URL is not/],
    ['a key that is none', { LEDGER_SECRET_KEY: 'hunter2-hunter2' }, /LEDGER_SECRET_KEY: key 1 is not 32 bytes/],
    ['a prefix that is none', { LEDGER_STREAM_PREFIX: 'Prefix' }, /LEDGER_STREAM_PREFIX/],
  ])('%s', async (_what, env, why) => {
    const { code, err, out } = await ended(env);
    expect(code).toBe(1);
    expect(err).toMatch(why);
    expect(err.trim().split('\n')).toHaveLength(1);
    expect(err).not.toContain('hunter2');
    expect(out).toBe('');
  });

  it('a folder that another one has open', async () => {
    await started();
    const { code, err } = await ended({});
    expect(code).toBe(1);
    expect(err).toContain(folder);
    // It may be no server that has it, and there is no such option here.
    expect(err).not.toContain('--url');
    expect(err.trim().split('\n')).toHaveLength(1);
  });

  it('a port that another one has open', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const { code, err } = await ended({ PORT: String(port) });
    expect([code, err]).toEqual([1, `binding ledger: port ${port} on 127.0.0.1 is in use: set PORT to another one\n`]);
    other.close();
    // The folder was let go of.
    await started();
  });
});
