import { getPriority, platform, setPriority } from 'node:os';

/** Of the threads that project and rebuild: well below the one that answers and the one that writes events. */
export const BACKGROUND_PRIORITY = 10;

/**
 * Lets threads that somebody waits for go first where there are fewer processors than threads: bulk writes are answered sooner,
 * and their projection takes what is left, until the tail is full and writers wait for it. Only Linux gives each thread a priority of
 * its own; elsewhere it would be the whole process'.
 */
export function workInBackground(): void {
  if (platform() === 'linux' && getPriority(0) < BACKGROUND_PRIORITY) setPriority(0, BACKGROUND_PRIORITY);
}
