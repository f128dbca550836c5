import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  cut,
  FakeLedgerServer,
  json,
  ndjson,
  ndjsonCut,
  page,
  problem,
  silentFetch,
} from '../../../test/support/fake-ledger-server.js';
import { collect } from '../../../test/support/collect.js';
import { BindingLedgerClient, type RetryNotice, type RetryOptions } from './index.js';
import { Deadline } from './deadline.js';
import { LedgerError } from './errors.js';
import { MAX_RETRY_AFTER_MS, RetryPolicy } from './retry.js';

let server: FakeLedgerServer;
let notices: RetryNotice[];

beforeEach(async () => {
  server = await FakeLedgerServer.start();
  notices = [];
});
afterEach(() => server.close());

function clientWith(retry: RetryOptions | false = {}, timeoutMs?: number): BindingLedgerClient {
  const quick = { baseDelayMs: 1, maxDelayMs: 4, onRetry: (notice: RetryNotice) => void notices.push(notice) };
  return new BindingLedgerClient({
    url: server.url,
    apiKey: 'k3y',
    retry: retry === false ? false : { ...quick, ...retry },
    timeoutMs,
  });
}

const bind = (client: BindingLedgerClient) => client.ledger('b', 'm').bind({ recordId: 1, externalId: 2 });

test('a write is tried again after a lost connection, a proxy in between and a busy ledger, each time with the same key and body', async () => {
  server.reply(
    cut(),
    page(502, 'bad gateway'),
    problem(503, 'BUSY'),
    problem(429, 'RATE_LIMITED'),
    json({ outcome: 'created' }, 201),
  );
  expect(await bind(clientWith())).toEqual({ outcome: 'created' });
  const [first, ...others] = server.requests;
  expect(first?.headers['idempotency-key']).toMatch(/^[0-9a-f-]{36}$/);
  expect(others).toHaveLength(4);
  for (const { headers, body } of others) {
    expect(headers['idempotency-key']).toBe(first?.headers['idempotency-key']);
    expect(body).toBe(first?.body);
  }
  expect(notices.map(({ attempt, error }) => [attempt, error.code])).toEqual([
    [1, 'UNREACHABLE'],
    [2, 'UNEXPECTED_ANSWER'],
    [3, 'BUSY'],
    [4, 'RATE_LIMITED'],
  ]);
  expect(notices[0]?.request).toBe('POST /v1/backends/b/models/m/bindings');
});

test('two writes have two keys', async () => {
  server.reply(json({}), json({}));
  const client = clientWith();
  await bind(client);
  await bind(client);
  expect(new Set(server.requests.map(({ headers }) => headers['idempotency-key'])).size).toBe(2);
});

test('a problem document says for itself whether it is retryable', async () => {
  server.reply(problem(409, 'BACKEND_PAUSED', { retryable: true }), problem(503, 'STORE_UNAVAILABLE', { retryable: false }));
  await expect(bind(clientWith())).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: false });
  expect(server.requests).toHaveLength(2);
});

test('a refusal is not repeated', async () => {
  server.reply(problem(409, 'EXTERNAL_ID_TAKEN'));
  await expect(bind(clientWith())).rejects.toMatchObject({ code: 'EXTERNAL_ID_TAKEN' });
  expect(notices).toEqual([]);
});

test('the number of tries is bounded, and the last error is thrown', async () => {
  server.reply(problem(503, 'BUSY'), problem(503, 'BUSY'), problem(503, 'OUTCOME_UNKNOWN'));
  const error: unknown = await bind(clientWith({ attempts: 3 })).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'OUTCOME_UNKNOWN', idempotencyKey: server.last.headers['idempotency-key'] });
  expect(notices).toHaveLength(2);
});

test('without retries the first failure is thrown', async () => {
  server.reply(problem(503, 'BUSY'));
  await expect(bind(clientWith(false))).rejects.toMatchObject({ code: 'BUSY' });
});

test('an answer that breaks off is no answer', async () => {
  const half = problem(200, 'x', {}, { 'content-length': '10000' });
  server.reply(
    async (response, request, received) => {
      await half(response, request, received);
      response.destroy();
    },
    json({ outcome: 'unchanged' }),
  );
  expect(await bind(clientWith())).toEqual({ outcome: 'unchanged' });
});

test('nobody there is UNREACHABLE, says why, and shows no key', async () => {
  const { url } = server;
  const client = new BindingLedgerClient({ url, apiKey: 'k3y', retry: false });
  await server.close();
  const error: unknown = await client.models.list().catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'UNREACHABLE', status: 0, retryable: true });
  expect((error as Error).message).toMatch(
    /^no answer from http:\/\/127\.0\.0\.1:\d+: .*ECONNREFUSED.* \(GET \/v1\/models: UNREACHABLE\)$/,
  );
  expect(JSON.stringify(error)).not.toContain('k3y');
  server = await FakeLedgerServer.start();
});

test('the deadline ends a call that is not answered', async () => {
  const client = new BindingLedgerClient({ url: server.url, fetch: silentFetch, timeoutMs: 5 });
  const expected = { code: 'DEADLINE_EXCEEDED', retryable: true, idempotencyKey: expect.any(String) as string };
  await expect(bind(client)).rejects.toMatchObject(expected);
});

test('the server is not asked again when it wants a longer pause than the deadline has left', async () => {
  server.reply(problem(503, 'BUSY', {}, { 'retry-after': '120' }));
  await expect(bind(clientWith())).rejects.toMatchObject({ code: 'BUSY', retryAfterMs: 120_000 });
});

test('aborting throws the reason of the signal: during the call, during the wait before a retry, and before it begins', async () => {
  const reason = new Error('enough');
  const during = new AbortController();
  server.reply(() => during.abort(reason));
  await expect(clientWith().models.list({ signal: during.signal })).rejects.toBe(reason);

  const waiting = new AbortController();
  const client = clientWith({ baseDelayMs: 60_000, maxDelayMs: 60_000, onRetry: () => waiting.abort(reason) }, Infinity);
  server.reply(problem(503, 'BUSY'));
  await expect(client.models.list({ signal: waiting.signal })).rejects.toBe(reason);

  await expect(clientWith().models.list({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  expect(server.requests).toHaveLength(2);
});

test('aborting ends a stream that is being read, with the reason of the signal', async () => {
  const reason = new Error('enough');
  const stop = new AbortController();
  server.reply(ndjsonCut([{ id: '1' }], new Promise(() => undefined)));
  const reading = async (): Promise<void> => {
    for await (const { id } of clientWith().ledger('b', 'm').bindings({}, { signal: stop.signal }).stream()) {
      if (id === '1') stop.abort(reason);
    }
  };
  await expect(reading()).rejects.toBe(reason);
});

test('nothing stays behind on the signal of a call that is over', async () => {
  const { signal } = new AbortController();
  const ledger = clientWith().ledger('b', 'm');
  server.reply(cut(), json({ items: [] }), ndjson([{ id: '1' }]));
  await ledger.bindings({}, { signal }).page();
  await collect(ledger.bindings({}, { signal }).stream());
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});

test('a stream is tried again until it begins, not after', async () => {
  const ledger = clientWith().ledger('b', 'm');
  let cutNow: (() => void) | undefined;
  const seen = new Promise<void>((resolve) => (cutNow = resolve));
  server.reply(problem(503, 'NOT_YET_PROJECTED'), cut(), ndjson([{ id: '1' }]), ndjsonCut([{ id: '1' }], seen));
  expect(await collect(ledger.bindings().stream())).toEqual([{ id: '1' }]);
  const reading = async (): Promise<void> => {
    for await (const { id } of ledger.bindings().stream()) if (id === '1') cutNow?.();
  };
  await expect(reading()).rejects.toMatchObject({ code: 'STREAM_CUT' });
  expect(server.requests).toHaveLength(4);
});

test('a page in the middle of a listing is tried again by itself', async () => {
  server.reply(json({ items: [1], nextCursor: 'a' }), cut(), json({ items: [2], nextCursor: null }));
  expect(await collect(clientWith().ledger('b', 'm').bindings())).toEqual([1, 2]);
  expect(server.requests.map(({ query }) => query['cursor'])).toEqual([undefined, 'a', 'a']);
});

describe('the wait before a retry', () => {
  const busy = (retryAfterMs?: number) =>
    new LedgerError({ status: 503, code: 'BUSY', detail: 'busy', retryable: true }, { retryAfterMs });

  /** The delays that a policy draws for a failure, without waiting for them. */
  async function delaysOf(error: LedgerError, attempt: number, options: RetryOptions): Promise<number[]> {
    const delays: number[] = [];
    for (let draw = 0; draw < 200; draw += 1) {
      const stop = new AbortController();
      const onRetry = ({ delayMs }: RetryNotice): void => {
        delays.push(delayMs);
        stop.abort();
      };
      const deadline = new Deadline(Infinity, stop.signal);
      await new RetryPolicy({ ...options, onRetry }).pause(error, attempt, 'GET /', deadline).catch(() => undefined);
      deadline.stop();
    }
    return delays;
  }

  test('is drawn from the whole range up to its bound, which doubles up to the maximum', async () => {
    for (const [attempt, bound] of [
      [1, 100],
      [3, 400],
      [9, 1_000],
    ] as const) {
      const delays = await delaysOf(busy(), attempt, { attempts: 20, baseDelayMs: 100, maxDelayMs: 1_000 });
      expect(delays).toHaveLength(200);
      expect(Math.max(...delays)).toBeLessThan(bound);
      expect(Math.max(...delays)).toBeGreaterThan(bound / 2);
      expect(Math.min(...delays)).toBeLessThan(bound / 2);
    }
  });

  test('is never shorter than the server asked for', async () => {
    const delays = await delaysOf(busy(7_000), 1, { baseDelayMs: 100 });
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(7_000);
    expect(Math.max(...delays)).toBeLessThan(7_100);
  });

  test('is not waited for beyond a limit', async () => {
    expect(await delaysOf(busy(MAX_RETRY_AFTER_MS + 1), 1, {})).toEqual([]);
  });

  test.each([
    ['0', 0, 0],
    ['17', 17_000, 17_000],
    ['Wed, 01 Jan 2020 00:00:00 GMT', 0, 0],
    ['Fri, 01 Jan 2100 00:00:00 GMT', 1e12, 1e13],
  ])('is read from Retry-After: %s', async (header, least, most) => {
    server.reply(problem(503, 'BUSY', {}, { 'retry-after': header }));
    const error = (await bind(clientWith(false)).catch((reason: unknown) => reason)) as LedgerError;
    expect(error.retryAfterMs).toBeGreaterThanOrEqual(least);
    expect(error.retryAfterMs).toBeLessThanOrEqual(most);
  });
});
