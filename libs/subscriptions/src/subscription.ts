import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { VaultError } from '#vault';
import { messageOf } from './delivery.js';
import { deleteForsaken, readParked, type SubscriberDocument } from './document.js';
import { takeLease, type Lease, type LeaseTools } from './lease.js';
import type { ParkedBinding } from './parking.js';
import { Run, type RunNotice, type RunTools } from './run.js';
import type { RunEnd } from './run-end.js';
import type { Subscriber } from './subscriber.js';

/** What whoever runs a subscriber is told, for its log. */
export type SubscriberNotice = { subscriber: string } & (RunNotice | { kind: 'took' | 'lost' });

export interface SubscriptionTools extends Omit<RunTools, 'notice'> {
  /** Which instance this is, for operators; by default host, process and a part that is made up. */
  instance?: string;
  notice?(notice: SubscriberNotice): void;
}

/** A lease that was given up because of what waiting does not mend is not asked for again at once. */
const REST_LEASES = 5;
const RETRY_MS = 250;

/** Runs a subscriber whenever no other instance does: takes the lease, handles, and takes it again when it was lost. */
export class Subscription {
  readonly instance: string;
  private readonly closing = new AbortController();
  private working: Promise<void> | undefined;
  private run: Run | undefined;
  /** The last run here, when what it did could not be saved, and the requests that it had tried to do. */
  private unsaved: { epoch: number; tried: ReadonlySet<string> } | undefined;

  constructor(
    private readonly tools: SubscriptionTools,
    readonly subscriber: Subscriber,
  ) {
    this.instance = tools.instance ?? `${hostname()}:${process.pid}:${randomUUID().slice(0, 8)}`;
  }

  start(): void {
    this.working ??= this.work();
  }

  /** Looks at once at what operators ask, if it runs here. */
  poke(): void {
    this.run?.poke();
  }

  /** Finishes the handlers that run, within the bound, saves the checkpoint and gives up the lease. */
  async stop(): Promise<void> {
    this.closing.abort();
    await this.working;
  }

  private async work(): Promise<void> {
    const { signal } = this.closing;
    const restMs = this.subscriber.limits.leaseMs * REST_LEASES;
    while (!signal.aborted) {
      let end: RunEnd = 'released';
      try {
        const lease = await takeLease(this.leaseTools(), this.subscriber, signal);
        if (lease === undefined) return;
        this.unsaved = undefined;
        this.notice({ kind: 'took' });
        end = await this.hold(lease);
        if (end === 'lost') this.notice({ kind: 'lost' });
      } catch (error) {
        this.notice({ kind: 'stopped', message: messageOf(error) });
      }
      if (end === 'released') await sleep(restMs, undefined, { signal }).catch(() => undefined);
    }
  }

  private leaseTools(): LeaseTools {
    return {
      ...this.tools,
      instance: this.instance,
      wants: (document) => this.wants(document),
      trouble: (error) => this.unavailable(error),
    };
  }

  /** What could not be saved is not done again by itself: an operator asks for something else, or another instance got over it. */
  private wants({ epoch, stopped, requests }: SubscriberDocument): boolean {
    if (this.unsaved === undefined) return true;
    const { epoch: before, tried } = this.unsaved;
    return requests.some(({ id }) => !tried.has(id)) || (epoch > before && stopped === null);
  }

  private async hold(lease: Lease): Promise<RunEnd> {
    for (let end: RunEnd = 'again'; ;) {
      const parked = await this.parkedOf(lease);
      if (parked === undefined) return this.closing.signal.aborted ? 'closed' : 'lost';
      this.run = new Run(
        { ...this.tools, notice: (notice) => this.notice(notice) },
        this.subscriber,
        lease,
        parked,
        this.closing.signal,
      );
      try {
        end = await this.run.run();
        if (end === 'unsaved') this.unsaved = { epoch: lease.document.epoch, tried: this.run.tried };
      } finally {
        this.run = undefined;
      }
      if (end !== 'again') return end;
    }
  }

  /** `undefined` when somebody else has the lease by now, or it is to stop. */
  private async parkedOf(lease: Lease): Promise<ParkedBinding[] | undefined> {
    const { vault } = this.tools;
    while (!this.closing.signal.aborted) {
      try {
        const { name, parked } = lease.document;
        const bindings = await readParked(vault, name, parked.version);
        if (bindings === undefined && (await lease.save({}))) return await this.withoutParked(lease);
        if (bindings !== undefined) await deleteForsaken(vault, lease.document);
        return bindings;
      } catch (error) {
        if (!(error instanceof VaultError) || error.code !== 'UNAVAILABLE') throw error;
        this.unavailable(error);
        await sleep(RETRY_MS, undefined, { signal: this.closing.signal }).catch(() => undefined);
      }
    }
    return undefined;
  }

  /** What is parked is not in the vault, which was restored or changed by others: only a reset may forget it. */
  private async withoutParked(lease: Lease): Promise<ParkedBinding[]> {
    if (lease.document.requests.some(({ action }) => action === 'reset')) return [];
    const stopped = 'what is parked is not in the vault any more: reset the subscriber';
    await lease.save({ stopped, instance: null });
    throw new Error(stopped);
  }

  private unavailable(error: Error): void {
    this.notice({ kind: 'unavailable', message: error.message });
  }

  private notice(notice: RunNotice | { kind: 'took' | 'lost' }): void {
    this.tools.notice?.({ subscriber: this.subscriber.name, ...notice });
  }
}
