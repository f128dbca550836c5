/** Several instances of the ledger on one event store and one database. */
import { setTimeout as sleep } from 'node:timers/promises';
import { MongoClient } from 'mongodb';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { evolve, isBindingEvent, stampOf, type Binding, type Command, type LedgerName } from '#domain';
import { readLedgerEvent } from '#ledger';
import { openLedger, type OpenedLedger } from '#runtime';
import { eventStoreNode, type EventStoreNode } from '../support/eventstoredb-node.js';
import { dropDatabase, newDatabaseUrl } from '../support/mongodb/database.js';
import { InstanceProgram, openWithCatalog, type Instance, type InstanceConfig } from '../support/mongodb/instances.js';

const BACKENDS = ['shop-1', 'shop-2', 'shop-3', 'shop-4'];
const LEDGERS = BACKENDS.map((backend) => ({ backend, model: 'shop.product' }));
const [LEDGER] = LEDGERS as [LedgerName];
const TAKEN_OVER_MS = 10_000;
/** Commands for each writer, of each measurement. */
const WORK = 1_000;

let program: InstanceProgram;
let node: EventStoreNode;
let config: InstanceConfig;
/** An instance of this process that only looks, and has made the catalog. */
let observer: OpenedLedger;

beforeAll(() => {
  program = new InstanceProgram();
});
afterAll(() => program.remove());
afterEach(async () => {
  await observer.close();
  await node.stop();
  await dropDatabase(config.mongodbUrl as string);
});

async function begin(): Promise<void> {
  node = await eventStoreNode();
  config = { eventStoreUrl: node.url, mongodbUrl: newDatabaseUrl(), streamPrefix: `i${Date.now().toString(36)}-` };
  observer = await openWithCatalog(config, BACKENDS);
}

function binds(name: string, from: number, to: number): Command[] {
  return Array.from({ length: to - from }, (_, index) => {
    const id = `${name}-${from + index}`;
    return { op: 'bind', recordId: id, externalId: id, syncDate: null };
  });
}

/** The bindings as the stream has them, which must be without gap or contradiction; no external id is bound twice at any time. */
async function foldOf(ledger: LedgerName): Promise<Map<string, Binding>> {
  const bindings = new Map<string, Binding>();
  const holders = new Map<string, string>();
  for (let after = -1; ;) {
    const page = await observer.store.readStream(observer.streams.ledger(ledger), { after, limit: 1_000 });
    for (const event of page.map(readLedgerEvent)) {
      expect(event.revision).toBe(after + 1);
      after = event.revision;
      if (!isBindingEvent(event)) continue;
      const binding = evolve(bindings.get(event.data.bindingId), event, stampOf(event));
      bindings.set(binding.id, binding);
      if (binding.externalId === null || binding.state === 'unbound') continue;
      expect([undefined, binding.id]).toContain(holders.get(binding.externalId));
      holders.set(binding.externalId, binding.id);
    }
    if (page.length === 0) return bindings;
  }
}

/** Waits until the read model is as far as the stream, and compares the two. */
async function expectProjected(ledger: LedgerName, timeoutMs = 120_000): Promise<Map<string, Binding>> {
  const bindings = await foldOf(ledger);
  const head = Math.max(...[...bindings.values()].map(({ revision }) => revision));
  expect(await observer.progress.reach(ledger, head, timeoutMs)).toBeUndefined();
  const all = [...bindings.values()];
  for (let start = 0; start < all.length; start += 500) {
    const part = all.slice(start, start + 500);
    const found = await observer.readModel.findByRecordIds(
      ledger,
      part.map(({ recordId }) => recordId),
    );
    const live = part.filter(({ state }) => state !== 'unbound');
    expect(new Map(found.bindings.map((binding) => [binding.id, binding]))).toEqual(
      new Map(live.map((binding) => [binding.id, binding])),
    );
  }
  const counts = { pending: 0, bound: 0, unbound: 0 };
  for (const { state } of all) counts[state] += 1;
  expect((await observer.readModel.ledgerDocument(ledger))?.state.counts).toEqual(counts);
  return bindings;
}

/** The process that projects, as the lease says; `NaN` when nobody does. */
async function projecting(): Promise<number> {
  const client = new MongoClient(config.mongodbUrl as string);
  try {
    const lease = await client.db().collection<{ _id: string; holder: string | null }>('leases').findOne({ _id: 'projection' });
    return Number(lease?.holder?.split(' ')[1]);
  } finally {
    await client.close();
  }
}

async function until(what: () => Promise<boolean>, timeoutMs: number): Promise<number> {
  const began = performance.now();
  while (!(await what())) {
    if (performance.now() - began > timeoutMs) throw new Error(`not within ${timeoutMs} ms`);
    await sleep(50);
  }
  return performance.now() - began;
}

describe('writers in four processes', () => {
  it('on one ledger: each external id is bound once, nothing acknowledged is missing, whoever asks is answered', async () => {
    await begin();
    const instances = await Promise.all(BACKENDS.map(() => program.start(config)));
    // All four want the same external ids for records of their own, and some that nobody else wants.
    const contended = (name: string): Command[] =>
      Array.from({ length: 300 }, (_, index) => ({
        op: 'bind',
        recordId: `${name}-c${index}`,
        externalId: `c${index}`,
        syncDate: null,
      }));
    const own = BACKENDS.map((name) => binds(name, 0, 300));
    const outcomes = await Promise.all(
      instances.map((instance, index) => {
        const mixed = contended(`p${index}`).flatMap((command, place) => [command, own[index]?.[place] as Command]);
        return instance.execute(LEDGER, mixed, 50);
      }),
    );
    const bindings = [...(await expectProjected(LEDGER)).values()];
    for (let index = 0; index < 300; index += 1) {
      expect(outcomes.map((of) => of[index * 2]).sort()).toEqual([
        'EXTERNAL_ID_TAKEN',
        'EXTERNAL_ID_TAKEN',
        'EXTERNAL_ID_TAKEN',
        'created',
      ]);
      for (const of of outcomes) expect(of[index * 2 + 1]).toBe('created');
    }
    expect(bindings).toHaveLength(300 + 4 * 300);
    for (const instance of instances) await instance.stop();
  });

  it('do one, two and four times the work on one ledger and on four, and lose none of it', async () => {
    await begin();
    const instances = await Promise.all(BACKENDS.map(() => program.start(config)));
    const rates: string[] = [];
    for (const writers of [1, 2, 4]) {
      for (const spread of [false, true]) {
        const began = performance.now();
        const done = await Promise.all(
          instances.slice(0, writers).map((instance, index) => {
            const commands = binds(`${writers}${spread ? 's' : 'o'}${index}`, 0, WORK);
            return instance.execute(spread ? (LEDGERS[index] as LedgerName) : LEDGER, commands, 500);
          }),
        );
        expect(done.flat().filter((outcome) => outcome !== 'created')).toEqual([]);
        const perSecond = Math.round((writers * WORK * 1_000) / (performance.now() - began));
        rates.push(`${writers} writers on ${spread ? 'a ledger each' : 'one ledger'}: ${perSecond} commands/s`);
      }
    }
    process.stderr.write(`${rates.join('\n')}\n`);
    expect((await expectProjected(LEDGER)).size).toBe(WORK * (1 + 2 + 4) + WORK * 3);
    for (const ledger of LEDGERS.slice(1)) expect((await expectProjected(ledger)).size).toBeGreaterThan(0);
    for (const instance of instances) await instance.stop();
  });
});

describe('the projection', () => {
  /** Two instances, one of which projects; the observer comes later, and stands by as the other does. */
  async function two(): Promise<{ holder: Instance; other: Instance }> {
    await begin();
    await observer.close();
    const [first, second] = [await program.start(config), await program.start(config)];
    await until(async () => [first.pid, second.pid].includes(await projecting()), 60_000);
    observer = await openLedger({ ...config, threads: 'none' });
    return (await projecting()) === first.pid ? { holder: first, other: second } : { holder: second, other: first };
  }

  it('is taken over within ten seconds of a kill', async () => {
    const { holder, other } = await two();
    expect(await holder.execute(LEDGER, binds('a', 0, 500))).toHaveLength(500);
    await holder.kill();
    const began = performance.now();
    expect(await other.execute(LEDGER, binds('b', 0, 500))).toHaveLength(500);
    await until(async () => (await projecting()) !== holder.pid, 60_000);
    const tookMs = Math.round(performance.now() - began);
    process.stderr.write(`the projection was taken over ${tookMs} ms after the kill\n`);
    expect(tookMs).toBeLessThan(TAKEN_OVER_MS);
    expect((await expectProjected(LEDGER)).size).toBe(1_000);
    await other.stop();
  });

  it('is handed over at once by an instance that stops in order', async () => {
    const { holder, other } = await two();
    await holder.stop();
    expect(await projecting()).not.toBe(holder.pid);
    expect(await other.execute(LEDGER, binds('a', 0, 10))).toHaveLength(10);
    expect((await expectProjected(LEDGER)).size).toBe(10);
    await other.stop();
  });

  it('is not corrupted by two at once: one frozen past its lease, which wakes up', async () => {
    const { holder, other } = await two();
    const writing = other.execute(LEDGER, binds('a', 0, 3_000), 100);
    await until(async () => ((await observer.readModel.ledgerDocument(LEDGER))?.checkpoint ?? -1) > 0, 60_000);
    holder.signal('SIGSTOP');
    await until(async () => (await projecting()) !== holder.pid, 60_000);
    // It goes on with what it was about to write, while the new holder projects as well.
    holder.signal('SIGCONT');
    expect(await writing).toHaveLength(3_000);
    const more = await Promise.all([
      holder.execute(LEDGER, binds('b', 0, 1_000), 100),
      other.execute(LEDGER, binds('c', 0, 1_000), 100),
    ]);
    expect(more.flat().filter((outcome) => outcome !== 'created')).toEqual([]);
    expect((await expectProjected(LEDGER)).size).toBe(5_000);
    for (const instance of [holder, other]) await instance.stop();
  });
});
