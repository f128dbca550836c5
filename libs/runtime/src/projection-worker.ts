/** The thread in which a ledger is projected. It opens the same stores, and tells the main thread how far it is. */
import { parentPort, workerData } from 'node:worker_threads';
import { ProjectionPace, ProjectionProgress, StreamNames } from '#ledger';
import { projectInThread, type ProjectionMessage, type ProjectionRequest, type ProjectionWorkerData } from './projection.js';
import { openElsewhere } from './stores.js';
import { workInBackground } from './thread-priority.js';

const TROUBLES_EVERY_MS = 500;

async function main(): Promise<void> {
  workInBackground();
  const { stores, prefix, maxEvents } = workerData as ProjectionWorkerData;
  const { store, readModel } = await openElsewhere(stores, prefix);
  const send = (message: ProjectionMessage) => parentPort?.postMessage(message);
  const progress = new ProjectionProgress(readModel);
  progress.report = (ledger, checkpoint, at) => send({ kind: 'applied', ledger, checkpoint, at });
  const pace = readModel.applyAll === undefined ? new ProjectionPace() : new ProjectionPace(maxEvents / 2);
  const projection = projectInThread({ store, readModel, streams: new StreamNames(prefix), progress }, maxEvents, pace);
  let told = '[]';
  const telling = setInterval(() => {
    const troubles = projection.troubles();
    const text = JSON.stringify(troubles);
    if (text !== told) send({ kind: 'troubled', troubles });
    told = text;
  }, TROUBLES_EVERY_MS);
  parentPort?.on('message', (request: ProjectionRequest) => {
    if (request === 'hurry') return pace.hurry();
    clearInterval(telling);
    void projection
      .stop()
      .then(() => store.close())
      .then(() => readModel.close())
      .finally(() => parentPort?.close());
  });
}

await main();
