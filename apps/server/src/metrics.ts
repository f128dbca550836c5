/** What the server counts and measures, in Prometheus' form. */
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import { isRefusal, ledgerKey, type Command, type LedgerName, type Refusal } from '#domain';
import type { LocatedResult, WriterObserver } from '#ledger';
import { SubscriberMetrics } from './subscriber-metrics.js';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];
const COUNTS = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000];

/** How far the read model is behind one ledger. */
export interface Lag {
  ledger: LedgerName;
  events: number;
  ageMs: number;
}

/** Commands that wait for the writer of what a caller named as a ledger. */
export interface Queue {
  ledger: LedgerName;
  commands: number;
  /** Whether there is such a ledger, as far as its writer knows. */
  known: boolean;
}

/** One label for all that are none, or are not opened yet: else callers could make as many as they like. No ledger has such a name. */
const UNKNOWN_LEDGER = 'unknown';

export class Metrics {
  readonly registry = new Registry();
  readonly feed = new FeedMetrics(this.registry);
  /** Told by the ledger's writers. */
  readonly observer: WriterObserver;
  private readonly commands: Counter<'op' | 'outcome'>;
  private readonly counted = new Map<string, number>();
  private readonly durations: Record<'command' | 'query', Histogram<'operation' | 'status'>>;
  private readonly queue: Gauge<'ledger'>;
  private readonly lagEvents: Gauge<'ledger'>;
  private readonly lagMs: Gauge<'ledger'>;
  readonly subscribers = new SubscriberMetrics(this.registry);

  constructor() {
    const registers = [this.registry];
    const ofLedger = { labelNames: ['ledger'] as const, registers };
    this.commands = new Counter({
      name: 'binding_ledger_commands_total',
      help: 'Commands by what they came to: an outcome, or the code of a refusal. Those of bulk streams are counted one by one.',
      labelNames: ['op', 'outcome'],
      registers,
    });
    const duration = (kind: 'command' | 'query', what: string) =>
      new Histogram({
        name: `binding_ledger_${kind}_duration_seconds`,
        help: `How long ${what} took, by route and status; its count is the number of them.`,
        labelNames: ['operation', 'status'],
        buckets: SECONDS,
        registers,
      });
    this.durations = {
      command: duration('command', 'requests that change something'),
      query: duration('query', 'requests that read'),
    };
    const batchCommands = new Histogram({
      name: 'binding_ledger_batch_commands',
      help: 'Commands decided together.',
      buckets: COUNTS,
      registers,
    });
    const batchEvents = new Histogram({
      name: 'binding_ledger_batch_events',
      help: 'Events appended together.',
      buckets: COUNTS,
      registers,
    });
    const conflicts = new Counter({
      name: 'binding_ledger_conflicts_total',
      help: 'Appends that another process was ahead of.',
      ...ofLedger,
    });
    this.queue = new Gauge({ name: 'binding_ledger_queue_commands', help: 'Commands that wait for their writer.', ...ofLedger });
    this.lagEvents = new Gauge({
      name: 'binding_ledger_projection_lag_events',
      help: 'Events that the read model is behind.',
      ...ofLedger,
    });
    this.lagMs = new Gauge({
      name: 'binding_ledger_projection_lag_ms',
      help: 'Age of the oldest event that the read model has not applied.',
      ...ofLedger,
    });
    this.observer = {
      batch: (_ledger, commands, events) => {
        batchCommands.observe(commands);
        batchEvents.observe(events);
      },
      conflict: (ledger) => conflicts.inc({ ledger: ledgerKey(ledger) }),
    };
  }

  /** Also what Node tells of this process. Once a process. */
  ofProcess(): void {
    collectDefaultMetrics({ register: this.registry });
  }

  /** Counts are kept aside until they are asked for: a label is looked up more slowly than a command is parsed. */
  readonly command = (command: Pick<Command, 'op'> | Refusal, result: LocatedResult | Refusal): void => {
    const op = isRefusal(command) ? 'none' : command.op;
    const outcome = isRefusal(result) ? result.refused : result.outcome;
    const key = `${op} ${outcome}`;
    this.counted.set(key, (this.counted.get(key) ?? 0) + 1);
  };

  request(kind: 'command' | 'query', operation: string, status: number, durationMs: number): void {
    this.durations[kind].observe({ operation, status }, durationMs / 1_000);
  }

  /** Everything as of now. */
  async text(queues: readonly Queue[], lags: readonly Lag[]): Promise<string> {
    for (const [key, count] of this.counted) {
      const [op = '', outcome = ''] = key.split(' ');
      this.commands.inc({ op, outcome }, count);
    }
    this.counted.clear();
    for (const gauge of [this.queue, this.lagEvents, this.lagMs]) gauge.reset();
    const projected = new Set(lags.map(({ ledger }) => ledgerKey(ledger)));
    for (const { ledger, commands, known } of queues) {
      const key = ledgerKey(ledger);
      this.queue.inc({ ledger: known || projected.has(key) ? key : UNKNOWN_LEDGER }, commands);
    }
    for (const { ledger, events, ageMs } of lags) {
      this.lagEvents.set({ ledger: ledgerKey(ledger) }, events);
      this.lagMs.set({ ledger: ledgerKey(ledger) }, ageMs);
    }
    return this.registry.metrics();
  }
}

/** Of the readers of the events of all ledgers. */
export class FeedMetrics {
  readonly readers: Gauge;
  readonly sent: Counter;
  readonly cutOff: Counter;

  constructor(registry: Registry) {
    const registers = [registry];
    this.readers = new Gauge({
      name: 'binding_ledger_event_readers',
      help: 'Who reads the events of all ledgers now.',
      registers,
    });
    this.sent = new Counter({
      name: 'binding_ledger_events_sent_total',
      help: 'Events of all ledgers that were sent, to all readers together.',
      registers,
    });
    this.cutOff = new Counter({
      name: 'binding_ledger_event_readers_cut_total',
      help: 'Readers of events that were cut off because they took nothing.',
      registers,
    });
  }
}
