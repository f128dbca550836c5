/** Whoever writes so many at once, or more, writes in bulk. */
const SMALL_EVENTS = 64;
const REST_MS = 5;
const REST_IN_BULK_MS = 25;
/** Longer than a query waits before it looks, and asks to hurry, again. */
const HURRIED_MS = 50;

/**
 * Gathers events that come one by one: each application has its own cost, and takes it from whoever writes them. The
 * first is applied at once, those of the next few milliseconds together; while a query waits for one, nothing is waited for.
 * So it is in bulk: while the projection keeps up, it would apply each append by itself.
 */
export class ProjectionPace {
  private hurriedUntil = 0;
  private wake: (() => void) | undefined;

  /** `manyEvents`: what comes in such portions has been gathered already. */
  constructor(private readonly manyEvents = SMALL_EVENTS) {}

  /** After so many events were applied together. */
  async rest(events: number): Promise<void> {
    if (events >= this.manyEvents || performance.now() < this.hurriedUntil) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, events < SMALL_EVENTS ? REST_MS : REST_IN_BULK_MS);
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
