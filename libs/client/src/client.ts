/** Where everything begins. */
import { Backends, BackendTypes, Models } from './catalog.js';
import { Ledger } from './ledger.js';
import type { CallOptions, ClientOptions } from './options.js';
import { LocalRecord } from './records.js';
import { Subscribers } from './subscribers.js';
import { Transport } from './transport.js';
import { EventSubscription, readEventsPage, type EventsPageOptions, type SubscribeOptions } from './subscription.js';
import type { Id } from './values.js';
import type { Digest, Page } from './wire-bindings.js';
import type { EventFilter, EventsPage } from './wire-events.js';

export interface Health {
  ok: boolean;
  status: number;
  /** What the server says about itself: parsed when it is JSON, else text. */
  detail: unknown;
}

/**
 * A client of one binding ledger. It keeps no connection of its own and needs no closing; one instance serves any number
 * of concurrent calls.
 */
export class BindingLedgerClient {
  readonly backendTypes: BackendTypes;
  readonly models: Models;
  readonly backends: Backends;
  readonly subscribers: Subscribers;
  readonly #transport: Transport;

  /** @throws {TypeError} for an unusable `url` (it must hold no credentials), API key or header value; the value is not shown. */
  constructor(options: ClientOptions) {
    this.#transport = new Transport(options);
    this.backendTypes = new BackendTypes(this.#transport);
    this.models = new Models(this.#transport);
    this.backends = new Backends(this.#transport);
    this.subscribers = new Subscribers(this.#transport);
  }

  /** All bindings of one model on one backend. Nothing is sent. */
  ledger(backend: string, model: string): Ledger {
    return new Ledger(this.#transport, backend, model);
  }

  /** One local record across all ledgers, such as `records('res.partner', 42)`. Nothing is sent. */
  records(localModel: string, recordId: Id): LocalRecord {
    return new LocalRecord(this.#transport, localModel, recordId);
  }

  /** The events of bindings of all ledgers, as they happen or from a position on. Nothing is sent before it is read or observed. */
  subscribe(filter: EventFilter = {}, options: SubscribeOptions = {}): EventSubscription {
    return new EventSubscription(this.#transport, filter, options);
  }

  /** One page of the events of bindings of all ledgers. Errors: `POSITION_GONE`, `BUSY` when too many wait. */
  events(filter: EventFilter = {}, options: EventsPageOptions = {}): Promise<EventsPage> {
    return readEventsPage(this.#transport, filter, options);
  }

  /** The digests of all ledgers, by ledger: to keep elsewhere. */
  async *digests(options: CallOptions = {}): AsyncGenerator<Digest> {
    for (let cursor: string | undefined; ;) {
      const page: Page<Digest> = await this.#transport.read({ method: 'GET', path: '/v1/digests', query: { cursor }, options });
      yield* page.items;
      if (page.nextCursor === null) return;
      cursor = page.nextCursor;
    }
  }

  /** Whether the process answers at all. Not tried again. */
  async live(options: CallOptions = {}): Promise<Health> {
    return this.#health('/health/live', options);
  }

  /** Whether it can serve: `ok: false` with its reasons while it cannot. Not tried again. */
  async ready(options: CallOptions = {}): Promise<Health> {
    return this.#health('/health/ready', options);
  }

  async #health(path: string, options: CallOptions): Promise<Health> {
    const { status, text } = await this.#transport.probe({ method: 'GET', path, options });
    return { ok: status < 300, status, detail: jsonOrText(text) };
  }
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
