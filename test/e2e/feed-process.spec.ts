/** Subscribers of a server that goes away and comes back. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BindingLedgerClient, isLedgerError, type BindCommand, type BindingEvent, type LedgerError } from '#client';
import { ServerProcess } from '../support/server-process.js';
import { temporaryFolders } from '../support/temporary-folders.js';

const folder = temporaryFolders();
let server: ServerProcess;
let client: BindingLedgerClient;

beforeAll(async () => {
  server = new ServerProcess(folder());
  await server.start();
  client = new BindingLedgerClient({ url: server.url, retry: { baseDelayMs: 50, maxDelayMs: 200, attempts: 200 } });
  await client.backendTypes.put('shop', {});
  await client.models.put('shop.product', { backendType: 'shop', localModel: 'product' });
  await client.backends.register({ id: 'shop', type: 'shop', location: 'https://shop.example' });
});
afterAll(() => server.stop());

const ledger = () => client.ledger('shop', 'shop.product');
function* binds(from: number, to: number): Generator<BindCommand> {
  for (let n = from; n < to; n += 1) yield { op: 'bind', recordId: n, externalId: `e${n}`, syncDate: '2026-01-01T00:00:00Z' };
}
async function write(from: number, to: number): Promise<void> {
  for (let answered = 0; from + answered < to;) {
    try {
      for await (const { error } of ledger().commands(binds(from + answered, to), { keys: false })) {
        expect(error).toBeUndefined();
        answered += 1;
      }
    } catch (error) {
      // The server was killed: what was not answered is sent again, and what was done of it is unchanged.
      if (!isLedgerError(error) || !error.retryable) throw error;
    }
  }
}
const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => String(from + index));

/** Servers that start and are killed several times over get longer, on a busy machine too. */
const LONG_MS = 180_000;

describe('a subscription to a server that is killed', { timeout: LONG_MS }, () => {
  it('has every event once and in order, from a loop and from an observer', async () => {
    const total = 4_000;
    const kills = [500, 1_500, 2_500];
    const lost: LedgerError[] = [];
    const seen: BindingEvent[] = [];
    const observed: string[] = [];
    const observing = new Promise<void>((resolve, reject) => {
      const subscription = client.subscribe({ backend: 'shop' }, { after: 'start' }).subscribe({
        next: ({ recordId }) => {
          if (observed.push(recordId) < total) return;
          subscription.unsubscribe();
          resolve();
        },
        error: reject,
      });
    });
    const writing = write(0, total);
    for await (const event of client.subscribe({}, { after: 'start', onReconnect: ({ error }) => lost.push(error) })) {
      seen.push(event);
      if (seen.length === total) break;
      if (seen.length < (kills[0] ?? Number.POSITIVE_INFINITY)) continue;
      kills.shift();
      await server.stop('SIGKILL');
      await server.start();
    }
    await Promise.all([writing, observing]);
    expect(seen.map(({ recordId }) => recordId)).toEqual(numbers(0, total));
    expect(new Set(seen.map(({ id }) => id)).size).toBe(total);
    expect(observed).toEqual(numbers(0, total));
    expect(lost.length).toBeGreaterThan(0);
    expect(lost.every(({ retryable }) => retryable)).toBe(true);
  });

  it('goes on from a position that was kept, in another process or a later one', async () => {
    let kept = 'start';
    const seen: string[] = [];
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      for await (const event of client.subscribe({}, { after: kept })) {
        seen.push(event.recordId);
        kept = event.position;
        if (seen.length % 100 === 0) break;
      }
      await server.stop(signal);
      await server.start();
    }
    for (let page = await client.events({}, { after: kept, limit: 10 }); seen.length < 220;) {
      seen.push(...page.items.map(({ recordId }) => recordId));
      page = await client.events({}, { after: page.nextPosition, limit: 10 });
    }
    expect(seen).toEqual(numbers(0, 220));
  });
});
