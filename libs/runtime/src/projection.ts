import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { LedgerName } from '#domain';
import type { EventStore } from '#event-store';
import {
  Projector,
  projectCatalog,
  type ProjectionPace,
  type ProjectionProgress,
  type ProjectionTrouble,
  type StreamNames,
} from '#ledger';
import type { ReadModel } from '#read-model';
import { whileHeld } from './lease.js';
import type { StoresElsewhere } from './stores.js';

/** A projector at work: in this thread, or in one of its own. */
export interface Projection {
  troubles(): ProjectionTrouble[];
  stop(): Promise<void>;
}

export function projectInThread(
  parts: { store: EventStore; readModel: ReadModel; streams: StreamNames; progress: ProjectionProgress },
  maxEvents: number,
  pace?: ProjectionPace,
): Projection {
  const { store, readModel, streams, progress } = parts;
  const ending = new AbortController();
  const own: ProjectionTrouble[] = [];
  const projector = new Projector({
    store,
    readModel,
    streams,
    projectCatalog: (events) => projectCatalog({ store, readModel, streams }, events),
    applied: progress.report,
    troubled: (trouble) => own.push(trouble),
    clock: () => Date.now(),
    sleep: (ms) => sleep(ms),
    maxEvents,
    ...(pace !== undefined && { rest: (events: number) => pace.rest(events) }),
  });
  const lease = readModel.lease?.();
  const run = (signal: AbortSignal) => projector.run(signal);
  const running = (lease === undefined ? run(ending.signal) : whileHeld(lease, run, ending.signal)).catch((error: unknown) => {
    own.push({ stream: '', revision: -1, reason: error instanceof Error ? error.message : String(error) });
  });
  return {
    troubles: () => {
      const { stalled } = projector;
      return stalled === undefined ? own : [...own, { stream: '', revision: -1, reason: stalled, passing: true }];
    },
    stop: async () => {
      ending.abort();
      pace?.hurry();
      await running;
    },
  };
}

export interface ProjectionWorkerData {
  stores: StoresElsewhere;
  prefix: string;
  maxEvents: number;
}

export type ProjectionRequest = 'hurry' | 'stop';
export type ProjectionMessage =
  | { kind: 'applied'; ledger: LedgerName; checkpoint: number; at: string }
  | { kind: 'troubled'; troubles: ProjectionTrouble[] };

const RESTART_AFTER_MS = 1_000;

/** Projects in a thread of its own, so that folding and writing never hold up answers. A thread that dies is started again. */
export function projectInWorker(data: ProjectionWorkerData, progress: ProjectionProgress): Projection & { hurry(): void } {
  let troubles: ProjectionTrouble[] = [];
  let stopping = false;
  let restart: NodeJS.Timeout | undefined;
  let worker = start();

  function start(): Worker {
    const started = new Worker(new URL('./projection-worker.js', import.meta.url), { workerData: data });
    started.on('message', (message: ProjectionMessage) => {
      if (message.kind === 'applied') progress.report(message.ledger, message.checkpoint, message.at);
      else ({ troubles } = message);
    });
    started.on('error', (error) => troubles.push({ stream: '', revision: -1, reason: error.message, passing: true }));
    started.on('exit', () => {
      if (stopping) return;
      restart = setTimeout(() => {
        troubles = [];
        worker = start();
      }, RESTART_AFTER_MS);
    });
    return started;
  }

  return {
    troubles: () => troubles,
    /** A query waits for what is to be applied. */
    hurry: () => worker.postMessage('hurry' satisfies ProjectionRequest),
    stop: async () => {
      stopping = true;
      clearTimeout(restart);
      const exited = new Promise((resolve) => worker.once('exit', resolve));
      worker.postMessage('stop' satisfies ProjectionRequest);
      if (worker.threadId !== -1) await exited;
    },
  };
}
