import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  answering,
  bindOf,
  bindsOf,
  endless,
  failureOf,
  resultOf,
  standstill,
  until,
} from '../../../test/support/bulk-commands.js';
import { collect } from '../../../test/support/collect.js';
import { FakeLedgerServer, streamed, type ReceivedLine } from '../../../test/support/fake-ledger-server.js';
import {
  BindingLedgerClient,
  MAX_LENGTH_IN_FLIGHT,
  MAX_LINES_IN_FLIGHT,
  type BindCommand,
  type CommandProgress,
  type Ledger,
} from './index.js';

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
const keys = () => received.map(({ command }) => command['key']);

test('commands become lines, ids strings and dates UTC; results come in order with their commands', async () => {
  server.reply(answering(received));
  const given: BindCommand[] = [bindOf(1), { op: 'bind', recordId: 'é\n', externalId: 0, syncDate: new Date(0), key: 'mine' }];
  const results = await collect(ledger.commands(given));
  expect(server.last).toMatchObject({ method: 'POST', path: '/v1/backends/b/models/m/commands', query: {} });
  expect(server.last.headers).toMatchObject({
    'content-type': 'application/x-ndjson',
    accept: 'application/x-ndjson',
    'transfer-encoding': 'chunked',
  });
  expect(received.map(({ command }) => command)).toEqual([
    { op: 'bind', recordId: '1', externalId: 'x1', key: expect.stringMatching(/^[0-9a-f-]{36}-1$/) as string },
    { op: 'bind', recordId: 'é\n', externalId: '0', syncDate: '1970-01-01T00:00:00.000Z', key: 'mine' },
  ]);
  expect(results).toEqual(received.map((line, index) => ({ ...resultOf(line), command: given[index] })));
  expect(results[1]?.command).toBe(given[1]);
});

test('no key is added when keys are off', async () => {
  server.reply(answering(received));
  await collect(ledger.commands([bindOf(1), { ...bindOf(2), key: 'own' }], { keys: false }));
  expect(keys()).toEqual([undefined, 'own']);
});

test('two streams have different keys', async () => {
  server.reply(answering(received), answering(received));
  await collect(ledger.commands(bindsOf(2)));
  await collect(ledger.commands(bindsOf(2)));
  expect(new Set(keys()).size).toBe(4);
});

test('answers are read while the request is being written', async () => {
  server.reply(answering(received));
  let answered: (() => void) | undefined;
  async function* oneAfterTheOther(): AsyncGenerator<BindCommand> {
    for (let recordId = 1; recordId <= 5; recordId += 1) {
      yield bindOf(recordId);
      // The next command is given only after the answer to this one: with half duplex this would stand still for ever.
      await new Promise<void>((resolve) => (answered = resolve));
    }
  }
  const results = [];
  for await (const result of ledger.commands(oneAfterTheOther())) {
    results.push(result.line);
    await until(() => answered !== undefined);
    answered?.();
    answered = undefined;
  }
  expect(results).toEqual([1, 2, 3, 4, 5]);
});

test('a refused line does not concern its neighbours, and is counted', async () => {
  const error = { code: 'EXTERNAL_ID_TAKEN', detail: 'taken', retryable: false, holder: { id: 'b9' } };
  server.reply(answering(received, ({ line }) => (line === 2 ? { line, error } : undefined)));
  const progress: CommandProgress[] = [];
  const results = await collect(ledger.commands(bindsOf(3), { onProgress: (seen) => progress.push(seen) }));
  expect(results.map(({ error: refused }) => refused?.code)).toEqual([undefined, 'EXTERNAL_ID_TAKEN', undefined]);
  expect(results[1]).toEqual({ line: 2, error, command: bindOf(2) });
  expect(progress.at(-1)).toEqual({ sent: 3, answered: 3, refused: 1, resumed: 0 });
  for (const { sent, answered } of progress) expect(sent).toBeGreaterThanOrEqual(answered);
});

test('many commands, more than fit in flight, from a plain iterable', async () => {
  server.reply(answering(received));
  const count = MAX_LINES_IN_FLIGHT * 2 + 1;
  let next = 1;
  for await (const { line } of ledger.commands(bindsOf(count))) expect(line).toBe(next++);
  expect(next - 1).toBe(count);
  expect(recordIds()).toEqual([...bindsOf(count)].map(({ recordId }) => String(recordId)));
});

test('no commands are no results', async () => {
  server.reply(answering(received));
  expect(await collect(ledger.commands([]))).toEqual([]);
});

describe('back-pressure', () => {
  test('while the server does not read, the commands are not read to their end, and go on when it does', async () => {
    let readOn: (() => void) | undefined;
    const stopped = new Promise<void>((resolve) => (readOn = resolve));
    server.reply(answering(received, ({ line }) => (line === 11 ? stopped : undefined)));
    const { source, state } = endless();
    let lastLine = 0;
    for await (const { line } of ledger.commands(source)) {
      lastLine = line;
      if (line === 10) {
        await standstill(() => state.read);
        expect(state.read).toBeLessThanOrEqual(MAX_LINES_IN_FLIGHT + 10);
        readOn?.();
      }
      if (line > MAX_LINES_IN_FLIGHT * 2) break;
    }
    expect(lastLine).toBe(MAX_LINES_IN_FLIGHT * 2 + 1);
    expect(state.closed).toBe(true);
  });

  test('long lines that are not answered are bounded by their length', async () => {
    server.reply(streamed((_response, request) => void request.resume().on('error', () => undefined)));
    const data = { text: 'x'.repeat(1_000_000) };
    const state = { read: 0 };
    function* long(): Generator<BindCommand> {
      for (;;) yield { ...bindOf((state.read += 1)), data };
    }
    const stop = new AbortController();
    const failure = failureOf(ledger.commands(long(), { signal: stop.signal }));
    await until(() => state.read > 0);
    await standstill(() => state.read);
    expect(state.read).toBe(Math.ceil(MAX_LENGTH_IN_FLIGHT / 1_000_000));
    stop.abort();
    expect((await failure).name).toBe('AbortError');
  });

  test('while results are not taken, the commands are not read to their end', async () => {
    server.reply(answering(received));
    const { source, state } = endless();
    const results = ledger.commands(source);
    expect((await results.next()).value).toMatchObject({ line: 1 });
    await standstill(() => state.read);
    expect(state.read).toBeLessThanOrEqual(MAX_LINES_IN_FLIGHT * 2);
    await results.return(undefined);
    expect(state.closed).toBe(true);
  });

  test('nothing is read or sent before the first result is asked for', async () => {
    const { source, state } = endless();
    const results = ledger.commands(source);
    await standstill(() => server.requests.length);
    expect([state.read, server.requests.length]).toEqual([0, 0]);
    server.reply(answering(received));
    expect((await results.next()).value).toMatchObject({ line: 1 });
    await results.return(undefined);
  });
});
