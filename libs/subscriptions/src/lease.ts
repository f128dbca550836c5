/** One instance runs a subscriber: whoever holds the lease, which stands in the same document as the checkpoint. */
import { setTimeout as sleep } from 'node:timers/promises';
import { EventStoreError, START, type EventStore, type Position } from '#event-store';
import type { Positions } from '#ledger';
import { VaultError, type Vault } from '#vault';
import {
  MAX_SERVED,
  newDocument,
  readDocument,
  subscriberKey,
  type StoredDocument,
  type SubscriberDocument,
} from './document.js';
import type { SubscribeFrom, Subscriber } from './subscriber.js';

/** The holder stops starting handlers a little before others may take over from it. */
const FRESH_PART = 0.75;
const LOOKS_PER_LEASE = 6;
const MAX_CONFLICTS = 20;

/** What a holder may change; `requests` are others' to add. */
export type Saved = Partial<Pick<SubscriberDocument, 'position' | 'stopped' | 'parked' | 'lastError' | 'instance' | 'filter'>> & {
  /** Ids of requests that are done. */
  done?: ReadonlySet<string>;
};

/**
 * A lease that is held. Every write expects the revision of the write before, so that one who was taken over from changes
 * nothing any more, however late it wakes up.
 */
export class Lease {
  private renewedAt: number;

  constructor(
    private readonly vault: Vault,
    private stored: StoredDocument,
    private readonly leaseMs: number,
    askedAt: number,
  ) {
    this.renewedAt = askedAt;
  }

  get document(): SubscriberDocument {
    return this.stored.document;
  }

  /** While this holds nobody else can have taken over: by this process' own clock, which goes on while it is paused. */
  get fresh(): boolean {
    return performance.now() - this.renewedAt < this.leaseMs * FRESH_PART;
  }

  /** Writes, and so renews the lease. False: it is held by another instance. @throws {VaultError} */
  async save({ done, ...changes }: Saved): Promise<boolean> {
    for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts += 1) {
      const { document, revision } = this.stored;
      const next: SubscriberDocument = { ...document, ...changes, ...withoutDone(document, done), at: new Date().toISOString() };
      const askedAt = performance.now();
      const put = await this.vault.put(subscriberKey(document.name), JSON.stringify(next), revision);
      if (put.ok) {
        this.stored = { document: next, revision: put.revision };
        this.renewedAt = askedAt;
        return true;
      }
      if (!(await this.reload())) return false;
    }
    throw new VaultError('UNAVAILABLE', `the checkpoint of ${this.document.name} is changed all the time`);
  }

  /** Somebody has written: an operator, this instance itself in a write that seemed to fail, or the next holder. */
  private async reload(): Promise<boolean> {
    const { epoch, name } = this.document;
    const stored = await readDocument(this.vault, name);
    if (stored === undefined || stored.document.epoch !== epoch) return false;
    this.stored = stored;
    return true;
  }
}

function withoutDone(
  { requests, served }: SubscriberDocument,
  done: ReadonlySet<string> = new Set(),
): Pick<SubscriberDocument, 'requests' | 'served'> {
  const finished = requests.filter(({ id }) => done.has(id)).map(({ id, digest }) => ({ id, digest }));
  return { requests: requests.filter(({ id }) => !done.has(id)), served: [...served, ...finished].slice(-MAX_SERVED) };
}

export interface LeaseTools {
  vault: Vault;
  store: EventStore;
  positions: Positions;
  instance: string;
  /** False: a lease that is free is left to others for now. */
  wants(document: SubscriberDocument): boolean;
  /** What keeps it from looking; it goes on trying. */
  trouble(error: Error): void;
}

/** Waits until the lease can be had; `undefined` when the signal aborts before. */
export async function takeLease(tools: LeaseTools, subscriber: Subscriber, signal: AbortSignal): Promise<Lease | undefined> {
  const { leaseMs } = subscriber.limits;
  let seen: { revision: string; at: number } | undefined;
  while (!signal.aborted) {
    try {
      const at = performance.now();
      const stored = await readDocument(tools.vault, subscriber.name);
      if (stored !== undefined && seen?.revision !== stored.revision) seen = { revision: stored.revision, at };
      const silentMs = seen === undefined ? 0 : at - seen.at;
      const free = stored === undefined || stored.document.instance === null || silentMs >= leaseMs;
      if (free && (stored === undefined || tools.wants(stored.document))) {
        const lease = await tryToTake(tools, subscriber, stored);
        if (lease !== undefined) return lease;
      }
    } catch (error) {
      if (!(error instanceof VaultError) && !(error instanceof EventStoreError)) throw error;
      if (error.code === 'CLOSED') return undefined;
      tools.trouble(error);
    }
    await sleep(leaseMs / LOOKS_PER_LEASE, undefined, { signal }).catch(() => undefined);
  }
  return undefined;
}

/** Clocks of two machines are not compared: who has seen no sign of life for a lease's time may take over. */
async function tryToTake(
  tools: LeaseTools,
  subscriber: Subscriber,
  stored: StoredDocument | undefined,
): Promise<Lease | undefined> {
  const { vault, instance } = tools;
  const { name, filter, limits, from } = subscriber;
  const now = new Date().toISOString();
  const before = stored?.document ?? newDocument(name, await firstPosition(from, tools), filter, now);
  const document: SubscriberDocument = {
    ...before,
    epoch: before.epoch + 1,
    instance,
    since: now,
    at: now,
    stopped: null,
    filter,
  };
  const askedAt = performance.now();
  const put = await vault.put(subscriberKey(name), JSON.stringify(document), stored?.revision ?? null);
  return put.ok ? new Lease(vault, { document, revision: put.revision }, limits.leaseMs, askedAt) : undefined;
}

async function firstPosition(from: SubscribeFrom, tools: Pick<LeaseTools, 'store' | 'positions'>): Promise<Position> {
  const position = await positionOf(from, tools);
  if (position !== undefined) return position;
  throw new Error(`it is to begin from ${JSON.stringify(from)}, which is no position of this event store`);
}

/** The store's own position; `undefined` for one that it does not know. */
export async function positionOf(
  from: SubscribeFrom,
  { store, positions }: Pick<LeaseTools, 'store' | 'positions'>,
): Promise<Position | undefined> {
  if (from === 'start') return START;
  return from === 'now' ? store.endPosition() : positions.read(from);
}
