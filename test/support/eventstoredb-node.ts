/** The node that tests run on: a real one where EVENTSTORE_TEST_URL names it, else a stand-in in this process. */
import { startStandIn, type StandInOptions } from './stand-in/index.js';

export interface EventStoreNode {
  url: string;
  stop(): Promise<void>;
}

export async function eventStoreNode(options: StandInOptions = {}): Promise<EventStoreNode> {
  const url = process.env['EVENTSTORE_TEST_URL'];
  return url === undefined || url === '' ? startStandIn(options) : { url, stop: async () => undefined };
}
