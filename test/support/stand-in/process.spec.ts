/** The stand-in as a process of its own, and what it keeps in a file. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync, statSync, truncateSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { AccessDeniedError, EventStoreDBClient, NO_STREAM } from '@eventstore/db-client';
import { afterAll, describe, expect, it } from 'vitest';
import { temporaryFolders } from '../temporary-folders.js';
import { makeCertificate } from './certificate.js';
import { events, name, refusal, revisionsOf, standIns, until } from './client.js';

const { start, connect } = standIns();
const folder = temporaryFolders();
const ROOT = dirname(dirname(dirname(import.meta.dirname)));
/** A process translates its sources first, which takes its time on a machine that is busy. */
const START_MS = 120_000;
const TIMEOUT_MS = 300_000;
const processes: ChildProcess[] = [];
afterAll(() => {
  for (const child of processes) child.kill('SIGKILL');
});

interface Running {
  child: ChildProcess;
  url: string;
  ask(call: string, body?: object): Promise<Record<string, unknown>>;
}

async function run(...args: string[]): Promise<Running> {
  const program = join(import.meta.dirname, 'main.ts');
  const hooks = join(import.meta.dirname, 'typescript.mjs');
  const child = spawn(process.execPath, ['--import', hooks, program, '--port', '0', ...args], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  processes.push(child);
  const lines: string[] = [];
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => lines.push(line));
  await until(() => lines.length >= 2 || child.exitCode !== null, 'the lines that say where it is', START_MS);
  const [url = '', control = ''] = lines;
  return {
    child,
    url,
    async ask(call, body) {
      const [method = 'GET', path = ''] = call.split(' ');
      const response = await fetch(control.replace('faults: ', '') + path, { method, body: body && JSON.stringify(body) });
      return (await response.json()) as Record<string, unknown>;
    },
  };
}

describe('a process of its own', { timeout: TIMEOUT_MS }, () => {
  it('is told over HTTP what is to go wrong, and ends when it is asked to', async () => {
    const { child, url, ask } = await run();
    const client = connect(url);
    const stream = name('told');
    const { id } = await ask('POST /faults', { kind: 'refuse', method: 'append', streamPattern: '^told-', times: 2 });
    for (let attempt = 0; attempt < 2; attempt++) {
      expect(await refusal(client.appendToStream(stream, events(1)))).toMatchObject({ code: 14 });
    }
    await client.appendToStream(stream, events(1));
    const listed = (await ask('GET /faults')) as unknown as { id: string; hits: number }[];
    expect(listed).toMatchObject([{ id, kind: 'refuse', hits: 2 }]);
    expect(await ask('GET /status')).toMatchObject({ role: 'leader', openCalls: { batchAppend: 1 } });
    await ask(`DELETE /faults/${String(id)}`);
    expect(await ask('GET /faults')).toEqual([]);
    expect(await ask('POST /faults', { kind: 'nonsense' })).toHaveProperty('detail');
    await ask('POST /restart');
    await until(async () => (await refusal(client.appendToStream(stream, events(1)))) === 'no refusal');
    expect((await revisionsOf(client, stream)).length).toBeGreaterThanOrEqual(2);
    child.kill();
    await until(() => child.exitCode === 0, 'its end');
  });

  it('that is killed has everything that it acknowledged, when it keeps a file', async () => {
    const file = join(folder(), 'events.log');
    const first = await run('--file', file);
    const client = connect(first.url);
    const stream = name('killed');
    let acknowledged = -1n;
    const appending = (async () => {
      for (;;) {
        const expectedRevision = acknowledged < 0n ? NO_STREAM : acknowledged;
        const result = await client.appendToStream(stream, events(50), { expectedRevision });
        acknowledged = result.nextExpectedRevision;
      }
    })();
    const failed = refusal(appending);
    await until(() => acknowledged >= 499n);
    first.child.kill('SIGKILL');
    expect(await failed).toMatchObject({ code: 14 });
    const second = await run('--file', file);
    const revisions = await revisionsOf(connect(second.url), stream);
    expect(BigInt(revisions.length)).toBeGreaterThan(acknowledged);
    expect(revisions.length % 50).toBe(0);
    expect(revisions.every((revision, index) => revision === index)).toBe(true);
  });
});

describe('a file', () => {
  it('gives back positions, metadata and tombstones; half an append at its end is cut off', async () => {
    const file = join(folder(), 'events.log');
    const node = await start({ file });
    const client = connect(node.url);
    const [kept, gone] = [name('kept'), name('gone')];
    const written = await client.appendToStream(kept, events(3));
    await client.setStreamMetadata(kept, { truncateBefore: 1 });
    await client.appendToStream(gone, events(1));
    await client.tombstoneStream(gone);
    const whole = statSync(file).size;
    await client.appendToStream(kept, events(2));
    await node.down();
    truncateSync(file, statSync(file).size - 7);
    const again = await start({ file });
    const other = connect(again.url);
    expect(statSync(file).size).toBe(whole);
    expect(await revisionsOf(other, kept)).toEqual([1, 2]);
    expect(again.log.stream(kept)?.events.at(-1)?.position).toBe(Number(written.position?.commit));
    expect(again.log.stream(gone)?.tombstoned).toBe(true);
    const next = await other.appendToStream(kept, events(1), { expectedRevision: 2n });
    expect(next.position?.commit).toBeGreaterThan(BigInt(node.log.stream(gone)?.events[0]?.position ?? 0));
  });
});

describe('users', () => {
  it('are known by name and password, over TLS', async () => {
    const tls = makeCertificate('127.0.0.1');
    const node = await start({ users: { ledger: 'a:b' }, tls });
    const attempt = async (credentials: { username: string; password: string } | undefined) => {
      const endpoint = { address: node.host, port: node.port };
      const client = new EventStoreDBClient({ endpoint }, { rootCertificate: Buffer.from(tls.certificate) }, credentials);
      const outcome = await refusal(client.appendToStream(name('user'), events(1)));
      await client.dispose();
      return outcome;
    };
    expect(await attempt({ username: 'ledger', password: 'a:b' })).toBe('no refusal');
    expect(await attempt({ username: 'ledger', password: 'wrong' })).toMatchObject({ code: 16 });
    expect(await attempt({ username: 'nobody', password: 'a:b' })).toBeInstanceOf(AccessDeniedError);
    expect(await attempt(undefined)).toMatchObject({ code: 7 });
  });
});

describe('the conformance suite that is kept here', () => {
  it('is the one that is handed around, where that is there', () => {
    const kept = readFileSync(join(import.meta.dirname, 'conformance', 'eventstoredb.test.mjs'), 'utf8');
    const handedAround = join(dirname(ROOT), 'shared', 'conformance', 'eventstoredb.test.mjs');
    expect(existsSync(handedAround) ? readFileSync(handedAround, 'utf8') : kept).toBe(kept);
    expect(kept.match(/^kase\(/gm)).toHaveLength(33);
  });
});
