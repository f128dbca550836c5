import { ledgerKey } from '#domain';
import type { Position } from '#event-store';
import type { BindingEventView } from '#ledger';
import type { CheckpointTracker } from './checkpoint.js';
import type { Delivery } from './delivery.js';
import type { FeedConsumer } from './feed.js';
import type { Lanes } from './lanes.js';

export interface IntakeTools {
  tracker: CheckpointTracker;
  lanes: Lanes;
  delivery: Delivery;
  inFlightEvents: number;
  ended: AbortSignal;
  /** The checkpoint may have moved. */
  changed(handled: boolean): void;
  trouble(error: Error): void;
}

/** What the feed gives a run: each event is begun when there is room, and delivered in the lane of its ledger. */
export class Intake implements FeedConsumer {
  private caughtUp = false;
  private awaitingRoom: (() => void) | undefined;
  readonly trouble: (error: Error) => void;

  constructor(private readonly tools: IntakeTools) {
    this.trouble = tools.trouble;
    tools.ended.addEventListener('abort', () => this.awaitingRoom?.());
  }

  /** Nothing is known of that is not done. */
  get idle(): boolean {
    return this.caughtUp && this.tools.tracker.inFlight === 0;
  }

  async take(event: BindingEventView, position: Position): Promise<void> {
    const { tracker, lanes, delivery, inFlightEvents, ended, changed } = this.tools;
    while (tracker.inFlight >= inFlightEvents && !ended.aborted)
      await new Promise<void>((resolve) => (this.awaitingRoom = resolve));
    if (ended.aborted) return;
    const entry = tracker.begin(position);
    lanes.push(ledgerKey(event), async () => {
      if (!(await delivery.deliver(event))) return;
      tracker.finish(entry);
      this.awaitingRoom?.();
      changed(true);
    });
  }

  passed(position: Position, caughtUp: boolean): void {
    this.tools.tracker.passed(position);
    this.caughtUp = caughtUp;
    this.tools.changed(false);
  }
}
