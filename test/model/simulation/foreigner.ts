import type { LedgerName } from '#domain';
import { EventStoreError } from '#event-store';
import { BatchDecider, readLedgerEvent, toNewEvent, type CommandResult } from '#ledger';
import { Truth, viewAt } from '../truth.js';
import type { SentRequest } from './observed.js';
import type { SimulatedProcess } from './scheduler.js';
import { STREAMS } from './instance.js';
import type { World } from './world.js';

const MAX_TRIES = 4;
const MAX_EVENTS = 10_000;
const MAX_BYTES = 900_000;

/**
 * Another program that writes to the ledger: it reads the whole stream each time, and appends what it decides by
 * compare-and-set. Answers nothing when it does not know whether it has written.
 */
export async function appendAsForeigner(
  world: World,
  process: SimulatedProcess,
  ledger: LedgerName,
  requests: SentRequest[],
): Promise<CommandResult[] | undefined> {
  const store = world.eventStoreOf(process);
  const stream = STREAMS.ledger(ledger);
  const tools = { ...world.toolsOf(process), problemsOf: () => [], maxBytes: MAX_BYTES };
  try {
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const truth = new Truth((await store.readStream(stream, { limit: MAX_EVENTS })).map(readLedgerEvent));
      const moment = truth.at(truth.head);
      if (!moment.state.opened) return undefined;
      const { events, results } = await new BatchDecider(viewAt(moment), moment, tools).decide([{ requests, atomic: false }]);
      if (events.length === 0) return undefined;
      if ((await store.append(stream, truth.head, events.map(toNewEvent))).ok) return results[0];
    }
  } catch (error) {
    if (!(error instanceof EventStoreError)) throw error;
  }
  return undefined;
}
