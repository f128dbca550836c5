import type { SubscriberLimits } from './subscriber.js';

const SAVE_WHEN_IDLE_MS = 50;
const HEARTBEATS_PER_LEASE = 3;
const FIRST_RETRY_MS = 25;
const LONGEST_RETRY_MS = 1_000;

/** When the next save is due: soon after all is done, now and then while work goes on, and to renew the lease. */
export class SaveSchedule {
  readonly heartbeatMs: number;
  private triedAt = performance.now();
  private failures = 0;
  /** Since the last try: it is wanted at once; something was handled or parked; whoever waits was told of a change. */
  private urgent = false;
  private handled = false;
  private told = false;

  constructor(private readonly limits: SubscriberLimits) {
    this.heartbeatMs = limits.leaseMs / HEARTBEATS_PER_LEASE;
  }

  get heartbeatIsDue(): boolean {
    return performance.now() - this.triedAt > this.heartbeatMs;
  }

  /** @param state `dirty`: there is something to save; `idle`: and nothing is going on. */
  dueInMs({ dirty, idle }: { dirty: boolean; idle: boolean }): number {
    const sinceMs = performance.now() - this.triedAt;
    if (this.failures > 0) return Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.failures) - sinceMs;
    if (this.urgent) return 0;
    if (!dirty) return this.heartbeatMs - sinceMs;
    return Math.min(this.heartbeatMs, this.handled && idle ? SAVE_WHEN_IDLE_MS : this.limits.checkpointEveryMs) - sinceMs;
  }

  askAtOnce(): void {
    this.urgent = true;
  }

  /** True when whoever waits for the next save is to look again: it may be due earlier than was thought. */
  changed({ handled, idle }: { handled: boolean; idle: boolean }): boolean {
    this.handled ||= handled;
    if (this.told && !(this.handled && idle)) return false;
    this.told = true;
    return true;
  }

  trying(): void {
    this.triedAt = performance.now();
    [this.urgent, this.handled, this.told] = [false, false, false];
  }

  tried(ok: boolean): void {
    this.failures = ok ? 0 : this.failures + 1;
  }
}
