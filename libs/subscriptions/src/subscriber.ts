/** What a durable subscriber is: its name, what it wants, its handler, and the bounds of its work. */
import { parseName } from '#domain';
import type { BindingEventView, EventFilter } from '#ledger';

/** Each member names one value, or several of which one must fit; without members every event of a binding fits. */
export type SubscriberFilter = {
  [Member in keyof EventFilter]?: EventFilter[Member] | NonNullable<EventFilter[Member]>[number];
};

const FILTER_MEMBERS: Record<keyof EventFilter, true> = {
  backend: true,
  model: true,
  type: true,
  recordId: true,
  cause: true,
  direction: true,
  actor: true,
  correlationId: true,
};

export interface HandlerContext {
  subscriber: string;
  /** 1 for the first. After a crash the count begins anew. */
  attempt: number;
  /** Of the event, as `GET /v1/events` takes it. */
  position: string;
  /** The event had been parked, and is tried again because an operator asked for it. */
  replayed: boolean;
  /**
   * Aborts when the attempt has taken too long, the shutdown is over, or another instance has taken over. The next event of
   * the ledger waits until the handler has settled, so a handler heeds it.
   */
  signal: AbortSignal;
}

/** What it answers is not looked at, but a promise is waited for. */
export type SubscriberHandler = (event: BindingEventView, context: HandlerContext) => unknown;

export interface SubscriberLimits {
  /** Ledgers whose events are handled at the same time. */
  concurrency: number;
  /** Attempts before an event is parked. */
  attempts: number;
  /** Waits between attempts double from the first to the longest; each is jittered down to its half. */
  firstBackoffMs: number;
  longestBackoffMs: number;
  /** When the signal of an attempt aborts. */
  attemptTimeoutMs: number;
  /** Events read ahead of the checkpoint. With so many behind one that is not done, other ledgers wait for it as well. */
  inFlightEvents: number;
  /** Parked events; one more stops the subscriber until there is room. */
  parkedEvents: number;
  /** An instance that has not been heard of for so long is taken over from. */
  leaseMs: number;
  /** While events are handled the checkpoint is saved so often; when all are done, at once. */
  checkpointEveryMs: number;
  /** What running handlers get at a shutdown. */
  shutdownMs: number;
}

export const DEFAULT_SUBSCRIBER_LIMITS: SubscriberLimits = {
  concurrency: 8,
  attempts: 5,
  firstBackoffMs: 200,
  longestBackoffMs: 10_000,
  attemptTimeoutMs: 30_000,
  inFlightEvents: 1_000,
  parkedEvents: 1_000,
  leaseMs: 6_000,
  checkpointEveryMs: 1_000,
  shutdownMs: 10_000,
};

/** Where a subscriber begins that has no checkpoint yet: at the start, at the end, or behind a position that an event came with. */
export type SubscribeFrom = 'start' | 'now' | (string & {});

export interface SubscriberDefinition extends Partial<SubscriberLimits> {
  /** Its checkpoint is kept under this name, for good: another name begins anew. */
  name: string;
  from: SubscribeFrom;
  filter?: SubscriberFilter;
}

export interface Subscriber {
  name: string;
  from: SubscribeFrom;
  filter: EventFilter;
  limits: SubscriberLimits;
  handle: SubscriberHandler;
}

/** @throws {TypeError} for what can be no subscriber. */
export function defineSubscriber(
  { name, from, filter = {}, ...limits }: SubscriberDefinition,
  handle: SubscriberHandler,
): Subscriber {
  const fail = (what: string): never => {
    throw new TypeError(`subscriber ${JSON.stringify(name)}: ${what}`);
  };
  const named = parseName(name);
  if (named.problem !== undefined) fail(`its name ${named.problem}`);
  if (typeof from !== 'string') fail('it says where it begins: from "start", "now" or a position');
  const all: SubscriberLimits = { ...DEFAULT_SUBSCRIBER_LIMITS };
  for (const [limit, value] of Object.entries(limits)) {
    if (!(limit in DEFAULT_SUBSCRIBER_LIMITS)) fail(`it has no option ${limit}`);
    if (value === undefined) continue;
    if (!Number.isInteger(value) || value < 1) fail(`${limit} is a whole number from 1 on, not ${String(value)}`);
    all[limit as keyof SubscriberLimits] = value;
  }
  return { name, from, filter: filterOf(filter, fail), limits: all, handle };
}

function filterOf(given: SubscriberFilter, fail: (what: string) => never): EventFilter {
  const lists = Object.entries(given).flatMap(([member, value]) => {
    if (!(member in FILTER_MEMBERS)) fail(`its filter has no member ${member}`);
    if (value === undefined) return [];
    const values: readonly unknown[] = Array.isArray(value) ? value : [value];
    if (values.length === 0 || values.some((each) => typeof each !== 'string'))
      fail(`its filter's ${member} is a text, or several`);
    return [[member, values]];
  });
  return Object.fromEntries(lists) as EventFilter;
}
