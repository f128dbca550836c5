import { setImmediate as nextTurn } from 'node:timers/promises';

/** Work in one go that nobody notices. */
const TURN_MS = 4;

/** Lets the event loop have its turn in time, however long the work as a whole is; ends it when the signal aborts. */
export class Breath {
  private since = performance.now();

  constructor(private readonly signal?: AbortSignal) {}

  get due(): boolean {
    return this.aborted || performance.now() - this.since >= TURN_MS;
  }

  get aborted(): boolean {
    return this.signal?.aborted === true;
  }

  async take(): Promise<void> {
    await nextTurn();
    this.signal?.throwIfAborted();
    this.since = performance.now();
  }
}
