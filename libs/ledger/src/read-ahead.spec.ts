import { setImmediate as breath } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { RecordedEvent, SubscriptionBatch } from '#event-store';
import { readAhead } from './read-ahead.js';

function batch(...revisions: number[]): SubscriptionBatch {
  const events = revisions.map((revision) => ({ revision, data: {} }) as RecordedEvent);
  return { events, position: String(revisions.at(-1)), caughtUp: false };
}

const revisionsOf = ({ events }: SubscriptionBatch) => events.map(({ revision }) => revision);

async function settled(): Promise<void> {
  for (let turns = 0; turns < 5; turns += 1) await breath();
}

it('reads on while a batch is worked on, and hands on together what came meanwhile, up to a bound', async () => {
  let given = 0;
  async function* source() {
    for (given = 1; given <= 9; given += 1) yield batch(given * 2, given * 2 + 1);
  }
  const taken: number[][] = [];
  for await (const each of readAhead(source, new AbortController().signal, { maxEvents: () => 4, turns: 0 })) {
    taken.push(revisionsOf(each));
    expect(each.position).toBe(String(taken.at(-1)?.at(-1)));
    await settled();
    // What waits has as many events as it may have, and no more are asked for.
    if (taken.length === 1) expect(given).toBeLessThanOrEqual(5);
  }
  expect(taken.flat()).toEqual(Array.from({ length: 18 }, (_, index) => index + 2));
  expect(Math.max(...taken.map(({ length }) => length))).toBe(4);
});

it('waits for nothing to make a batch larger', async () => {
  const ending = new AbortController();
  async function* source(signal: AbortSignal) {
    yield batch(1);
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
  }
  const reader = readAhead(source, ending.signal, { maxEvents: () => 100, turns: 0 });
  expect(revisionsOf((await reader.next()).value as SubscriptionBatch)).toEqual([1]);
  ending.abort();
  expect(await reader.next()).toEqual({ done: true, value: undefined });
});

it('throws an error of the subscription behind what came before it', async () => {
  async function* source() {
    yield batch(1);
    await breath();
    throw new Error('the store is away');
  }
  const taken: number[] = [];
  const reading = async (): Promise<void> => {
    for await (const each of readAhead(source, new AbortController().signal, { maxEvents: () => 100, turns: 0 })) {
      taken.push(...revisionsOf(each));
      await settled();
    }
  };
  await expect(reading()).rejects.toThrow('the store is away');
  expect(taken).toEqual([1]);
});

it('leaves at once when its reader does, though the store does not answer, and asks it for nothing more', async () => {
  let signalled = false;
  let asked = 0;
  async function* source(signal: AbortSignal) {
    signal.addEventListener('abort', () => (signalled = true));
    yield batch(1);
    asked += 1;
    await new Promise(() => undefined);
  }
  const reading = async (): Promise<void> => {
    for await (const each of readAhead(source, new AbortController().signal, { maxEvents: () => 100, turns: 0 }))
      throw new Error(`at ${each.position}`);
  };
  await expect(reading()).rejects.toThrow('at 1');
  await settled();
  expect({ signalled, asked }).toEqual({ signalled: true, asked: 1 });
});

it('joins no more than fits into memory', async () => {
  let given = 0;
  async function* source() {
    for (given = 1; given <= 30; given += 1) {
      const events = Array.from({ length: 400 }, (_, index) => {
        const text = index % 2 === given % 2 ? 'x'.repeat(20_000) : '';
        return { revision: index, data: { text } } as unknown as RecordedEvent;
      });
      yield { events, position: String(given), caughtUp: false };
    }
  }
  const sizes: number[] = [];
  for await (const { events } of readAhead(source, new AbortController().signal, { maxEvents: () => 100_000, turns: 0 })) {
    sizes.push(events.length);
    for (let turns = 0; turns < 10; turns += 1) await settled();
  }
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(30 * 400);
  // Each has four million characters: whoever has sixteen is full.
  expect(Math.max(...sizes)).toBeGreaterThanOrEqual(4 * 400);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(6 * 400);
});
