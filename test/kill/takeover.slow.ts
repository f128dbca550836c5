/** Two instances of a durable subscriber as processes, with the lease as it is by default: one is killed, or paused and woken up. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { SubscriptionWorld, eventually } from '../support/subscriptions/world.js';

const program = join(import.meta.dirname, 'subscriber-instance.mjs');
const NAME = 'shared';
const LEDGERS = ['shop-1', 'shop-2', 'shop-3'].map((backend) => ({ backend, model: 'shop.product' }));
/** What a takeover may take at most. */
const TAKEOVER_MS = 10_000;

let folder: string;
let world: SubscriptionWorld;
let instances: ChildProcess[];
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ledger-takeover-'));
  writeFileSync(join(folder, 'handled.txt'), '');
  world = await SubscriptionWorld.open({ folder });
  instances = [];
});
afterEach(async () => {
  for (const instance of instances) await end(instance, 'SIGKILL');
  await world.close();
  rmSync(folder, { recursive: true, force: true });
});

async function end(instance: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (instance.exitCode !== null || instance.signalCode !== null) return;
  const gone = new Promise((resolve) => instance.once('exit', resolve));
  instance.kill(signal);
  await gone;
}

/** Told by its output: `took`, and `lost`. */
async function start(name: string): Promise<{ process: ChildProcess; said: () => string }> {
  const process_ = spawn(process.execPath, [program, folder, name], { stdio: ['ignore', 'pipe', 'inherit'] });
  instances.push(process_);
  let said = '';
  process_.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  return { process: process_, said: () => said };
}

interface Line {
  instance: string;
  backend: string;
  revision: number;
}

function handled(): Line[] {
  const text = readFileSync(join(folder, 'handled.txt'), 'utf8').trimEnd();
  if (text === '') return [];
  return text.split('\n').map((line) => {
    const [instance = '', backend = '', revision] = line.split(' ');
    return { instance, backend, revision: Number(revision) };
  });
}

const happen = async (count: number): Promise<void> => {
  const ids = Array.from({ length: count }, (_, index) => `b${index}`);
  for (const ledger of LEDGERS) await world.happen(ids, ledger);
};

/** None missing, and after each takeover each ledger goes back at most to the checkpoint, never ahead. */
function expectInOrder(perLedger: number): void {
  for (const { backend } of LEDGERS) {
    let next = 0;
    for (const { revision } of handled().filter((line) => line.backend === backend)) {
      expect(revision).toBeLessThanOrEqual(next);
      next = Math.max(next, revision + 1);
    }
    expect(next).toBe(perLedger);
  }
}

/** Watches that the checkpoint never moves backwards. */
function watch(): { stop(): Promise<void>; positions: string[] } {
  const positions: string[] = [];
  let stopped = false;
  const watching = (async () => {
    while (!stopped) {
      positions.push((await world.document(NAME)).position);
      await sleep(10);
    }
  })();
  return {
    positions,
    stop: async () => {
      stopped = true;
      await watching;
      expect(positions).toEqual(positions.toSorted());
    },
  };
}

it('takes over within ten seconds from one that was killed', async () => {
  await happen(100);
  const one = await start('one');
  await eventually(() => expect(handled().length).toBeGreaterThan(20));
  const watching = watch();
  await start('two');
  await happen(1_000);
  await end(one.process, 'SIGKILL');
  const killedAt = performance.now();
  await eventually(() => expect(handled().some(({ instance }) => instance === 'two')).toBe(true));
  const tookMs = performance.now() - killedAt;
  process.stderr.write(`taken over after ${Math.round(tookMs)} ms\n`);
  expect(tookMs).toBeLessThan(TAKEOVER_MS);
  await world.caughtUp(NAME);
  await watching.stop();
  expectInOrder(1_100);
});

it('is not disturbed by one that was paused and wakes up', async () => {
  await happen(100);
  const one = await start('one');
  await eventually(() => expect(handled().length).toBeGreaterThan(20));
  const watching = watch();
  const two = await start('two');
  await happen(2_000);
  one.process.kill('SIGSTOP');
  await eventually(() => expect(two.said()).toContain('took'));
  const { epoch } = await world.document(NAME);
  await eventually(() => expect(handled().some(({ instance }) => instance === 'two')).toBe(true));
  const before = handled().filter(({ instance }) => instance === 'one').length;
  one.process.kill('SIGCONT');
  await eventually(() => expect(one.said()).toContain('lost'));
  await world.caughtUp(NAME);
  await watching.stop();
  const after = handled().filter(({ instance }) => instance === 'one').length;
  // What its handlers had begun when it was paused, one for each ledger, and nothing more.
  expect(after - before).toBeLessThanOrEqual(LEDGERS.length);
  expect(await world.document(NAME)).toMatchObject({ epoch, instance: 'two' });
  for (const { backend } of LEDGERS) {
    const own = handled().filter((line) => line.backend === backend && line.instance === 'two');
    const first = own[0]?.revision ?? -1;
    expect(own.map(({ revision }) => revision)).toEqual(own.map((_, index) => first + index));
    expect(own.at(-1)?.revision).toBe(2_099);
  }
});
