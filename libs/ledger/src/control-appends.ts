import { evolveLedger, isRefusal, refuse, type ControlEvent, type LedgerName, type Refusal, type RequestContext } from '#domain';
import { EventStoreError, NO_STREAM } from '#event-store';
import { appendResolved } from './append.js';
import type { CommandGroup } from './batch.js';
import { chainEvent, metadataOf, type ChainedEvent } from './chain.js';
import type { ClockWatch } from './clock-watch.js';
import type { AmendJob } from './command-queue.js';
import type { LedgerHead } from './ledger-head.js';
import type { WriterTools } from './writer.js';

/** A change of the ledger itself gives way to this many appends of other processes before it is refused. */
const MAX_AMEND_ATTEMPTS = 100;
const MAX_WAIT_MS = 200;

/** The events of the ledger itself, which its writer appends between batches: its opening, and what is fanned out to it. */
export class ControlAppends {
  constructor(
    private readonly ledger: LedgerName,
    private readonly stream: string,
    private readonly head: LedgerHead,
    private readonly tools: WriterTools,
    private readonly clockWatch: ClockWatch,
  ) {}

  /** A ledger is opened by its first bind; for other commands it is enough that its backend and model exist. */
  async open(groups: readonly CommandGroup[]): Promise<Refusal | undefined> {
    // What is not projected yet may be open already; then its own stream says what holds, and not the backend's.
    await this.head.readOn();
    if (this.head.point.state.opened) return undefined;
    const opener = groups.flatMap((group) => group.requests).find(({ command }) => command.op === 'bind');
    if (opener === undefined) return this.tools.check(this.ledger);
    const opening = await this.tools.open(this.ledger, opener.context);
    if (isRefusal(opening)) return opening;
    const { rules, backendRevision, modelRevision } = opening;
    const sentAt = this.tools.clock();
    const event = this.chained({ type: 'LedgerOpened', data: { rules, backendRevision, modelRevision } }, opener.context);
    // A conflict means that somebody else opened it (or a fan-out did): what stands there is what holds.
    const result = await this.tools.store.append(this.stream, NO_STREAM, [event]);
    if (result.ok) this.clockWatch.watch(sentAt, result.storedAt);
    await this.head.readOn();
    return undefined;
  }

  private chained(event: ControlEvent, context: RequestContext): ChainedEvent {
    const { hash, revision, at } = this.head.point;
    const clock = new Date(this.tools.clock()).toISOString();
    return chainEvent(hash, revision + 1, this.tools.newId(), event, metadataOf(context, clock > at ? clock : at));
  }

  async amend(job: AmendJob): Promise<void> {
    try {
      for (let attempt = 0; attempt < MAX_AMEND_ATTEMPTS; attempt += 1) {
        const point = await this.head.loadPoint();
        if (point !== 'stale' && point !== 'behind') {
          const events = await job.amend(point);
          if (isRefusal(events)) return job.settle(events);
          const wrongClock =
            events.length === 0 ? undefined : (this.clockWatch.trouble ?? this.clockWatch.troubleBehind(point.at));
          if (wrongClock !== undefined) return job.settle(refuse('STORE_UNAVAILABLE', wrongClock));
          if (await this.append(events, job.context)) return job.settle({ revision: this.head.acknowledged.revision });
          this.tools.observer.conflict?.(this.ledger);
        }
        await this.tools.sleep(this.tools.random() * MAX_WAIT_MS);
      }
      job.settle(refuse('BUSY', 'other writers of the ledger were always ahead, or its read model is far behind'));
    } catch (error) {
      this.head.abandon();
      this.head.forget();
      job.fail(error);
    }
  }

  private async append(events: ControlEvent[], context: RequestContext): Promise<boolean> {
    const expected = this.head.point.revision;
    if (events.length === 0) return (await this.tools.store.headRevision(this.stream)) === expected;
    const written: ChainedEvent[] = [];
    for (const event of events) {
      const chained = this.chained(event, context);
      this.head.hope([chained], evolveLedger(this.head.point.state, event), chained.bytes);
      written.push(chained);
    }
    const sentAt = this.tools.clock();
    const landing = await appendResolved(
      this.tools,
      this.stream,
      expected,
      written,
      this.tools.clock() + this.tools.limits.commandTimeoutMs,
    );
    if (landing.outcome === 'landed') {
      this.head.acknowledge();
      this.clockWatch.watch(sentAt, landing.storedAt);
    } else this.head.abandon();
    if (landing.outcome === 'failed') throw errorOf(landing.refusal);
    return landing.outcome === 'landed';
  }
}

function errorOf({ refused, detail }: Refusal): EventStoreError {
  return new EventStoreError(refused === 'OUTCOME_UNKNOWN' ? refused : 'UNAVAILABLE', detail);
}
