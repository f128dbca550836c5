export * from './checkpoint.js';
export * from './document.js';
export * from './lanes.js';
export * from './operations.js';
export { MAX_PARKED_BYTES, Parking, ParkingFull, type BindingName, type ParkedBinding, type ParkedEvent } from './parking.js';
export type { RunPoint } from './saver.js';
export * from './subscriber.js';
export { Subscription, type SubscriberNotice, type SubscriptionTools } from './subscription.js';
