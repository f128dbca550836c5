import type { AppendAnswer, AppendJob } from './append-log.js';

/** What the append worker is started with. */
export interface AppendWorkerData {
  file: string;
}

export type AppendWorkerRequest =
  | { kind: 'append'; number: number; job: AppendJob }
  | { kind: 'ping'; number: number }
  | { kind: 'close' };

export type AppendWorkerReply =
  | { kind: 'ready' }
  /** The database could not be opened; the worker ends. */
  | { kind: 'unusable'; message: string }
  | { kind: 'appended'; answers: Array<{ number: number; answer: AppendAnswer }> }
  | { kind: 'pinged'; number: number; problem?: string };
