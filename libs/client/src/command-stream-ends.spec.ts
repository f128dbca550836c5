import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { answering, bindOf, bindsOf, endless, failureOf, resultOf, until } from '../../../test/support/bulk-commands.js';
import { collect } from '../../../test/support/collect.js';
import {
  cut,
  FakeLedgerServer,
  problem,
  silentFetch,
  streamed,
  type ReceivedLine,
} from '../../../test/support/fake-ledger-server.js';
import { BindingLedgerClient, type BindCommand, type CommandProgress, type Ledger, type LedgerError } from './index.js';

let server: FakeLedgerServer;
let ledger: Ledger;
/** What all connections received. */
let received: ReceivedLine[];

beforeEach(async () => {
  server = await FakeLedgerServer.start();
  ledger = new BindingLedgerClient({ url: server.url, retry: { baseDelayMs: 1, maxDelayMs: 2, attempts: 3 } }).ledger('b', 'm');
  received = [];
});
afterEach(() => server.close());

const recordIds = (lines = received) => lines.map(({ command }) => command['recordId']);

describe('a cut connection', () => {
  test('is an error that says how many commands are answered', async () => {
    const seen: number[] = [];
    server.reply(answering(received, ({ line }) => (line === 4 ? until(() => seen.length === 3).then(() => 'cut') : undefined)));
    const { source, state } = endless();
    const reading = async (): Promise<void> => {
      for await (const { line } of ledger.commands(source)) seen.push(line);
    };
    const error: unknown = await reading().catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'STREAM_CUT',
      retryable: true,
      status: 0,
      progress: { answered: 3, refused: 0, resumed: 0 },
    });
    expect((error as LedgerError).progress?.sent).toBeGreaterThanOrEqual(4);
    expect(seen).toEqual([1, 2, 3]);
    expect(state.closed).toBe(true);
    expect(server.requests).toHaveLength(1);
  });

  test('with resume, what is unanswered is sent again with the same keys, and every command has one result', async () => {
    const progress: CommandProgress[] = [];
    const cutAt = (at: number, answered: number) =>
      answering(received, ({ line }) =>
        line === at ? until(() => (progress.at(-1)?.answered ?? 0) === answered).then(() => 'cut') : undefined,
      );
    server.reply(cutAt(4, 3), cut(), problem(503, 'BUSY'), cutAt(1, 3), cutAt(3, 5), answering(received));
    const results = await collect(ledger.commands(bindsOf(2_000), { resume: true, onProgress: (seen) => progress.push(seen) }));
    expect(results.map(({ line }) => line)).toEqual([...bindsOf(2_000)].map(({ recordId }) => recordId));
    expect(results.map(({ command }) => command)).toEqual([...bindsOf(2_000)]);
    expect(progress.at(-1)).toEqual({ sent: 2_000, answered: 2_000, refused: 0, resumed: 5 });
    const keyOf = new Map<unknown, unknown>();
    for (const { command } of received) {
      expect(keyOf.get(command['recordId']) ?? command['key']).toBe(command['key']);
      keyOf.set(command['recordId'], command['key']);
    }
    expect(keyOf.size).toBe(2_000);
    // Lines 1 to 4, then 4 alone, then 4 to 6, then 6 and all the rest.
    expect(recordIds(received.slice(0, 10))).toEqual(['1', '2', '3', '4', '4', '4', '5', '6', '6', '7']);
  });

  test('resuming ends after so many tries in a row without a new answer', async () => {
    let answered = 0;
    const one = (line: number) =>
      answering(received, (sent) => (sent.line === 2 ? until(() => answered === line).then(() => 'cut') : undefined));
    server.reply(one(1), one(2), cut(), cut());
    const onProgress = (progress: CommandProgress): void => void (answered = progress.answered);
    const error = await failureOf(ledger.commands(bindsOf(10), { resume: { attempts: 3 }, onProgress }));
    expect(error).toMatchObject({ code: 'UNREACHABLE', progress: { answered: 2, resumed: 3 } });
  });

  test('before the first answer it is tried again like any call', async () => {
    server.reply(cut(), problem(503, 'BUSY'), answering(received));
    expect(await collect(ledger.commands(bindsOf(3)))).toHaveLength(3);
    server.reply(cut(), cut(), cut());
    expect(await failureOf(ledger.commands(bindsOf(3)))).toMatchObject({ code: 'UNREACHABLE', progress: { answered: 0 } });
  });

  test('without keys nothing is sent twice', async () => {
    server.reply(problem(503, 'BUSY'));
    expect(await failureOf(ledger.commands(bindsOf(3), { keys: false }))).toMatchObject({ code: 'BUSY' });
    expect(await failureOf(ledger.commands(bindsOf(3), { keys: false, resume: true }))).toBeInstanceOf(TypeError);
    expect(server.requests).toHaveLength(1);
  });

  test('an answer that ends properly before the commands do is a cut too', async () => {
    server.reply(answering(received, ({ line }) => (line === 3 ? 'end' : undefined)));
    expect(await failureOf(ledger.commands(endless().source))).toMatchObject({ code: 'STREAM_CUT', progress: { answered: 2 } });
  });
});

describe('what ends a stream', () => {
  test('a refusal of the whole, while the request is still being written', async () => {
    server.reply(
      streamed(
        (response) =>
          void response.writeHead(401, { 'content-type': 'application/problem+json' }).end('{"code":"UNAUTHENTICATED"}'),
      ),
    );
    const { source, state } = endless();
    expect(await failureOf(ledger.commands(source))).toMatchObject({
      code: 'UNAUTHENTICATED',
      status: 401,
      progress: { answered: 0 },
    });
    expect(state.closed).toBe(true);
  });

  test('a result out of turn', async () => {
    server.reply(answering(received, ({ line }) => (line === 2 ? { ...resultOf({ line: 5, command: {} }) } : undefined)));
    expect(await failureOf(ledger.commands(bindsOf(3), { resume: true }))).toMatchObject({
      code: 'UNEXPECTED_ANSWER',
      retryable: false,
    });
  });

  test('a result that nothing was sent for', async () => {
    server.reply(
      streamed((response) => void response.writeHead(200, { 'content-type': 'application/x-ndjson' }).end('{"line":1}\n')),
    );
    expect(await failureOf(ledger.commands([]))).toMatchObject({ code: 'UNEXPECTED_ANSWER' });
  });

  test('leaving the loop: the request breaks off, and the commands are closed', async () => {
    let gone: Promise<unknown> | undefined;
    const reply = answering(received);
    server.reply(
      streamed((response, request) => {
        gone = new Promise((resolve) => request.socket.on('close', resolve));
        return reply(response, request, server.last);
      }),
    );
    const { source, state } = endless();
    for await (const { line } of ledger.commands(source)) if (line === 2) break;
    expect(state.closed).toBe(true);
    await gone;
  });

  test('leaving the loop does not wait for a command that never comes', async () => {
    server.reply(answering(received));
    async function* hanging(): AsyncGenerator<BindCommand> {
      yield bindOf(1);
      await new Promise(() => undefined);
    }
    for await (const { line } of ledger.commands(hanging())) {
      expect(line).toBe(1);
      break;
    }
  });

  test('its signal, whose reason is thrown, also between two connections', async () => {
    const reason = new Error('enough');
    const during = new AbortController();
    server.reply(answering(received, ({ line }) => (line === 2 ? during.abort(reason) : undefined)));
    const { source, state } = endless();
    await expect(collect(ledger.commands(source, { signal: during.signal, resume: true }))).rejects.toBe(reason);
    expect(state.closed).toBe(true);

    const between = new AbortController();
    const patient = new BindingLedgerClient({
      url: server.url,
      retry: { baseDelayMs: 60_000, maxDelayMs: 60_000, onRetry: () => between.abort(reason) },
    });
    server.reply(cut());
    await expect(collect(patient.ledger('b', 'm').commands(bindsOf(3), { signal: between.signal }))).rejects.toBe(reason);
    await expect(collect(ledger.commands(bindsOf(3), { signal: AbortSignal.abort(reason) }))).rejects.toBe(reason);
  });

  test('its deadline', async () => {
    const client = new BindingLedgerClient({ url: server.url, fetch: silentFetch });
    const { source, state } = endless();
    const error = await failureOf(client.ledger('b', 'm').commands(source, { timeoutMs: 5, resume: true }));
    expect(error).toMatchObject({ code: 'DEADLINE_EXCEEDED', progress: { answered: 0 } });
    expect(state.closed).toBe(true);
  });

  test('what onProgress throws', async () => {
    const failure = new Error('disk full');
    server.reply(answering(received));
    const fail = (): void => {
      throw failure;
    };
    await expect(collect(ledger.commands(bindsOf(3), { onProgress: fail, resume: true }))).rejects.toBe(failure);
  });

  test.each([
    [
      'throws',
      new Error('bad file'),
      (): BindCommand => {
        throw new Error('bad file');
      },
    ],
    ['gives a number that JSON has not', { code: 'INVALID_ID' }, (): BindCommand => ({ op: 'bind', recordId: Number.NaN })],
    [
      'gives what is no JSON',
      { code: 'MALFORMED' },
      (): BindCommand => ({ op: 'bind', recordId: 3, data: { big: 1n as never } }),
    ],
  ])('reading the commands %s: those before it are done and answered first', async (_name, expected, third) => {
    server.reply(answering(received));
    const state = { closed: false };
    function* broken(): Generator<BindCommand> {
      try {
        yield* bindsOf(2);
        yield third();
      } finally {
        state.closed = true;
      }
    }
    const seen: number[] = [];
    const reading = async (): Promise<void> => {
      for await (const { line } of ledger.commands(broken(), { resume: true })) seen.push(line);
    };
    await expect(reading()).rejects.toMatchObject(expected);
    expect(seen).toEqual([1, 2]);
    expect(state.closed).toBe(true);
  });
});

describe('an atomic batch', () => {
  test('is all or none', async () => {
    server.reply(problem(409, 'BATCH_REFUSED', { errors: [{ line: 2, code: 'EXTERNAL_ID_TAKEN' }] }), answering(received));
    const batch = () => ledger.commands(bindsOf(3), { atomic: true });
    expect(await failureOf(batch())).toMatchObject({ code: 'BATCH_REFUSED', problem: { errors: [{ line: 2 }] } });
    expect(server.last.query).toEqual({ atomic: 'true' });
    expect(await collect(batch())).toHaveLength(3);
  });

  test('does not look complete when its commands cannot be read to their end', async () => {
    let ended: Promise<'complete' | 'broken off'> | undefined;
    server.reply(
      streamed((_response, request) => {
        ended = new Promise((resolve) => {
          request.on('end', () => resolve('complete')).on('error', () => resolve('broken off'));
          request.resume();
        });
      }),
    );
    async function* broken(): AsyncGenerator<BindCommand> {
      yield bindOf(1);
      // Not before the first line is on its way.
      await until(() => ended !== undefined);
      throw new Error('bad file');
    }
    await expect(collect(ledger.commands(broken(), { atomic: true }))).rejects.toThrow('bad file');
    expect(await ended).toBe('broken off');
  });
});
