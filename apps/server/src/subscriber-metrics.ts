import { Gauge, type Registry } from 'prom-client';
import type { SubscriberView } from '#subscriptions';

/** Events that a lag is counted up to when metrics are read: that is done every few seconds. */
export const MAX_MEASURED_LAG = 1_000;

/** Where the durable subscribers are, of all applications on the ledger. */
export class SubscriberMetrics {
  private readonly running: Gauge<'subscriber'>;
  private readonly lagEvents: Gauge<'subscriber'>;
  private readonly lagSeconds: Gauge<'subscriber'>;
  private readonly parkedEvents: Gauge<'subscriber'>;
  private readonly parkedSeconds: Gauge<'subscriber'>;

  constructor(registry: Registry) {
    const gauge = (name: string, help: string) => new Gauge({ name, help, labelNames: ['subscriber'], registers: [registry] });
    this.running = gauge('binding_ledger_subscriber_running', '1 while an instance runs the subscriber and it goes on, else 0.');
    this.lagEvents = gauge(
      'binding_ledger_subscriber_lag_events',
      `Events of ledgers behind the checkpoint, counted up to ${MAX_MEASURED_LAG}.`,
    );
    this.lagSeconds = gauge('binding_ledger_subscriber_lag_seconds', 'Age of the first event behind the checkpoint.');
    this.parkedEvents = gauge('binding_ledger_subscriber_parked_events', 'Events that are parked.');
    this.parkedSeconds = gauge('binding_ledger_subscriber_parked_oldest_seconds', 'How long the oldest has been parked.');
  }

  set(views: readonly SubscriberView[]): void {
    for (const gauge of [this.running, this.lagEvents, this.lagSeconds, this.parkedEvents, this.parkedSeconds]) gauge.reset();
    for (const { name: subscriber, state, lag, parked } of views) {
      this.running.set({ subscriber }, state === 'running' ? 1 : 0);
      this.lagEvents.set({ subscriber }, lag.events);
      this.lagSeconds.set({ subscriber }, lag.seconds);
      this.parkedEvents.set({ subscriber }, parked.events);
      this.parkedSeconds.set({ subscriber }, parked.oldestSeconds);
    }
  }
}
