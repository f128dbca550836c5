/** The event store on EventStoreDB 24.10 or newer: `openEventStoreDb` is all that other layers need. */
import { EventStoreDBClient } from '@eventstore/db-client';
import { EventStoreError, type EventStore } from '#event-store';
import { Appends } from './appends.js';
import { hostsOf, internalsOf, problemOfConnectionString } from './connection.js';
import { EventStoreDbEventStore } from './eventstoredb-event-store.js';
import { checkAtStart } from './start-check.js';

export { problemOfConnectionString } from './connection.js';

export interface EventStoreDbOptions {
  /** Connection string: nodes, TLS, user and password. */
  url: string;
  /** Prefix of the streams: only the event that is written at the start bears it here. */
  streamPrefix?: string;
  /** How far the clocks may be apart. */
  clockToleranceMs?: number;
  clock?: () => number;
  /** A call that gives nothing for so long is given up. */
  deadlineMs?: number;
  /** After so long without anything, a subscription is checked. */
  silenceMs?: number;
  /** For a reader beside a store that was checked: writes nothing at the start. */
  check?: boolean;
}

const DEFAULT_DEADLINE_MS = 5_000;
const DEFAULT_SILENCE_MS = 15_000;
const DEFAULT_CLOCK_TOLERANCE_MS = 5_000;

/** @throws {EventStoreError} `UNAVAILABLE` with a message for the operator, which holds no password. */
export async function openEventStoreDb(options: EventStoreDbOptions): Promise<EventStore> {
  const { url, streamPrefix = '', check = true, clock = Date.now, deadlineMs = DEFAULT_DEADLINE_MS } = options;
  const problem = problemOfConnectionString(url);
  if (problem !== undefined) throw new EventStoreError('UNAVAILABLE', `The connection string of the event store: ${problem}`);
  const client = EventStoreDBClient.connectionString(url);
  const appends = new Appends(client, deadlineMs);
  const release = () => letGo(client);
  const { clockToleranceMs = DEFAULT_CLOCK_TOLERANCE_MS, silenceMs = DEFAULT_SILENCE_MS } = options;
  try {
    if (check) await checkAtStart({ client, appends, hosts: hostsOf(url), streamPrefix, clock, clockToleranceMs, deadlineMs });
  } catch (error) {
    await release();
    throw error;
  }
  const times = { startMs: deadlineMs, silenceMs };
  return new EventStoreDbEventStore({ client, appends, deadlineMs, times, clock, release });
}

/** The client ends its calls, but leaves its connection open. */
async function letGo(client: EventStoreDBClient): Promise<void> {
  await client.dispose();
  const channel = await internalsOf(client)
    .getChannel()
    .catch(() => undefined);
  channel?.close();
}
