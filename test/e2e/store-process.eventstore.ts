/** The server as a process that is to run on EventStoreDB: what it says when it cannot. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { makeCertificate } from '../support/stand-in/certificate.js';
import { startStandIn, type StandIn, type StandInOptions } from '../support/stand-in/index.js';
import { temporaryFolders } from '../support/temporary-folders.js';

const MAIN = join(import.meta.dirname, '../../dist/apps/server/src/main.js');
const PASSWORD = 'pass-Zx81-word';
/** Nobody is there: what is wrong with the event store is told first. */
const MONGODB_URL = `mongodb://ledger:${PASSWORD}@127.0.0.1:9/ledger?serverSelectionTimeoutMS=1000`;
const LIMIT_MS = 10_000;

const newFolder = temporaryFolders();
const stopping: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of stopping.splice(0)) await stop();
});

async function start(options: StandInOptions = {}): Promise<StandIn> {
  const node = await startStandIn(options);
  stopping.push(() => node.stop());
  return node;
}

/** How long a process takes that has nothing to ask: what a slow machine adds is not the store's. */
let startMs = 0;
beforeAll(async () => {
  const begun = performance.now();
  await ended({ PORT: 'http' });
  startMs = performance.now() - begun;
});

async function ended(env: Record<string, string>): Promise<string> {
  const begun = performance.now();
  const child = spawn(process.execPath, [MAIN], {
    env: { PATH: process.env['PATH'], PORT: '0', LEDGER_DATA: newFolder(), ...env },
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (piece: Buffer) => (out += piece.toString()));
  child.stderr.on('data', (piece: Buffer) => (err += piece.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  expect(performance.now() - begun).toBeLessThan(startMs === 0 ? Infinity : LIMIT_MS + 3 * startMs);
  expect(code).toBe(1);
  expect(out).toBe('');
  expect(err).not.toContain(PASSWORD);
  expect(err).not.toMatch(/^ +at /m);
  expect(err.trim().split('\n')).toHaveLength(1);
  return err;
}

describe('a server that cannot start on EventStoreDB says why in one line, within ten seconds', () => {
  it.each([
    [
      'EVENTSTORE_URL without MONGODB_URL',
      { EVENTSTORE_URL: `esdb://ledger:${PASSWORD}@localhost` },
      /EVENTSTORE_URL is set but MONGODB_URL is not/,
    ],
    ['MONGODB_URL without EVENTSTORE_URL', { MONGODB_URL }, /MONGODB_URL is set but EVENTSTORE_URL is not/],
    [
      'a connection string that is none',
      { EVENTSTORE_URL: `esdb://ledger:${PASSWORD}@a@b`, MONGODB_URL },
      /EVENTSTORE_URL: it has the form esdb:/,
    ],
    [
      'nobody there',
      { EVENTSTORE_URL: 'esdb://127.0.0.1:9?tls=false', MONGODB_URL },
      /The event store at 127\.0\.0\.1:9 cannot be used: .*ECONNREFUSED/,
    ],
  ])('%s', async (_what, env, why) => {
    expect(await ended(env)).toMatch(why);
  });

  it('a node that takes the connection and never answers', async () => {
    const sockets = new Set<Socket>();
    const silent = createServer((socket) => sockets.add(socket)).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    stopping.push(async () => {
      for (const socket of sockets) socket.destroy();
      silent.close();
    });
    const { port } = silent.address() as AddressInfo;
    expect(await ended({ EVENTSTORE_URL: `esdb://127.0.0.1:${port}?tls=false`, MONGODB_URL })).toMatch(
      /The event store at .* (cannot be used|did not answer)/,
    );
  });

  it('a wrong password', async () => {
    const certificate = makeCertificate('127.0.0.1');
    const file = join(newFolder(), 'authority.pem');
    writeFileSync(file, certificate.certificate);
    const { port } = await start({ tls: certificate, users: { ledger: 'right' } });
    const query = `tls=true&tlsCAFile=${encodeURIComponent(file)}`;
    const env = { EVENTSTORE_URL: `esdb://ledger:${PASSWORD}@127.0.0.1:${port}?${query}`, MONGODB_URL, NODE_NO_WARNINGS: '1' };
    expect(await ended(env)).toMatch(/refuses access: check user and password/);
  });

  it('a read-only follower', async () => {
    const { url } = await start({ role: 'readOnlyReplica' });
    expect(await ended({ EVENTSTORE_URL: url, MONGODB_URL })).toMatch(/takes no writes: it is a follower or a read-only replica/);
  });

  it('a clock that is off', async () => {
    const node = await start();
    node.faults.clockSkewMs = 30_000;
    expect(await ended({ EVENTSTORE_URL: node.url, MONGODB_URL })).toMatch(
      /The clock of this machine is (29|30)\.\d s behind that of the event store/,
    );
  });

  it('MongoDB that is not there, although the event store is', async () => {
    const { url } = await start();
    expect(await ended({ EVENTSTORE_URL: url, MONGODB_URL })).toMatch(/MongoDB cannot be used/);
  });
});
