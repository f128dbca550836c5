import { describe, expect, it } from 'vitest';
import { ReadModelError, type ProjectionLease } from '#read-model';
import { whileHeld } from './lease.js';

/** A lease whose answers are given one after the other; the last one stays. */
function answering(...answers: (boolean | Error)[]): ProjectionLease & { asked: number; released: number } {
  return {
    asked: 0,
    released: 0,
    async hold() {
      const answer = answers[Math.min(this.asked, answers.length - 1)];
      this.asked += 1;
      if (answer instanceof Error) throw answer;
      return answer === true;
    },
    async release() {
      this.released += 1;
    },
  };
}

const untilAborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) =>
    signal.aborted ? resolve() : signal.addEventListener('abort', () => resolve(), { once: true }),
  );
const away = new ReadModelError('UNAVAILABLE', 'away');

describe('work under a lease', () => {
  it('begins when the lease is held, stops when it is lost, and begins again', async () => {
    const lease = answering(false, away, true, true, false, false, true);
    const ending = new AbortController();
    let begun = 0;
    const work = async (signal: AbortSignal) => {
      begun += 1;
      if (begun === 2) ending.abort();
      await untilAborted(signal);
    };
    await whileHeld(lease, work, ending.signal, 1);
    expect([begun, lease.asked, lease.released]).toEqual([2, 7, 1]);
  });

  it('goes on while nobody can be asked about the lease', async () => {
    const lease = answering(true, away);
    const ending = new AbortController();
    let stopped = false;
    const work = (signal: AbortSignal) => untilAborted(signal).then(() => void (stopped = true));
    const running = whileHeld(lease, work, ending.signal, 1);
    while (lease.asked < 5) await new Promise((resolve) => setImmediate(resolve));
    expect(stopped).toBe(false);
    ending.abort();
    await running;
    expect([stopped, lease.released]).toEqual([true, 1]);
  });

  it('gives the lease back when the work ends by itself, or fails', async () => {
    const ended = answering(true);
    await whileHeld(ended, () => Promise.resolve(), new AbortController().signal, 1);
    const failed = answering(true);
    await expect(whileHeld(failed, () => Promise.reject(new Error('broken')), new AbortController().signal, 1)).rejects.toThrow(
      'broken',
    );
    expect([ended.released, failed.released]).toEqual([1, 1]);
  });
});
