/** Events of all ledgers as they happen, from a connection that is opened again whenever it is lost. */
import { Deadline, sleep } from './deadline.js';
import { isLedgerError, LedgerError } from './errors.js';
import { MAX_RETRY_AFTER_MS } from './retry.js';
import { readBlocks, type ServerSentBlock } from './sse.js';
import type { Call, Transport } from './transport.js';
import type { CallOptions } from './options.js';
import { idAsText, type Id, type Query } from './values.js';
import type { BindingEvent, EventFilter, EventsPage } from './wire-events.js';

const EVENTS_PATH = '/v1/events';
const EVENT_STREAM = 'text/event-stream';
/** Nothing aborts it. */
const NEVER = new AbortController().signal;
/** The ledger sends something every 15 seconds. */
const DEFAULT_SILENCE_MS = 45_000;

export interface SubscribeOptions {
  /**
   * The position to begin after: that of the last event which is done with, or `start` for everything. Without it: what is recorded once
   * the connection stands.
   */
  after?: string | undefined;
  /** Ends the subscription. Its loop ends then without an error; observers are not told any more. */
  signal?: AbortSignal | undefined;
  /**
   * Told where to begin the next time, whenever all before it is done with: after each event that the loop has come back from, and when
   * nothing that fits happened for a while. What it throws ends the subscription.
   */
  onPosition?: ((position: string) => void) | undefined;
  /** Told before each wait for a new connection. What it throws ends the subscription. */
  onReconnect?: ((notice: ReconnectNotice) => void) | undefined;
  /** Failures in a row after which the last one is thrown; default: none, it is tried for ever. */
  attempts?: number | undefined;
  /** A connection on which nothing came for so long is given up and opened again; default 45,000. */
  silenceMs?: number | undefined;
  onBehalfOf?: string | undefined;
  correlationId?: string | undefined;
}

export interface EventsPageOptions extends CallOptions {
  /** As that of a subscription. Without it the page is empty, unless it waits: it begins with what is recorded from now on. */
  after?: string | undefined;
  /** Items a page. */
  limit?: number | undefined;
  /** A page waits up to this long for an event when there is none, in milliseconds. */
  waitMs?: number | undefined;
}

export interface ReconnectNotice {
  /** Failures in a row, from 1. */
  attempt: number;
  delayMs: number;
  error: LedgerError;
  /** Where the new connection will begin; `undefined`: with what is recorded then. */
  position: string | undefined;
}

export interface EventObserver {
  next?: ((event: BindingEvent) => void) | undefined;
  error?: ((error: unknown) => void) | undefined;
  complete?: (() => void) | undefined;
}

export interface Unsubscribable {
  unsubscribe(): void;
}

/** Where observables are told by, for libraries that do not define `Symbol.observable`. */
const OBSERVABLE = '@@observable' as const;

/**
 * Each loop over it, and each observer of it, has a connection of its own and begins at `after`. Events come in the store's order, none is
 * left out; after a lost connection it goes on behind the last event that the loop came back from, so that none comes twice either.
 *
 * `for await` reads no faster than its body works. An observer is told as fast as events come: what takes its time belongs into the loop.
 *
 * Errors: `POSITION_GONE` when the ledger does not know the position, and whatever else will not pass by itself.
 */
export class EventSubscription implements AsyncIterable<BindingEvent> {
  readonly #transport: Transport;
  readonly #filter: EventFilter;
  readonly #options: SubscribeOptions;

  constructor(transport: Transport, filter: EventFilter, options: SubscribeOptions) {
    this.#transport = transport;
    this.#filter = filter;
    this.#options = options;
    // As rxjs' `from` asks for it where `Symbol.observable` is defined.
    const { observable } = Symbol as { observable?: symbol };
    if (typeof observable === 'symbol') Object.defineProperty(this, observable, { value: () => this });
  }

  [Symbol.asyncIterator](): AsyncGenerator<BindingEvent> {
    return this.#follow(this.#options.signal);
  }

  /** So that `from` of rxjs, and of other libraries, takes it. */
  [OBSERVABLE](): this {
    return this;
  }

  /** Calls back for each event, from now until it is unsubscribed. */
  subscribe(observer: EventObserver | ((event: BindingEvent) => void)): Unsubscribable {
    const told: EventObserver = typeof observer === 'function' ? { next: observer } : observer;
    const left = new AbortController();
    const { signal } = this.#options;
    const leave = (): void => left.abort();
    if (signal?.aborted) leave();
    signal?.addEventListener('abort', leave, { once: true });
    const run = async (): Promise<void> => {
      for await (const event of this.#follow(left.signal)) told.next?.(event);
    };
    const failed = (failure: unknown): void => {
      // Nobody would hear of it otherwise.
      if (told.error === undefined) throw failure;
      told.error(failure);
    };
    void run()
      .then(() => (left.signal.aborted ? undefined : told.complete?.()), failed)
      .finally(() => signal?.removeEventListener('abort', leave));
    return { unsubscribe: leave };
  }

  async *#follow(signal: AbortSignal | undefined): AsyncGenerator<BindingEvent> {
    const { onPosition, onReconnect, attempts = Number.POSITIVE_INFINITY } = this.#options;
    let position = this.#options.after;
    let failures = 0;
    while (signal?.aborted !== true) {
      try {
        for await (const { id, data } of this.#connection(position, signal)) {
          failures = 0;
          if (data !== undefined) yield parseEvent(data);
          if (id !== undefined && id !== position) {
            position = id;
            onPosition?.(id);
          }
          // What has arrived and was not given out yet is left for the next time.
          if (signal?.aborted) return;
        }
      } catch (error) {
        if (signal?.aborted) return;
        failures += 1;
        if (!isLedgerError(error) || !error.retryable || failures >= attempts) throw error;
        if ((error.retryAfterMs ?? 0) > MAX_RETRY_AFTER_MS) throw error;
        const delayMs = this.#transport.retry.delayMs(error, failures);
        onReconnect?.({ attempt: failures, delayMs, error, position });
        await sleep(delayMs, signal ?? NEVER).catch(() => undefined);
      }
    }
  }

  /** One connection, from a position until it is lost: even a proper end is not the end of the events. */
  async *#connection(position: string | undefined, signal: AbortSignal | undefined): AsyncGenerator<ServerSentBlock> {
    const { silenceMs = DEFAULT_SILENCE_MS, onBehalfOf, correlationId } = this.#options;
    const query = { ...filterQuery(this.#filter), after: position };
    const call: Call = { method: 'GET', path: EVENTS_PATH, query, options: { onBehalfOf, correlationId } };
    const deadline = new Deadline(silenceMs, signal);
    let open = false;
    try {
      const body = await this.#transport.openStream(call, EVENT_STREAM, deadline);
      open = true;
      const silent = { begins: () => deadline.arm(silenceMs), ends: () => deadline.disarm() };
      for await (const blocks of readBlocks(body, silent)) yield* blocks;
      throw LedgerError.local('STREAM_CUT', 'the stream of events ended', { request: `GET ${EVENTS_PATH}`, retryable: true });
    } catch (error) {
      throw this.#transport.explain(error, `GET ${EVENTS_PATH}`, deadline, open ? 'STREAM_CUT' : 'UNREACHABLE');
    } finally {
      deadline.stop();
    }
  }
}

/** A page of the events of all ledgers. */
export function readEventsPage(
  transport: Transport,
  filter: EventFilter,
  { after, limit, waitMs = 0, ...options }: EventsPageOptions,
): Promise<EventsPage> {
  const query = { ...filterQuery(filter), after, limit, wait: waitMs === 0 ? undefined : waitMs };
  return transport.read<EventsPage>({ method: 'GET', path: EVENTS_PATH, query, options }, waitMs);
}

function filterQuery({ recordId, ...filter }: EventFilter): Query {
  const ids = recordId === undefined ? undefined : [recordId].flat().map((id) => idAsText(id as Id));
  return { ...filter, recordId: ids };
}

function parseEvent(data: string): BindingEvent {
  try {
    return JSON.parse(data) as BindingEvent;
  } catch (cause) {
    throw LedgerError.local('UNEXPECTED_ANSWER', 'an event of the stream is not JSON', { cause });
  }
}
