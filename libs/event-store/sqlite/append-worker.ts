import { parentPort, receiveMessageOnPort, workerData, type MessagePort } from 'node:worker_threads';
import { checkpoint, messageOf, openDatabase, type SqliteDatabase } from '#sqlite';
import { AppendLog } from './append-log.js';
import { ChangeSignal } from './change-signal.js';
import type { AppendWorkerData, AppendWorkerReply, AppendWorkerRequest } from './worker-messages.js';

/** At most this much is committed together: the first append of a group waits for all of it. */
const MAX_GROUP_APPENDS = 64;
const MAX_GROUP_BYTES = 4 * 1_024 * 1_024;

/** Appends change the ends of their streams, and nothing else. */
const CACHE_KIB = 4_096;

type AppendRequest = Extract<AppendWorkerRequest, { kind: 'append' }>;

/** The thread that writes events: a flush to the disk blocks nothing but this. */
class AppendWorker {
  readonly #log: AppendLog;

  constructor(
    private readonly db: SqliteDatabase,
    private readonly port: MessagePort,
    private readonly changes: ChangeSignal,
  ) {
    this.#log = new AppendLog(db);
  }

  /** Takes what has arrived meanwhile along. Requests are executed in their order, appends that follow each other together. */
  receive(first: AppendWorkerRequest): void {
    const group: AppendRequest[] = [];
    let bytes = 0;
    let request: AppendWorkerRequest | undefined = first;
    while (request !== undefined) {
      if (request.kind === 'append') {
        group.push(request);
        bytes += request.job.bytes;
      } else {
        this.#append(group.splice(0));
        this.#execute(request);
      }
      const full = group.length >= MAX_GROUP_APPENDS || bytes >= MAX_GROUP_BYTES;
      request = full ? undefined : this.#nextRequest();
    }
    this.#append(group);
  }

  #nextRequest(): AppendWorkerRequest | undefined {
    return (receiveMessageOnPort(this.port) as { message: AppendWorkerRequest } | undefined)?.message;
  }

  #append(group: readonly AppendRequest[]): void {
    if (group.length === 0) return;
    const answers = this.#log.appendGroup(group.map(({ job }) => job));
    this.#reply({
      kind: 'appended',
      answers: answers.map((answer, index) => ({ number: group[index]!.number, answer })),
    });
    if (answers.some(({ outcome }) => outcome === 'stands')) this.changes.announce();
  }

  #execute(request: Exclude<AppendWorkerRequest, AppendRequest>): void {
    if (request.kind === 'close') this.#close();
    else this.#reply({ kind: 'pinged', number: request.number, problem: this.#findProblem() });
  }

  #findProblem(): string | undefined {
    try {
      this.#log.ping();
      return undefined;
    } catch (error) {
      return messageOf(error);
    }
  }

  #reply(reply: AppendWorkerReply): void {
    this.port.postMessage(reply);
  }

  #close(): void {
    this.port.close();
    this.changes.close();
    try {
      checkpoint(this.db);
    } finally {
      this.db.close();
    }
  }
}

function start(port: MessagePort, { file }: AppendWorkerData): void {
  let db: SqliteDatabase;
  try {
    db = openDatabase(file, { cacheKiB: CACHE_KIB });
  } catch (error) {
    port.postMessage({ kind: 'unusable', message: messageOf(error) } satisfies AppendWorkerReply);
    port.close();
    return;
  }
  const worker = new AppendWorker(db, port, new ChangeSignal(file));
  port.on('message', (request: AppendWorkerRequest) => worker.receive(request));
  port.postMessage({ kind: 'ready' } satisfies AppendWorkerReply);
}

if (parentPort === null) throw new Error('This module is the entry of a worker thread');
start(parentPort, workerData as AppendWorkerData);
