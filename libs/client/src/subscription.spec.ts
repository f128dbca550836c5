import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { firstValueFrom, from, take, toArray } from 'rxjs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { cut, FakeLedgerServer, page, problem, streamed, type Reply } from '../../../test/support/fake-ledger-server.js';
import { BindingLedgerClient, isLedgerError, type BindingEvent, type LedgerError, type ReconnectNotice } from './index.js';

let server: FakeLedgerServer;
let client: BindingLedgerClient;

beforeEach(async () => {
  server = await FakeLedgerServer.start();
  client = new BindingLedgerClient({ url: server.url, apiKey: 'k', retry: { baseDelayMs: 1, maxDelayMs: 2 } });
});
afterEach(() => server.close());

const block = (n: number) => `id: p${n}\ndata: ${JSON.stringify({ position: `p${n}`, recordId: String(n) })}\n\n`;
const head = (response: ServerResponse) => response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });

/**
 * Blocks, then whatever comes of it: `stays` leaves the connection open, a promise breaks it when it is fulfilled. A `fetch` whose
 * connection breaks forgets what it has received and not yet given out, so a test has to say when that has been seen.
 */
function stream(text: string, then: 'stays' | 'ends' | Promise<unknown>): Reply {
  return streamed(async (response) => {
    head(response);
    await new Promise((resolve) => response.write(text, resolve));
    if (then === 'ends') response.end();
    if (typeof then === 'string') return;
    await then;
    response.destroy();
  });
}

async function collect(events: AsyncIterable<BindingEvent>, count: number): Promise<string[]> {
  const records: string[] = [];
  for await (const { recordId } of events) {
    records.push(recordId);
    if (records.length === count) break;
  }
  return records;
}
const codeOf = async (events: AsyncIterable<BindingEvent>) =>
  collect(events, 100).then(
    (records) => records,
    (error: unknown) => (isLedgerError(error) ? error.code : error),
  );

describe('a subscription', () => {
  test('asks for what is wanted, and gives events with their positions', async () => {
    let asked = '';
    server.reply(
      streamed((response, request) => {
        asked = request.url ?? '';
        head(response).write(`retry: 1\nid: p0\n\n${block(1)}${block(2)}`);
      }),
    );
    const filter = { backend: ['a', 'b'], type: 'BindingCreated' as const, recordId: [1, '2'], actor: undefined };
    const events = client.subscribe(filter, { after: 'p0', onBehalfOf: 'somebody' });
    const [first] = await collected(limited(events, 2));
    expect(first).toEqual({ position: 'p1', recordId: '1' });
    const url = new URL(asked, server.url);
    expect(url.pathname).toBe('/v1/events');
    expect([...url.searchParams]).toEqual([
      ['backend', 'a'],
      ['backend', 'b'],
      ['type', 'BindingCreated'],
      ['recordId', '1'],
      ['recordId', '2'],
      ['after', 'p0'],
    ]);
    const { headers } = server.last;
    expect(headers).toMatchObject({ accept: 'text/event-stream', authorization: 'Bearer k', 'x-on-behalf-of': 'somebody' });
  });

  test('goes on where it was, whatever happens to its connection', async () => {
    const notices: ReconnectNotice[] = [];
    let sawTwo = (): void => undefined;
    const twoSeen = new Promise<void>((resolve) => (sawTwo = resolve));
    server.reply(
      cut(),
      problem(503, 'BUSY'),
      page(502, 'a proxy says so'),
      stream(block(1) + block(2), twoSeen),
      problem(429, 'RATE_LIMITED'),
      stream('', 'ends'),
      stream(block(3), 'ends'),
      stream(`id: p9\n\n`, 'ends'),
      stream(block(10), 'stays'),
    );
    const onPosition = (position: string): void => void (position === 'p2' && sawTwo());
    const events = client.subscribe({}, { after: 'start', onPosition, onReconnect: (notice) => notices.push(notice) });
    expect(await collect(events, 4)).toEqual(['1', '2', '3', '10']);
    const begins = server.requests.map(({ query }) => query['after']);
    expect(begins).toEqual(['start', 'start', 'start', 'start', 'p2', 'p2', 'p2', 'p3', 'p9']);
    expect(notices.map(({ error }) => error.code)).toEqual([
      'UNREACHABLE',
      'BUSY',
      'UNEXPECTED_ANSWER',
      'STREAM_CUT',
      'RATE_LIMITED',
      'STREAM_CUT',
      'STREAM_CUT',
      'STREAM_CUT',
    ]);
    // Failures are counted in a row.
    expect(notices.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 1, 2, 3, 1, 1]);
  });

  test('waits as long as the server asks', async () => {
    server.reply(problem(503, 'BUSY', {}, { 'retry-after': '1' }), stream(block(1), 'stays'));
    const waits: number[] = [];
    const events = client.subscribe({}, { onReconnect: ({ delayMs }) => waits.push(delayMs) });
    expect(await collect(events, 1)).toEqual(['1']);
    expect(waits).toEqual([expect.toSatisfy((delayMs: number) => delayMs >= 1_000)]);
  });

  test('that began live resumes at the position that the server said first', async () => {
    server.reply(stream('id: p7\n\n', 'ends'), stream(block(8), 'stays'));
    expect(await collect(client.subscribe(), 1)).toEqual(['8']);
    expect(server.requests.map(({ query }) => query)).toEqual([{}, { after: 'p7' }]);
  });

  test('gives up a connection on which nothing comes', async () => {
    server.reply(stream(block(1), 'stays'), stream(block(2), 'stays'));
    const errors: LedgerError[] = [];
    const events = client.subscribe({}, { silenceMs: 1_500, onReconnect: ({ error }) => errors.push(error) });
    expect(await collect(events, 2)).toEqual(['1', '2']);
    expect(errors.map(({ code }) => code)).toEqual(['DEADLINE_EXCEEDED']);
  });

  test('reads no faster than its loop', async () => {
    let written = 0;
    server.reply(
      streamed(async (response) => {
        head(response).setMaxListeners(0);
        const big = `data: ${JSON.stringify({ recordId: 'x'.repeat(100_000) })}\n\n`;
        for (let n = 0; n < 1_000 && !response.destroyed; n += 1) {
          written += 1;
          if (!response.write(`id: p${n}\n${big}`)) await Promise.race([once(response, 'drain'), once(response, 'close')]);
        }
      }),
    );
    for await (const _ of client.subscribe()) {
      await new Promise((resolve) => setTimeout(resolve, 300));
      break;
    }
    expect(written).toBeLessThan(500);
  });

  test('says where to begin the next time, when what is before it is done with', async () => {
    const said: string[] = [];
    server.reply(stream(`id: p0\n\n${block(1)}${block(2)}id: p5\n\n${block(6)}`, 'stays'));
    for await (const { position } of client.subscribe({}, { onPosition: (each) => said.push(each) })) {
      said.push(`working on ${position}`);
      if (position === 'p6') break;
    }
    expect(said).toEqual(['p0', 'working on p1', 'p1', 'working on p2', 'p2', 'p5', 'working on p6']);
  });

  test.each([
    ['a position that is gone', problem(410, 'POSITION_GONE'), 'POSITION_GONE'],
    ['a filter that is none', problem(400, 'MALFORMED'), 'MALFORMED'],
    ['a page that is no stream', page(200, 'welcome'), 'UNEXPECTED_ANSWER'],
    ['an event that is not JSON', stream('data: {\n\n', 'stays'), 'UNEXPECTED_ANSWER'],
  ])('ends with %s', async (_what, reply, code) => {
    server.reply(reply);
    expect(await codeOf(client.subscribe({}, { after: 'p1' }))).toBe(code);
    expect(server.requests).toHaveLength(1);
  });

  test('tries so often in a row and no more, when it is told so', async () => {
    server.reply(cut(), stream(block(1), 'ends'), cut(), cut());
    const events = client.subscribe({}, { attempts: 3 });
    const seen: string[] = [];
    const failing = (async () => {
      for await (const { recordId } of events) seen.push(recordId);
    })();
    await expect(failing).rejects.toMatchObject({ code: 'UNREACHABLE' });
    expect(seen).toEqual(['1']);
  });

  test('ends without an error when its signal aborts: before, while it waits for a server, and while it reads', async () => {
    expect(await collect(client.subscribe({}, { signal: AbortSignal.abort() }), 1)).toEqual([]);
    const away = new AbortController();
    server.reply(cut());
    expect(await collect(client.subscribe({}, { signal: away.signal, onReconnect: () => away.abort() }), 1)).toEqual([]);
    const reading = new AbortController();
    server.reply(stream(block(1), 'stays'));
    const seen: string[] = [];
    for await (const { recordId } of client.subscribe({}, { signal: reading.signal })) {
      seen.push(recordId);
      setTimeout(() => reading.abort(), 10);
    }
    expect(seen).toEqual(['1']);
    // What came with the last event, and was not given out, is not done with.
    const enough = new AbortController();
    const positions: string[] = [];
    server.reply(stream(block(1) + block(2) + block(3), 'stays'));
    const events = client.subscribe({}, { signal: enough.signal, onPosition: (position) => positions.push(position) });
    for await (const { recordId } of events) if (recordId === '2') enough.abort();
    expect(positions).toEqual(['p1', 'p2']);
  });

  test('closes its connection when the loop is left', async () => {
    let closed: Promise<unknown> = Promise.resolve();
    server.reply(
      streamed((response) => {
        closed = once(response, 'close');
        head(response).write(block(1));
      }),
    );
    await collect(client.subscribe(), 1);
    await closed;
  });
});

describe('as an observable', () => {
  test('it is one for rxjs, with a connection for each observer', async () => {
    server.reply(stream(block(1) + block(2) + block(3), 'stays'), stream(block(4), 'stays'));
    const events = client.subscribe({}, { after: 'start' });
    const two = await firstValueFrom(from(events).pipe(take(2), toArray()));
    expect(two).toMatchObject([{ recordId: '1' }, { recordId: '2' }]);
    expect(await firstValueFrom(from(events))).toMatchObject({ recordId: '4' });
    expect(server.requests.map(({ query }) => query)).toEqual([{ after: 'start' }, { after: 'start' }]);
  });

  test('it tells of errors, also those of the observer', async () => {
    server.reply(problem(410, 'POSITION_GONE'), stream(block(1), 'stays'));
    const failure = (next?: () => void) =>
      new Promise((resolve) => {
        client.subscribe().subscribe({ next, error: resolve });
      });
    expect(await failure()).toMatchObject({ code: 'POSITION_GONE' });
    const own = new Error('mine');
    const thrower = () => {
      throw own;
    };
    expect(await failure(thrower)).toBe(own);
  });

  test('it is silent after it was unsubscribed, or its signal aborted', async () => {
    const ended = new AbortController();
    server.reply(stream(block(1), 'stays'), stream(block(2), 'stays'));
    const told: unknown[] = [];
    const tell = (what: string) => (value?: unknown) => void told.push(what, value);
    const observer = { next: tell('next'), error: tell('error'), complete: tell('complete') };
    for (const stop of ['unsubscribe', 'abort']) {
      const seen = new Promise<void>((resolve) => {
        const observing = client.subscribe({}, { signal: ended.signal }).subscribe({
          ...observer,
          next: (event) => {
            told.push(event.recordId);
            if (stop === 'unsubscribe') observing.unsubscribe();
            else ended.abort();
            resolve();
          },
        });
      });
      await seen;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(told).toEqual(['1', '2']);
  });
});

test('a page says what it has and where to go on, and waits at the server', async () => {
  const answer = { items: [{ recordId: '1' }], nextPosition: 'p1', caughtUp: true };
  server.reply((response) => void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer)));
  expect(await client.events({ actor: 'job' }, { after: 'start', limit: 5, waitMs: 100 })).toEqual(answer);
  expect(server.last).toMatchObject({ path: '/v1/events', query: { actor: 'job', after: 'start', limit: '5', wait: '100' } });
});

async function* limited<T>(items: AsyncIterable<T>, count: number): AsyncGenerator<T> {
  let seen = 0;
  for await (const item of items) {
    yield item;
    if (++seen === count) return;
  }
}

async function collected<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
