import { StreamNotFoundError, type StreamingRead } from '@eventstore/db-client';
import { setTimeout as sleep } from 'node:timers/promises';
import { isNotLeader, Stalled } from './errors.js';

/** So often a call goes to the leader that the node before has named. */
const MAX_LEADERS = 3;
/** After an error that names the leader, the client needs a moment to change its connection. */
const CHANGE_LEADER_MS = 50;

/**
 * Everything that a read gives. The client sets no deadline for reads, whatever it is told: one that gives nothing for so long
 * is given up.
 */
export function collect<T>(read: StreamingRead<T>, idleMs: number): Promise<T[]> {
  return new Promise<T[]>((resolve, reject) => {
    const found: T[] = [];
    const timer = setTimeout(() => {
      read.cancel().catch(() => undefined);
      reject(new Stalled(`nothing came within ${idleMs} ms`));
    }, idleMs);
    read.on('data', (item: T) => {
      timer.refresh();
      found.push(item);
    });
    // Stays, so that an error that comes later, such as that of the cancellation, ends nothing.
    read.on('error', (error: Error) => {
      clearTimeout(timer);
      if (error instanceof StreamNotFoundError) resolve([]);
      else reject(error);
    });
    read.on('end', () => {
      clearTimeout(timer);
      resolve(found);
    });
  });
}

/** Repeats what a node refused because it is not the leader: the client follows to the leader meanwhile. */
export async function onLeader<T>(call: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call();
    } catch (error) {
      if (!isNotLeader(error) || attempt === MAX_LEADERS) throw error;
      await sleep(CHANGE_LEADER_MS);
    }
  }
}
