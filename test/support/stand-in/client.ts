/** What the suites of the stand-in do with the client again and again. */
import { randomUUID } from 'node:crypto';
import { EventStoreDBClient, jsonEvent, type JSONEventType, type ResolvedEvent } from '@eventstore/db-client';
import { afterAll } from 'vitest';
import { startStandIn, type StandIn, type StandInOptions } from './index.js';

type AnyEvent = JSONEventType<string, { n?: number; text?: string }>;
const WAIT_MS = 50_000;

export const event = (n = 0, type = 'Happened', id = randomUUID()) => jsonEvent<AnyEvent>({ id, type, data: { n } });
export const events = (count: number, type?: string) => Array.from({ length: count }, (_, n) => event(n, type));
export const name = (label: string) => `${label}-${randomUUID().slice(0, 8)}`;

/** Starts stand-ins and clients of them, which end with the spec file. */
export function standIns() {
  const closing: (() => Promise<void>)[] = [];
  afterAll(async () => {
    for (const close of closing.reverse()) await close();
  });
  return {
    async start(options?: StandInOptions): Promise<StandIn> {
      const node = await startStandIn(options);
      closing.push(() => node.stop());
      return node;
    },
    connect(url: string): EventStoreDBClient {
      const client = EventStoreDBClient.connectionString(url);
      closing.push(() => client.dispose());
      return client;
    },
  };
}

export async function collect(reading: AsyncIterable<ResolvedEvent>): Promise<ResolvedEvent[]> {
  const found: ResolvedEvent[] = [];
  for await (const item of reading) found.push(item);
  return found;
}

export async function revisionsOf(client: EventStoreDBClient, stream: string): Promise<number[]> {
  return (await collect(client.readStream(stream))).map((item) => Number(item.event?.revision));
}

/** What a promise is refused with. */
export async function refusal(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'no refusal',
    (error: unknown) => error,
  );
}

/** Waits until something holds. */
export async function until(
  holds: () => boolean | Promise<boolean>,
  what = 'what was waited for',
  waitMs = WAIT_MS,
): Promise<void> {
  const end = Date.now() + waitMs;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`Not within ${waitMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
