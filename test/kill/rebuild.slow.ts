/**
 * kill -9 at random moments of a rebuild, by a server that is written meanwhile and by the command line: nothing that was answered before
 * is lost, and the next rebuild goes on and ends with what the events say. REBUILD_KILLS (6) and KILL_SEED widen or repeat it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { BindingLedgerClient, type BindCommand, type Ledger } from '#client';
import { ServerProcess } from '../support/server-process.js';
import { temporaryFolders } from '../support/temporary-folders.js';

const KILLS = Number(process.env['REBUILD_KILLS'] ?? 6);
const SEED = Number(process.env['KILL_SEED'] ?? Date.now() % 1_000_000);
const RECORDS = 20_000;
const LONGEST_LIFE_MS = 2_500;
const CLI = join(import.meta.dirname, '../../dist/apps/cli/src/main.js');
const NAME = 'shop-1/shop.product';

const newFolder = temporaryFolders();
let folder = '';
let server: ServerProcess;
let ledger: Ledger;
let seed = SEED;

/** Mulberry32: the moments are the same for the same seed, as far as the machine lets them. */
function random(): number {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
}

function* binds(from: number, to: number): Generator<BindCommand> {
  for (let i = from; i < to; i += 1) yield { op: 'bind', recordId: `r${i}`, externalId: `e${i}` };
}

async function bind(from: number, to: number): Promise<void> {
  for await (const result of ledger.commands(binds(from, to), { keys: false })) expect(result.error).toBeUndefined();
}

async function expectThere(count: number): Promise<void> {
  for (let n = 0; n < 20; n += 1) {
    const number = Math.floor(random() * count);
    const found = await ledger.toInternal(`e${number}`, { atLeast: 'head', atLeastTimeoutMs: 60_000 });
    expect(found.recordId).toBe(`r${number}`);
  }
}

beforeAll(async () => {
  folder = newFolder();
  server = new ServerProcess(folder);
  await server.start();
  const client = new BindingLedgerClient({ url: server.url });
  await client.backendTypes.put('shop', {});
  await client.models.put('shop.product', { backendType: 'shop', localModel: 'product' });
  await client.backends.register({ id: 'shop-1', type: 'shop', location: 'https://shop.example' });
  ledger = client.ledger('shop-1', 'shop.product');
  await bind(0, RECORDS);
}, 300_000);
afterAll(() => server.stop('SIGKILL'));

it('goes on after a kill of the server that rebuilds, and no answer is lost', async () => {
  process.stderr.write(`${KILLS} kills, KILL_SEED=${SEED}\n`);
  let count = RECORDS;
  for (let kill = 0; kill < KILLS; kill += 1) {
    const rebuilding = ledger.rebuild({ timeoutMs: 60_000 }).then(
      () => 'rebuilt',
      () => 'cut',
    );
    await sleep(random() * LONGEST_LIFE_MS);
    await bind(count, count + 200);
    count += 200;
    await server.stop('SIGKILL');
    expect(await rebuilding).toBe('cut');
    await server.start();
    await expectThere(count);
  }
  const { revision } = await ledger.rebuild({ timeoutMs: 120_000 });
  expect(revision).toBeGreaterThanOrEqual(count);
  expect(await ledger.differences({ timeoutMs: 120_000 })).toMatchObject({ ok: true, compared: count });
});

it('goes on after kills of the command line, on a folder that nobody has open', async () => {
  const before = await ledger.differences({ timeoutMs: 120_000 });
  await server.stop();
  for (let kill = 0; kill < KILLS; kill += 1) {
    const child = spawn(process.execPath, [CLI, '--data', folder, 'rebuild', '--ledger', NAME], { stdio: 'ignore' });
    const gone = once(child, 'exit');
    await sleep(200 + random() * LONGEST_LIFE_MS);
    child.kill('SIGKILL');
    await gone;
  }
  const child = spawn(process.execPath, [CLI, '--data', folder, 'rebuild', '--ledger', NAME], { stdio: 'ignore' });
  expect(await once(child, 'exit')).toEqual([0, null]);
  await server.start();
  expect(await ledger.differences({ timeoutMs: 120_000 })).toEqual({ ...before, ok: true });
});
