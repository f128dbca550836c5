/** What comes in larger portions has been gathered already. */
const SMALL_EVENTS = 64;
const REST_MS = 5;
/** Longer than a query waits before it looks, and asks to hurry, again. */
const HURRIED_MS = 50;

/**
 * Gathers events that come one by one: each application has its own cost, and takes it from whoever writes them. The
 * first is applied at once, those of the next few milliseconds together; while a query waits for one, nothing is waited for.
 */
export class ProjectionPace {
  private hurriedUntil = 0;
  private wake: (() => void) | undefined;

  /** After so many events were applied together. */
  async rest(events: number): Promise<void> {
    if (events >= SMALL_EVENTS || performance.now() < this.hurriedUntil) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, REST_MS);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.wake = undefined;
  }

  hurry(): void {
    this.hurriedUntil = performance.now() + HURRIED_MS;
    this.wake?.();
  }
}
