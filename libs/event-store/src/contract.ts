/**
 * What every event store of the ledger does. Each adapter's spec runs this suite; the cases are those of EventStoreDB itself, as
 * far as the port shows them. The store may hold other data: every case uses streams of its own.
 */
import { afterAll, beforeAll, describe } from 'vitest';
import { appending, repeating } from '../../../test/support/event-store/appending.js';
import { closing, followingAll, followingStream } from '../../../test/support/event-store/following.js';
import { reading, readingAll } from '../../../test/support/event-store/reading.js';
import type { EventStore } from './port.js';

/** Opens a store that no other call has opened. */
export type MakeEventStore = () => Promise<EventStore>;

export function eventStoreContract(name: string, makeStore: MakeEventStore): void {
  describe(`event store contract: ${name}`, () => {
    let store: EventStore;
    beforeAll(async () => {
      store = await makeStore();
    });
    afterAll(() => store.close());
    const subject = () => store;
    describe('append', () => appending(subject));
    describe('a repeated append', () => repeating(subject));
    describe('read', () => reading(subject));
    describe('read all', () => readingAll(subject));
    describe('subscribe to a stream', () => followingStream(subject));
    describe('subscribe to all', () => followingAll(subject));
    describe('close', () => closing(makeStore));
  });
}
