import { afterAll, beforeAll } from 'vitest';
import { eventStoreNode, type EventStoreNode } from '../../../test/support/eventstoredb-node.js';
import { eventStoreContract } from '../src/contract.js';
import { openEventStoreDb } from './index.js';

let node: EventStoreNode;
beforeAll(async () => {
  node = await eventStoreNode();
});
afterAll(() => node.stop());

eventStoreContract('EventStoreDB', () => openEventStoreDb({ url: node.url }));
