import { Worker } from 'node:worker_threads';
import { EventStoreError } from '#event-store';
import type { AppendAnswer, AppendJob } from './append-log.js';
import type { Appender } from './appender.js';
import type { AppendWorkerData, AppendWorkerReply, AppendWorkerRequest } from './worker-messages.js';

/** Appends that wait for the worker: more are refused. */
export const MAX_WAITING_APPENDS = 1_024;
export const MAX_WAITING_BYTES = 64 * 1_024 * 1_024;
/** A worker that dies is replaced so many times in a row without having answered an append. */
export const MAX_WORKER_RESTARTS = 5;
/** After this, a worker that does not finish is stopped, and what it was doing is unknown. */
export const CLOSE_TIMEOUT_MS = 30_000;

interface Waiting<T> {
  bytes: number;
  resolve(answer: T): void;
  reject(error: Error): void;
}

/** Hands appends to a worker thread, and starts another one when it dies. */
export class WorkerAppender implements Appender {
  readonly #appends = new Map<number, Waiting<AppendAnswer>>();
  readonly #pings = new Map<number, Waiting<void>>();
  readonly #entry: URL;
  readonly #data: AppendWorkerData;
  #worker: Worker;
  #ready = false;
  #everReady = false;
  #problem = '';
  #restarts = 0;
  #lastNumber = 0;
  #waitingBytes = 0;
  #broken: EventStoreError | undefined;
  #pinging: Promise<void> | undefined;
  #closing = false;

  private constructor(file: string, entry: URL) {
    this.#entry = entry;
    this.#data = { file };
    this.#worker = this.#start();
  }

  /** Answers when the worker has opened the file. @throws {EventStoreError} `UNAVAILABLE` */
  static async open(file: string, entry: URL): Promise<WorkerAppender> {
    const appender = new WorkerAppender(file, entry);
    try {
      await appender.ping();
      return appender;
    } catch (error) {
      await appender.close();
      throw error;
    }
  }

  async append(job: AppendJob): Promise<AppendAnswer> {
    if (this.#appends.size >= MAX_WAITING_APPENDS || this.#waitingBytes + job.bytes > MAX_WAITING_BYTES) {
      throw new EventStoreError('UNAVAILABLE', `${this.#appends.size} appends are waiting for the disk already`);
    }
    return this.#ask(this.#appends, job.bytes, (number) => ({ kind: 'append', number, job }));
  }

  /** Those who ask at the same time get the same answer. */
  ping(): Promise<void> {
    this.#pinging ??= this.#ask(this.#pings, 0, (number) => ({ kind: 'ping', number })).finally(() => {
      this.#pinging = undefined;
    });
    return this.#pinging;
  }

  async close(): Promise<void> {
    this.#closing = true;
    if (this.#broken !== undefined) return;
    const worker = this.#worker;
    const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    this.#post({ kind: 'close' });
    const timer = setTimeout(() => void worker.terminate(), CLOSE_TIMEOUT_MS);
    await exited;
    clearTimeout(timer);
  }

  #ask<T>(waiting: Map<number, Waiting<T>>, bytes: number, request: (number: number) => AppendWorkerRequest): Promise<T> {
    if (this.#broken !== undefined) return Promise.reject(this.#broken);
    const number = ++this.#lastNumber;
    return new Promise<T>((resolve, reject) => {
      waiting.set(number, { bytes, resolve, reject });
      this.#waitingBytes += bytes;
      this.#post(request(number));
    });
  }

  #post(request: AppendWorkerRequest): void {
    this.#worker.postMessage(request);
  }

  #start(): Worker {
    this.#ready = false;
    this.#problem = 'it gave no reason';
    const worker = new Worker(this.#entry, { workerData: this.#data, execArgv: [], name: 'event-store-append' });
    worker.on('message', (reply: AppendWorkerReply) => this.#receive(reply));
    worker.on('error', (error) => (this.#problem = error.message));
    worker.on('exit', () => this.#exited());
    return worker;
  }

  #receive(reply: AppendWorkerReply): void {
    if (reply.kind === 'ready') this.#ready = this.#everReady = true;
    else if (reply.kind === 'unusable') this.#problem = reply.message;
    else if (reply.kind === 'pinged') this.#pinged(reply.number, reply.problem);
    else for (const { number, answer } of reply.answers) this.#take(this.#appends, number)?.resolve(answer);
    if (reply.kind === 'appended') this.#restarts = 0;
  }

  #pinged(number: number, problem: string | undefined): void {
    const waiting = this.#take(this.#pings, number);
    if (problem === undefined) waiting?.resolve();
    else waiting?.reject(new EventStoreError('UNAVAILABLE', problem));
  }

  #take<T>(from: Map<number, Waiting<T>>, number: number): Waiting<T> | undefined {
    const waiting = from.get(number);
    from.delete(number);
    this.#waitingBytes -= waiting?.bytes ?? 0;
    return waiting;
  }

  /** What a worker that never opened the file was given was certainly not written; of the rest nobody knows. */
  #exited(): void {
    const code = this.#ready ? 'OUTCOME_UNKNOWN' : 'UNAVAILABLE';
    const message = `The thread that writes events ended: ${this.#problem}`;
    if (this.#everReady && !this.#closing && this.#restarts < MAX_WORKER_RESTARTS) {
      this.#restarts += 1;
      this.#worker = this.#start();
    } else {
      this.#broken = new EventStoreError('UNAVAILABLE', message);
    }
    this.#rejectAll(this.#appends, new EventStoreError(code, message));
    this.#rejectAll(this.#pings, new EventStoreError('UNAVAILABLE', message));
  }

  #rejectAll<T>(from: Map<number, Waiting<T>>, error: EventStoreError): void {
    for (const number of from.keys()) this.#take(from, number)?.reject(error);
  }
}
