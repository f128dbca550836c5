import { setTimeout as sleep } from 'node:timers/promises';
import { ReadModelError, type ProjectionLease } from '#read-model';

/** How often a holder is heard of, and others ask. */
const BEAT_MS = 1_000;

/**
 * Runs the work for as long as this process holds the lease, as often as it comes to hold it, until the signal aborts or the work
 * ends by itself. Two may run at the same time for a moment, when a holder was frozen: the lease saves double work, and nothing
 * depends on it.
 */
export async function whileHeld(
  lease: ProjectionLease,
  work: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
  beatMs = BEAT_MS,
): Promise<void> {
  try {
    while (!signal.aborted) {
      if ((await isHeld(lease)) !== true) await pause(beatMs, signal);
      else if (await endsInTerm(lease, work, signal, beatMs)) return;
    }
  } finally {
    await lease.release().catch(() => undefined);
  }
}

/** True when the work ended by itself; it is stopped when the lease is lost. */
async function endsInTerm(
  lease: ProjectionLease,
  work: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
  beatMs: number,
): Promise<boolean> {
  const lost = new AbortController();
  const ended = new AbortController();
  const working = work(AbortSignal.any([signal, lost.signal])).finally(() => ended.abort());
  // Awaited below; a rejection must not surface while the lease is asked for.
  working.catch(() => undefined);
  const over = AbortSignal.any([signal, ended.signal]);
  while (!over.aborted) {
    await pause(beatMs, over);
    // What cannot be asked now is asked again: others cannot take the lease either while the database is lost.
    if (!over.aborted && (await isHeld(lease)) === false) lost.abort();
    if (lost.signal.aborted) break;
  }
  await working;
  return !lost.signal.aborted;
}

async function isHeld(lease: ProjectionLease): Promise<boolean | undefined> {
  try {
    return await lease.hold();
  } catch (error) {
    if (error instanceof ReadModelError) return undefined;
    throw error;
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
