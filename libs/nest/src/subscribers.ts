import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { ledgerKey } from '#domain';
import type { OpenedLedger } from '#runtime';
import {
  defineSubscriber,
  Subscription,
  type BindingName,
  type OperationRefusal,
  type OperationResult,
  type ParkedBinding,
  type ResetResult,
  type SubscribeFrom,
  type Subscriber,
  type SubscriberNotice,
  type SubscriberView,
} from '#subscriptions';
import { BINDING_LEDGER_OPTIONS, OPENED_LEDGER, type BindingLedgerOptions } from './options.js';
import { definitionAt, type SubscriberMethod } from './subscriber.decorator.js';

/**
 * The durable subscribers of this application, and what operators do with those of any: they are found, and begin, when the
 * application has started, and end first when it shuts down. So what handlers use is closed in `beforeApplicationShutdown` or
 * `onApplicationShutdown`, not before.
 */
@Injectable()
export class Subscribers implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('BindingSubscriber');
  private readonly running = new Map<string, Subscription>();

  constructor(
    @Inject(OPENED_LEDGER) private readonly opened: OpenedLedger,
    @Inject(BINDING_LEDGER_OPTIONS) private readonly options: BindingLedgerOptions,
    @Inject(DiscoveryService) private readonly discovery: DiscoveryService,
  ) {}

  /** @throws {TypeError} for two of one name, and for what can be no subscriber. */
  onApplicationBootstrap(): void {
    const found = this.find();
    if (this.options.subscribers === false) return;
    const { store, vault, streams, queries } = this.opened;
    const tools = {
      store,
      vault,
      streams,
      positions: queries.positions,
      localModelOf: queries.localModelOf.bind(queries),
      notice: this.tell,
    };
    for (const subscriber of found) this.running.set(subscriber.name, new Subscription(tools, subscriber));
    for (const subscription of this.running.values()) subscription.start();
  }

  async onModuleDestroy(): Promise<void> {
    await Promise.all([...this.running.values()].map((subscription) => subscription.stop()));
  }

  /** All that ever ran on this ledger, of this application or another. */
  list(): Promise<SubscriberView[]> {
    return this.opened.subscribers.list();
  }

  show(name: string): Promise<OperationResult> {
    return this.opened.subscribers.show(name);
  }

  parked(name: string): Promise<ParkedBinding[] | OperationRefusal> {
    return this.opened.subscribers.parked(name);
  }

  /** Tries parked events again, those of one binding or all. Answers when it is asked, not when it is done. */
  replayParked(name: string, binding?: BindingName): Promise<OperationResult> {
    return this.asked(name, this.opened.subscribers.replayParked(name, binding));
  }

  /** Leaves out the first parked event of a binding, and tries those behind it again. */
  skip(name: string, binding: BindingName, revision: number): Promise<OperationResult> {
    return this.asked(name, this.opened.subscribers.skip(name, binding, revision));
  }

  /** Goes on from elsewhere, and forgets what is parked. */
  reset(name: string, to: SubscribeFrom): Promise<ResetResult> {
    return this.asked(name, this.opened.subscribers.reset(name, to));
  }

  private async asked<T>(name: string, answer: Promise<T>): Promise<T> {
    const answered = await answer;
    this.running.get(name)?.poke();
    return answered;
  }

  private find(): Subscriber[] {
    const wrappers = [...this.discovery.getProviders(), ...this.discovery.getControllers()];
    const found = new Map<string, { subscriber: Subscriber; instance: unknown; place: string }>();
    for (const wrapper of wrappers) {
      for (const { subscriber, instance, place } of subscribersOf(wrapper)) {
        const other = found.get(subscriber.name);
        // One provider may be known by several names.
        if (other?.instance === instance && other?.place === place) continue;
        if (other !== undefined)
          throw new TypeError(`two subscribers are named ${JSON.stringify(subscriber.name)}: ${other.place} and ${place}`);
        found.set(subscriber.name, { subscriber, instance, place });
      }
    }
    return [...found.values()].map(({ subscriber }) => subscriber);
  }

  private readonly tell = (notice: SubscriberNotice): void => {
    const { subscriber, kind } = notice;
    if ('message' in notice) {
      if (kind === 'unavailable') return this.logger.warn(`${subscriber}: waits: ${notice.message}`);
      return this.logger.error(`${subscriber}: has stopped: ${notice.message}`);
    }
    if (!('error' in notice)) {
      if (kind === 'took') return this.logger.log(`${subscriber}: runs here`);
      return this.logger.warn(`${subscriber}: another instance has taken over`);
    }
    const { message, backend = '', model = '', revision, attempt } = notice.error;
    const where = `${subscriber}: ${ledgerKey({ backend, model })}@${revision}, attempt ${attempt}: ${message}`;
    if (kind === 'parked') this.logger.error(`${where}; parked`);
    else this.logger.warn(where);
  };
}

type ProviderWrapper = ReturnType<DiscoveryService['getProviders']>[number];

const scanner = new MetadataScanner();

function* subscribersOf(wrapper: ProviderWrapper): Generator<{ subscriber: Subscriber; instance: unknown; place: string }> {
  const instance = wrapper.instance as Record<string, SubscriberMethod> | undefined;
  const { metatype } = wrapper;
  const prototype =
    typeof instance === 'object' && instance !== null
      ? (Object.getPrototypeOf(instance) as object | null)
      : ((metatype?.prototype as object | undefined) ?? null);
  if (prototype === null) return;
  for (const method of scanner.getAllMethodNames(prototype)) {
    const definition = definitionAt(Object.getOwnPropertyDescriptor(ownerOf(prototype, method), method)?.value);
    if (definition === undefined) continue;
    const place = `${prototype.constructor.name}.${method}`;
    if (instance === undefined || instance === null || wrapper.isTransient || !wrapper.isDependencyTreeStatic())
      throw new TypeError(`${place}: a subscriber's provider is made once, not for each request or each that injects it`);
    const handle: SubscriberMethod = (event, context) => instance[method]?.(event, context);
    yield { subscriber: defineSubscriber(definition, handle), instance, place };
  }
}

/** Where in the chain of prototypes a method stands. */
function ownerOf(prototype: object, method: string): object {
  let owner: object = prototype;
  while (!Object.hasOwn(owner, method)) owner = Object.getPrototypeOf(owner) as object;
  return owner;
}
