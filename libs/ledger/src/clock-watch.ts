/** A clock that is off is trusted again after this many times as long as it is off. */
const CLOCK_RETRY_FACTOR = 4;

/**
 * Compares this process's clock with the store's. What was written with a fast clock keeps others from writing until they have
 * come up with it, so that nothing is written while the clock is known to be off.
 */
export class ClockWatch {
  private refusingUntil = 0;

  constructor(
    private readonly clock: () => number,
    private readonly toleranceMs: number,
  ) {}

  /** Why nothing is to be written now. */
  get trouble(): string | undefined {
    if (this.refusingUntil <= this.clock()) return undefined;
    return `the clock is more than ${this.toleranceMs} ms off the store's`;
  }

  /**
   * Told after each append. Stored before it was sent, or after it was answered: one of the clocks is wrong. It is not tried again
   * until others had time for their own.
   */
  watch(sentAt: number, storedAt: string | undefined): void {
    // An answer that does not say when tells nothing of a clock that was found wrong.
    if (storedAt === undefined) return;
    const [now, stored] = [this.clock(), Date.parse(storedAt)];
    const offMs = Math.max(sentAt - stored, stored - now);
    this.refusingUntil = offMs > this.toleranceMs ? now + CLOCK_RETRY_FACTOR * offMs : 0;
  }

  /** Why nothing is to be written behind an event that was recorded then. */
  troubleBehind(at: string): string | undefined {
    const aheadMs = at === '' ? 0 : Date.parse(at) - this.clock();
    return aheadMs <= this.toleranceMs ? undefined : `the newest event was recorded ${aheadMs} ms ahead of this process's clock`;
  }
}
