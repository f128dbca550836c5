/** A store and a vault in memory, events as a ledger writes them, and as many instances of a subscriber as a test needs. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { vi } from 'vitest';
import { EVENT_SCHEMA, ledgerKey, type BindingEvent, type LedgerEvent, type LedgerName, type RecordedLedgerEvent } from '#domain';
import { EventStoreError, NO_STREAM, type EventStore } from '#event-store';
import { openSqliteEventStore } from '#event-store/sqlite';
import { Positions, StreamNames, toNewEvent, type BindingEventView } from '#ledger';
import {
  defineSubscriber,
  readDocument,
  SubscriberOperations,
  Subscription,
  type HandlerContext,
  type SubscriberDefinition,
  type SubscriberDocument,
  type SubscriberHandler,
  type SubscriberNotice,
  type SubscriptionTools,
} from '#subscriptions';
import { VaultError, type Vault } from '#vault';
import { openSqliteVault } from '#vault/sqlite';

export const PRODUCTS = { backend: 'shop', model: 'shop.product' };
export const NAME = 'stock-service';
/** Quick enough for a test, and long enough for a busy machine to renew. */
const LEASE_MS = 3_000;
const MOST_ATTEMPTS = 500;

export const eventually = <T>(check: () => T | Promise<T>) => vi.waitFor(check, { timeout: 30_000, interval: 5 });

/** In memory, but for what is given. */
interface WorldStores {
  folder?: string;
  store?: EventStore;
  vault?: Vault;
}

export class SubscriptionWorld {
  readonly streams = new StreamNames();
  readonly notices: SubscriberNotice[] = [];
  readonly subscriptions: Subscription[] = [];
  readonly operations: SubscriberOperations;
  readonly positions: Positions;
  private readonly heads = new Map<string, number>();
  private readonly versions = new Map<string, number>();

  private constructor(
    readonly store: EventStore,
    readonly vault: Vault,
  ) {
    this.positions = new Positions(store, this.streams);
    this.operations = new SubscriberOperations({ vault, store, streams: this.streams, positions: this.positions });
  }

  static async open({ folder = ':memory:', ...stores }: WorldStores = {}): Promise<SubscriptionWorld> {
    const store = stores.store ?? (await openSqliteEventStore({ folder, appendIn: 'thread' }));
    const world = new SubscriptionWorld(store, stores.vault ?? (await openSqliteVault({ folder })));
    // The first event of the catalog is the identity of a store.
    await store.append('catalog-types', NO_STREAM, [{ id: randomUUID(), type: 'BackendTypeDefined', data: {}, metadata: {} }]);
    return world;
  }

  async close(): Promise<void> {
    await Promise.all(this.subscriptions.map((subscription) => subscription.stop()));
    await this.vault.close();
    await this.store.close();
  }

  /** One event per id, of the binding of that id, in one append. */
  async happen(ids: readonly string[], ledger: LedgerName = PRODUCTS): Promise<void> {
    await this.append(
      ledger,
      ids.map((id) => this.nextOf(id, ledger)),
    );
  }

  /** The chain does not matter to a subscriber: the hashes are not those of a ledger. */
  async append(ledger: LedgerName, events: readonly LedgerEvent[]): Promise<void> {
    const key = ledgerKey(ledger);
    const head = this.heads.get(key) ?? NO_STREAM;
    const recorded = events.map(({ type, data }, index) => {
      const metadata = { schema: EVENT_SCHEMA, at: new Date().toISOString(), actor: 'tester', correlationId: 'c', hash: 'h' };
      return toNewEvent({ type, data, metadata, id: randomUUID(), revision: head + 1 + index } as RecordedLedgerEvent);
    });
    const result = await patiently(() => this.store.append(this.streams.ledger(ledger), head, recorded));
    if (!result.ok) throw new Error(`${key} is at ${result.actual}`);
    this.heads.set(key, result.revision);
  }

  /** An instance, not started. */
  instance(
    handle: SubscriberHandler,
    definition: Partial<SubscriberDefinition> = {},
    tools: Partial<SubscriptionTools> = {},
  ): Subscription {
    const subscriber = defineSubscriber(
      { name: NAME, from: 'start', leaseMs: LEASE_MS, firstBackoffMs: 1, longestBackoffMs: 5, ...definition },
      handle,
    );
    const { store, vault, streams, positions } = this;
    const localModelOf = () => Promise.resolve('product');
    const notice = (each: SubscriberNotice) => void this.notices.push(each);
    const subscription = new Subscription({ store, vault, streams, positions, localModelOf, notice, ...tools }, subscriber);
    this.subscriptions.push(subscription);
    return subscription;
  }

  start(...of: Parameters<SubscriptionWorld['instance']>): Subscription {
    const subscription = this.instance(...of);
    subscription.start();
    return subscription;
  }

  async document(name = NAME): Promise<SubscriberDocument> {
    const stored = await readDocument(this.vault, name);
    if (stored === undefined) throw new Error(`${name} has no checkpoint`);
    return stored.document;
  }

  /** Until everything that there is was handled or parked, and the checkpoint says so. */
  async caughtUp(name = NAME): Promise<SubscriberDocument> {
    const end = await this.store.endPosition();
    return eventually(async () => {
      const document = await this.document(name);
      if (document.position < end) throw new Error(`${name} is at ${document.position}, not at ${end}`);
      return document;
    });
  }

  private nextOf(id: string, ledger: LedgerName): BindingEvent {
    const key = `${ledgerKey(ledger)}#${id}`;
    const version = (this.versions.get(key) ?? 0) + 1;
    this.versions.set(key, version);
    const data = { bindingId: id, version, recordId: `r-${id}`, externalId: `e-${id}`, state: 'bound' as const };
    return { type: version === 1 ? 'BindingCreated' : 'SyncDateUpdated', data };
  }
}

/** The same append again while the store is away: it writes once. */
async function patiently<T>(append: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await append();
    } catch (error) {
      if (!(error instanceof EventStoreError) || error.code === 'CLOSED' || attempt >= MOST_ATTEMPTS) throw error;
      await sleep(20);
    }
  }
}

/** What a handler was given, in the order in which it finished. */
export class Handled {
  readonly calls: { event: BindingEventView; context: HandlerContext }[] = [];
  /** Ids of bindings whose events fail, and how often yet. */
  readonly failing = new Map<string, number>();

  readonly handle: SubscriberHandler = (event, context) => {
    const left = this.failing.get(event.bindingId) ?? 0;
    if (left > 0) {
      this.failing.set(event.bindingId, left - 1);
      throw new Error(`${event.bindingId} cannot be handled`);
    }
    this.calls.push({ event, context });
  };

  /** `a1` for the first event of binding a. */
  get names(): string[] {
    return this.calls.map(({ event: { bindingId, version } }) => `${bindingId}${version}`);
  }

  of(ledger: LedgerName): number[] {
    return this.calls.filter(({ event }) => ledgerKey(event) === ledgerKey(ledger)).map(({ event }) => event.revision);
  }
}

/** Stores that fail when they are told to. */
export class Outage {
  down = false;

  store(inner: EventStore): EventStore {
    const up = this.check(() => new EventStoreError('UNAVAILABLE', 'the event store is down'));
    const { check } = { check: () => this.down };
    return {
      append: (...of) => up(() => inner.append(...of)),
      readStream: (...of) => up(() => inner.readStream(...of)),
      headRevision: (...of) => up(() => inner.headRevision(...of)),
      endPosition: () => up(() => inner.endPosition()),
      readAll: (...of) => up(() => inner.readAll(...of)),
      async *subscribe(to, signal) {
        const own = new AbortController();
        const end = () => own.abort();
        signal.addEventListener('abort', end);
        const looking = setInterval(() => check() && own.abort(), 2);
        try {
          if (!check()) yield* inner.subscribe(to, own.signal);
          if (check()) throw new EventStoreError('UNAVAILABLE', 'the event store went away');
        } finally {
          clearInterval(looking);
          signal.removeEventListener('abort', end);
        }
      },
      ping: () => up(() => inner.ping()),
      close: () => inner.close(),
    };
  }

  vault(inner: Vault): Vault {
    const up = this.check(() => new VaultError('UNAVAILABLE', 'the vault is down'));
    return {
      get: (...of) => up(() => inner.get(...of)),
      put: (...of) => up(() => inner.put(...of)),
      delete: (...of) => up(() => inner.delete(...of)),
      deleteAll: (...of) => up(() => inner.deleteAll(...of)),
      list: (...of) => up(() => inner.list(...of)),
      ping: () => up(() => inner.ping()),
      close: () => inner.close(),
    };
  }

  private check(error: () => Error) {
    return async <T>(act: () => Promise<T>): Promise<T> => {
      if (this.down) throw error();
      return act();
    };
  }
}
