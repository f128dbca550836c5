import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { LocatedResult } from '#ledger';
import { PRODUCTS, startLedgerApplication, type LedgerApplication } from '../../../test/support/ledger-application.js';
import { streamCommands, type CommandOfStream } from './command-stream.js';
import { Binder, isRefusal, LedgerService, OPENED_LEDGER, type CommandInput, type OpenedLedger } from './index.js';

let application: LedgerApplication;
let service: LedgerService;
beforeAll(async () => {
  application = await startLedgerApplication();
  service = application.app.get(LedgerService);
});
afterAll(() => application.app.close());

const bind = (prefix: string, number: number): CommandInput => ({
  op: 'bind',
  recordId: `${prefix}${number}`,
  externalId: `${prefix}x${number}`,
});
const binds = (prefix: string, count: number) => Array.from({ length: count }, (_, number) => bind(prefix, number));

async function all(stream: AsyncIterable<CommandOfStream>): Promise<CommandOfStream[]> {
  const seen: CommandOfStream[] = [];
  for await (const done of stream) seen.push(done);
  return seen;
}
const outcomeOf = ({ result }: CommandOfStream) => (isRefusal(result) ? result.refused : result.outcome);

it('does thousands in their order, more than the queue takes at once, and refuses each for itself', async () => {
  const commands = binds('many', 12_000);
  commands[700] = bind('many', 3);
  commands[701] = { op: 'bind', recordId: '', externalId: 'none' };
  commands[703] = undefined as unknown as CommandInput;
  commands[702] = { op: 'bind', recordId: 'another', externalId: 'manyx5' };
  const seen = await all(service.commands(PRODUCTS, commands, { actor: 'importer' }));
  expect(seen.map(({ command }) => command)).toEqual(commands);
  const others = seen.filter((_, index) => index < 700 || index > 703);
  expect(new Set(others.map(outcomeOf))).toEqual(new Set(['created']));
  expect(seen.slice(700, 704).map(outcomeOf)).toEqual(['synced', 'INVALID_ID', 'EXTERNAL_ID_TAKEN', 'MALFORMED']);
  expect(seen[702]?.result).toMatchObject({ holder: { recordId: 'many5', backend: PRODUCTS.backend } });
});

it('gives a binder that sees what it did', async () => {
  const binder = new Binder(service, PRODUCTS);
  expect(await all(binder.commands(binds('seen', 10)))).toHaveLength(10);
  expect(await binder.toInternal('seenx9', { unwrap: true })).toBe('seen9');
});

it('sends what comes one by one without waiting for more', async () => {
  let more: () => void = () => undefined;
  const asked = new Promise<void>((resolve) => (more = resolve));
  async function* slowly() {
    yield bind('slow', 1);
    await asked;
    yield bind('slow', 2);
  }
  const stream = service.commands(PRODUCTS, slowly());
  expect(outcomeOf((await stream.next()).value as CommandOfStream)).toBe('created');
  more();
  expect(outcomeOf((await stream.next()).value as CommandOfStream)).toBe('created');
  expect((await stream.next()).done).toBe(true);
});

it('answers what was begun before it says that its source failed', async () => {
  function* broken() {
    yield* binds('broken', 1_234);
    throw new Error('the file ends');
  }
  for (const source of [broken(), sooner(broken())]) {
    const seen: CommandOfStream[] = [];
    const reading = (async () => {
      for await (const done of service.commands(PRODUCTS, source)) seen.push(done);
    })();
    await expect(reading).rejects.toThrow('the file ends');
    expect(seen.length).toBe(1_234);
  }
});

async function* sooner<T>(items: Iterable<T>): AsyncGenerator<T> {
  yield* items;
}

it('finishes what was begun, and ends its source, when nobody wants more', async () => {
  let ended = false;
  let read = 0;
  function* endless() {
    try {
      for (; ; read += 1) yield bind('endless', read);
    } finally {
      ended = true;
    }
  }
  for await (const { result } of service.commands(PRODUCTS, endless())) {
    expect(isRefusal(result)).toBe(false);
    break;
  }
  await sleep(0);
  // Three chunks are under way, and one may have been read.
  expect([ended, read < 4 * 500]).toEqual([true, true]);
  const { ledger, queries } = application.app.get<OpenedLedger>(OPENED_LEDGER);
  expect(ledger.queueDepths().map(({ commands }) => commands)).toEqual([0]);
  const { missing } = (await queries.lookup(PRODUCTS, { recordIds: ['endless0', 'endless499'] }, { atLeast: 'head' })) as {
    missing: string[];
  };
  expect(missing).toEqual([]);
});

it('has no more chunks under way than it may, and throws what broke behind the results before it', async () => {
  let [underWay, most, begun] = [0, 0, 0];
  const execute = async (commands: readonly CommandInput[]): Promise<LocatedResult[]> => {
    most = Math.max(most, (underWay += 1));
    begun += 1;
    const number = begun;
    await sleep(5);
    underWay -= 1;
    if (number === 4) throw new Error('broken invariant');
    return commands.map((_, index) => ({ outcome: 'created', binding: null, revision: index }));
  };
  const seen: CommandOfStream[] = [];
  const reading = (async () => {
    for await (const done of streamCommands(binds('fake', 10_000), execute)) seen.push(done);
  })();
  await expect(reading).rejects.toThrow('broken invariant');
  expect([most, seen.length, underWay]).toEqual([3, 1_500, 0]);
});

it('refuses every command of what is no ledger', async () => {
  const seen = await all(service.commands({ backend: 'no ledger!', model: 'x' }, binds('none', 2)));
  expect(seen.map(outcomeOf)).toEqual(['MALFORMED', 'MALFORMED']);
  expect(await all(service.commands(PRODUCTS, []))).toEqual([]);
});
