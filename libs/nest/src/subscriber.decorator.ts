import type { BindingEventView } from '#ledger';
import type { HandlerContext, SubscriberDefinition } from '#subscriptions';

/** A method that can be a subscriber. What it answers is not looked at, but a promise is waited for. */
export type SubscriberMethod = (event: BindingEventView, context: HandlerContext) => unknown;

const SUBSCRIBER = Symbol('BindingSubscriber');

/**
 * Makes a provider's method a durable subscriber: every event of a binding that fits the filter comes to it at least once, each
 * ledger's in order, one at a time. How far it is stands in the vault under its name. A method that throws is called again with the
 * same event, later and later; after the last attempt the event is parked, with those of the same binding that come behind
 * it, until an operator has it replayed or skipped.
 */
export function BindingSubscriber(definition: SubscriberDefinition) {
  return <T extends SubscriberMethod>(_target: object, method: string | symbol, descriptor: TypedPropertyDescriptor<T>): void => {
    const { value } = descriptor;
    if (value === undefined) throw new TypeError(`@BindingSubscriber is for methods, and ${String(method)} is none`);
    if (Reflect.hasMetadata(SUBSCRIBER, value)) throw new TypeError(`@BindingSubscriber stands twice at ${String(method)}`);
    Reflect.defineMetadata(SUBSCRIBER, definition, value);
  };
}

export function definitionAt(method: unknown): SubscriberDefinition | undefined {
  return typeof method === 'function' ? (Reflect.getMetadata(SUBSCRIBER, method) as SubscriberDefinition | undefined) : undefined;
}
