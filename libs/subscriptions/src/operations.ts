/** What operators see of subscribers, and ask of them; all of it by way of the vault, so from any process. */
import { randomUUID } from 'node:crypto';
import { refuse, type LedgerName, type Refusal } from '#domain';
import type { EventStore, Position } from '#event-store';
import { sha256, type EventFilter, type Positions, type StreamNames } from '#ledger';
import { VaultError, type Vault } from '#vault';
import {
  MAX_REQUESTS,
  type Asker,
  readDocument,
  readParked,
  SUBSCRIBER_KIND,
  subscriberKey,
  type SubscriberDocument,
  type SubscriberError,
  type SubscriberRequest,
} from './document.js';
import { positionOf } from './lease.js';
import type { BindingName, ParkedBinding } from './parking.js';
import type { SubscribeFrom } from './subscriber.js';

export interface SubscriberView {
  name: string;
  /** `waiting`: no instance runs it now. */
  state: 'running' | 'waiting' | 'stopped';
  /** Why it has stopped. */
  stopped: string | null;
  /** Which instance runs it, since when, and when it was heard of last. */
  instance: string | null;
  since: string;
  seenAt: string;
  filter: EventFilter;
  position: string;
  /** Events after the position, whether the filter wants them or not, and how old the first of them is. */
  lag: { events: number; more: boolean; seconds: number };
  parked: { events: number; bindings: number; oldestAt: string | null; oldestSeconds: number };
  lastError: SubscriberError | null;
  /** What was asked of it and is not done yet. */
  requests: (Asker & { id: string; action: SubscriberRequest['action']; at: string })[];
}

export interface OperationTools {
  vault: Vault;
  store: EventStore;
  streams: StreamNames;
  positions: Positions;
}

/** `SUBSCRIBER_NOT_FOUND`: there is none of that name, or it has never run. */
export type OperationRefusal = Refusal | { refused: 'SUBSCRIBER_NOT_FOUND'; detail: string };
export type OperationResult = SubscriberView | OperationRefusal;
export type ResetResult = OperationResult | { refused: 'POSITION_GONE'; detail: string };

/** The lag is counted up to here. */
export const MAX_COUNTED_LAG = 10_000;
const COUNT_PAGE = 1_000;
/** One that was not heard of for so long is not said to be running. */
const SILENT_AFTER_MS = 15_000;
const LIST_PAGE = 100;
const MAX_CONFLICTS = 50;
const MAX_READS = 5;

/** Who asks; the same key and request is done once, as long as it is among the last hundred. */
export interface Asking extends Asker {
  key?: string;
}

type NewRequest =
  | { action: 'replay'; binding?: BindingName }
  | { action: 'skip'; binding: BindingName; revision: number }
  | { action: 'reset'; to: Position };

export class SubscriberOperations {
  constructor(private readonly tools: OperationTools) {}

  /** All that ever ran, by name. @param countLag up to how many events a lag is counted */
  async list(countLag = MAX_COUNTED_LAG): Promise<SubscriberView[]> {
    const views: SubscriberView[] = [];
    for (let after: { id: string; version: string } | undefined; ;) {
      const keys = await this.tools.vault.list(SUBSCRIBER_KIND, { limit: LIST_PAGE, after });
      for (const { id } of keys) {
        const stored = await readDocument(this.tools.vault, id);
        if (stored !== undefined) views.push(await this.view(stored.document, countLag));
      }
      if (keys.length < LIST_PAGE) return views;
      after = keys.at(-1);
    }
  }

  async show(name: string): Promise<OperationResult> {
    const stored = await readDocument(this.tools.vault, name);
    return stored === undefined ? unknown(name) : this.view(stored.document, MAX_COUNTED_LAG);
  }

  /** Bindings with parked events, the events of each in order; the first is the one that could not be handled. */
  async parked(name: string): Promise<ParkedBinding[] | OperationRefusal> {
    for (let reads = 0; reads < MAX_READS; reads += 1) {
      const stored = await readDocument(this.tools.vault, name);
      if (stored === undefined) return unknown(name);
      const bindings = await readParked(this.tools.vault, name, stored.document.parked.version);
      if (bindings !== undefined) return bindings;
    }
    throw new VaultError('UNAVAILABLE', `what ${name} has parked changes all the time, or is lost`);
  }

  /** Tries parked events again, those of one binding or all, each binding's in order. */
  async replayParked(name: string, binding?: BindingName, asking: Asking = {}): Promise<OperationResult> {
    return this.ask(name, { action: 'replay', binding: binding && nameOf(binding) }, asking, () =>
      binding === undefined ? undefined : this.missing(name, binding),
    );
  }

  /** Leaves out the first parked event of a binding, which is named, and tries those behind it again. */
  async skip(name: string, binding: BindingName, revision: number, asking: Asking = {}): Promise<OperationResult> {
    return this.ask(name, { action: 'skip', binding: nameOf(binding), revision }, asking, () =>
      this.missing(name, binding, revision),
    );
  }

  /** Goes on from elsewhere, and forgets what is parked. `now` is the end of the store when this is asked. */
  async reset(name: string, from: SubscribeFrom, asking: Asking = {}): Promise<ResetResult> {
    const to = await positionOf(from, this.tools);
    if (to === undefined) return { refused: 'POSITION_GONE', detail: 'it is no position of this event store' };
    return this.ask(name, { action: 'reset', to }, asking, () => undefined, from);
  }

  private async missing(name: string, binding: BindingName, revision?: number): Promise<OperationRefusal | undefined> {
    const parked = await this.parked(name);
    if (!Array.isArray(parked)) return parked;
    const found = parked.find((each) => isSame(each, binding));
    if (found === undefined)
      return refuse(
        'BINDING_NOT_FOUND',
        `${name} has nothing parked of binding ${binding.bindingId} in ${binding.backend}/${binding.model}`,
      );
    const first = found.events[0]?.revision;
    if (revision === undefined || first === revision) return undefined;
    return refuse('VERSION_MISMATCH', `the first parked event of the binding has revision ${first}, not ${revision}`);
  }

  private async ask(
    name: string,
    request: NewRequest,
    { key, actor, reason }: Asking,
    check: () => Promise<OperationRefusal | undefined> | undefined,
    given?: string,
  ): Promise<OperationResult> {
    const id = key === undefined ? randomUUID() : sha256(JSON.stringify([actor, key]));
    const digest = sha256(JSON.stringify(given === undefined ? request : [request.action, given]));
    const asked: SubscriberRequest = { id, at: new Date().toISOString(), digest, actor, reason, ...request };
    for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts += 1) {
      const stored = await readDocument(this.tools.vault, name);
      if (stored === undefined) return unknown(name);
      const { document, revision } = stored;
      const same = [...document.requests, ...document.served].find((each) => each.id === id);
      if (same !== undefined && same.digest !== digest)
        return refuse('IDEMPOTENCY_KEY_REUSED', 'the idempotency key was used for another request');
      if (same !== undefined) return this.view(document, MAX_COUNTED_LAG);
      const refused = await check();
      if (refused !== undefined) return refused;
      if (document.requests.length >= MAX_REQUESTS)
        return refuse('BUSY', `${MAX_REQUESTS} requests to ${name} wait already for an instance that runs it`);
      const next = { ...document, requests: [...document.requests, asked] };
      const put = await this.tools.vault.put(subscriberKey(name), JSON.stringify(next), revision);
      if (put.ok) return this.view(next, MAX_COUNTED_LAG);
    }
    return refuse('BUSY', `the checkpoint of ${name} is saved all the time`);
  }

  private async view(document: SubscriberDocument, countLag: number): Promise<SubscriberView> {
    const { name, stopped, instance, since, at, filter, parked, lastError, requests } = document;
    const now = Date.now();
    const silent = instance === null || now - Date.parse(at) > SILENT_AFTER_MS;
    const publish = await this.tools.positions.publisher();
    return {
      name,
      state: stopped !== null ? 'stopped' : silent ? 'waiting' : 'running',
      stopped,
      instance,
      since,
      seenAt: at,
      filter,
      position: publish(document.position),
      lag: await this.lagAfter(document.position, countLag, now),
      parked: {
        events: parked.events,
        bindings: parked.bindings,
        oldestAt: parked.oldestAt,
        oldestSeconds: parked.oldestAt === null ? 0 : secondsBetween(parked.oldestAt, now),
      },
      lastError,
      requests: requests.map(({ id, action, at: askedAt, actor, reason }) => ({ id, action, at: askedAt, actor, reason })),
    };
  }

  private async lagAfter(position: Position, most: number, now: number): Promise<SubscriberView['lag']> {
    const { store, streams } = this.tools;
    let [after, events, seconds] = [position, 0, 0];
    for (let end = false; !end && events < most;) {
      const limit = Math.min(COUNT_PAGE, most - events);
      const page = await store.readAll({ after, streamPrefixes: [`${streams.prefix}ledger-`], limit });
      if (events === 0 && page.events[0] !== undefined) seconds = secondsBetween(page.events[0].storedAt, now);
      events += page.events.length;
      [after, end] = [page.position, page.end];
    }
    return { events, more: events >= most, seconds };
  }
}

function unknown(name: string): OperationRefusal {
  return { refused: 'SUBSCRIBER_NOT_FOUND', detail: `no subscriber ${JSON.stringify(name)} has ever run on this ledger` };
}

/** The name alone, of what may be a parked binding. */
function nameOf({ backend, model, bindingId }: BindingName): BindingName {
  return { backend, model, bindingId };
}

function isSame(a: BindingName, b: LedgerName & { bindingId: string }): boolean {
  return a.bindingId === b.bindingId && a.backend === b.backend && a.model === b.model;
}

function secondsBetween(then: string, now: number): number {
  return Math.max(0, Math.round((now - Date.parse(then)) / 100) / 10);
}
