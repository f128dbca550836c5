/** Where a rebuild writes beside the projection, in a thread of its own: the projection is told, so that it holds no lock for long. */
import { beforeEach, expect, it, vi } from 'vitest';
import { openSqliteEventStore } from '#event-store/sqlite';
import { ProjectionProgress, StreamNames } from '#ledger';
import { openSqliteReadModel } from '#read-model/sqlite';
import { projectInWorker } from './projection.js';
import { Rebuilds } from './rebuilds.js';

const { ThreadOfTheTest } = await vi.hoisted(async () => {
  const { EventEmitter } = await import('node:events');
  class ThreadOfTheTest extends EventEmitter {
    static readonly started: ThreadOfTheTest[] = [];
    readonly threadId = -1;
    readonly messages: unknown[] = [];

    constructor() {
      super();
      ThreadOfTheTest.started.push(this);
    }

    postMessage(message: unknown): void {
      this.messages.push(message);
    }
  }
  return { ThreadOfTheTest };
});

vi.mock('node:worker_threads', async (importActual) => ({ ...(await importActual<object>()), Worker: ThreadOfTheTest }));

const { started } = ThreadOfTheTest;
beforeEach(() => void started.splice(0));
const stores = { folder: 'none' };

it('is told of the first that begins and of the last that ends, also a thread that is started anew', async () => {
  vi.useFakeTimers();
  const progress = new ProjectionProgress(await openSqliteReadModel({ memory: true }));
  const projection = projectInWorker({ stores, prefix: '', maxEvents: 1 }, progress);
  for (const begins of [true, true, false]) projection.share(begins);
  expect(started[0]?.messages.at(-1)).toBe('sharing');
  started[0]?.emit('exit');
  await vi.advanceTimersByTimeAsync(1_000);
  expect(started[1]?.messages).toEqual(['sharing']);
  projection.share(false);
  expect(started[1]?.messages).toEqual(['sharing', 'alone']);
  await projection.stop();
  vi.useRealTimers();
});

it.each(['exit', 'error'])('lasts as long as the thread of a rebuild, which ends with an %s', async (end) => {
  const [store, readModel] = [await openSqliteEventStore({ folder: ':memory:' }), await openSqliteReadModel({ memory: true })];
  const shared: boolean[] = [];
  const share = (begins: boolean) => void shared.push(begins);
  const parts = { store, readModel, streams: new StreamNames(''), elsewhere: stores, maxEvents: 1, check: async () => undefined };
  const watch = { signal: new AbortController().signal, progress: () => undefined };
  const running = new Rebuilds({ ...parts, share }).run({ backend: 'shop', model: 'product' }, false, watch);
  await vi.waitFor(() => expect(started).toHaveLength(1));
  expect(shared).toEqual([true]);
  const failing = expect(running).rejects.toThrow();
  started[0]?.emit(end, new Error('it died'));
  await failing;
  expect(shared).toEqual([true, false]);
  await readModel.close();
  await store.close();
});
