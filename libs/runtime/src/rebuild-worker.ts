/** The thread in which a ledger's documents are made anew, beside the one that projects. It opens the same stores. */
import { parentPort, workerData } from 'node:worker_threads';
import { StreamNames } from '#ledger';
import { dropFormers, runRebuild } from './rebuild.js';
import type { RebuildMessage, RebuildWorkerData } from './rebuilds.js';
import { openElsewhere } from './stores.js';
import { workInBackground } from './thread-priority.js';

async function main(): Promise<void> {
  workInBackground();
  const { stores, prefix, task } = workerData as RebuildWorkerData;
  const { store, readModel } = await openElsewhere(stores, prefix);
  const ending = new AbortController();
  parentPort?.once('message', () => ending.abort());
  const send = (message: RebuildMessage) => parentPort?.postMessage(message);
  const { signal } = ending;
  try {
    if (task === undefined) await dropFormers({ readModel }, signal);
    else {
      const progress = (at: { revision: number; headRevision: number }) => send({ kind: 'progress', at });
      const report = await runRebuild({ store, readModel, streams: new StreamNames(prefix) }, task, { signal, progress });
      send({ kind: 'report', report });
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    await readModel.close();
    await store.close();
    parentPort?.close();
  }
}

await main();
