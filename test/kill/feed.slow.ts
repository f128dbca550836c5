/**
 * The events of all ledgers at length: 100,000 of them by stream and by pages while the server is killed; and as many readers at once as a
 * server takes. EVENTS and READERS make it shorter or longer.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { BindingLedgerClient, isLedgerError, type BindCommand } from '#client';
import { MAX_FEED_READERS } from '../../apps/server/src/feed/feed-readers.js';
import { ServerProcess } from '../support/server-process.js';
import { temporaryFolders } from '../support/temporary-folders.js';

const EVENTS = Number(process.env['EVENTS'] ?? 100_000);
const READERS = Number(process.env['READERS'] ?? MAX_FEED_READERS);
const SHARED_EVENTS = 1_000;
const STALLED = 100;
const MAX_RESIDENT_BYTES = 500_000_000;
const LEDGERS = ['shop-1', 'shop-2', 'shop-3'];
const KILLS = 4;

const folder = temporaryFolders();
let server: ServerProcess;
let client: BindingLedgerClient;

beforeAll(async () => {
  server = new ServerProcess(folder());
  await server.start();
  client = new BindingLedgerClient({ url: server.url, retry: { baseDelayMs: 50, maxDelayMs: 200, attempts: 500 } });
  await client.backendTypes.put('shop', {});
  await client.models.put('shop.product', { backendType: 'shop', localModel: 'product' });
  for (const id of LEDGERS) await client.backends.register({ id, type: 'shop', location: `https://${id}.example` });
});
afterAll(() => server.stop());

function* binds(from: number, to: number): Generator<BindCommand> {
  for (let n = from; n < to; n += 1) yield { op: 'bind', recordId: n, externalId: `e${n}`, syncDate: '2026-01-01T00:00:00Z' };
}
async function write(backend: string, from: number, to: number): Promise<void> {
  for (let answered = 0; from + answered < to;) {
    try {
      for await (const { error } of client
        .ledger(backend, 'shop.product')
        .commands(binds(from + answered, to), { keys: false })) {
        expect(error).toBeUndefined();
        answered += 1;
      }
    } catch (error) {
      // The server was killed: what was not answered is sent again, and what was done of it is unchanged.
      if (!isLedgerError(error) || !error.retryable) throw error;
    }
  }
}

/** Per ledger revisions rise by one: no gap, no inversion, no repeat. */
class Order {
  count = 0;
  readonly ids: string[] = [];
  readonly #next = new Map<string, number>();

  see({ id, backend, revision }: { id: string; backend: string; revision: number }): void {
    // Revision 0 is the ledger's opening, which is no event of a binding.
    const expected = this.#next.get(backend) ?? 1;
    if (revision !== expected) throw new Error(`${backend}: revision ${revision} came in place of ${expected}`);
    this.#next.set(backend, expected + 1);
    this.ids.push(id);
    this.count += 1;
  }
}

it('100,000 events come once each and in order, by stream and by pages, while the server is killed', async () => {
  const each = Math.ceil(EVENTS / LEDGERS.length);
  const total = each * LEDGERS.length;
  const [streamed, paged] = [new Order(), new Order()];
  let done = false;
  const writing = Promise.all(LEDGERS.map((backend) => write(backend, 0, each)));
  const streaming = (async () => {
    for await (const event of client.subscribe({}, { after: 'start' })) {
      streamed.see(event);
      if (streamed.count === total) break;
    }
  })();
  const paging = (async () => {
    for (let after = 'start'; paged.count < total;) {
      const page = await client.events({}, { after, limit: 1_000, waitMs: 1_000 });
      for (const event of page.items) paged.see(event);
      after = page.nextPosition;
    }
  })();
  const killing = (async () => {
    for (let kill = 1; kill <= KILLS; kill += 1) {
      while (streamed.count < (total * kill) / (KILLS + 1) && !done) await new Promise((resolve) => setTimeout(resolve, 20));
      if (done) return;
      await server.stop('SIGKILL');
      await server.start();
    }
  })();
  await Promise.all([writing, streaming, paging]).finally(() => (done = true));
  await killing;
  expect([streamed.count, paged.count]).toEqual([total, total]);
  expect(new Set(streamed.ids).size).toBe(total);
  expect(paged.ids).toEqual(streamed.ids);
});

/** Counts events without parsing them: a thousand readers share this process. */
class RawReader {
  events = 0;
  #status = '';
  readonly #socket: Socket;

  private constructor(socket: Socket, reads: boolean) {
    this.#socket = socket.on('error', () => undefined);
    if (!reads) return;
    socket.on('data', (piece: Buffer) => {
      if (this.#status === '') this.#status = piece.toString('latin1').split('\r\n', 1)[0] ?? '';
      for (let at = piece.indexOf('\ndata: '); at >= 0; at = piece.indexOf('\ndata: ', at + 1)) this.events += 1;
    });
  }

  static async open(query: string, reads = true): Promise<RawReader> {
    const { hostname, port } = new URL(server.url);
    const socket = connect(Number(port), hostname);
    const reader = new RawReader(socket, reads);
    await once(socket, 'connect');
    if (!reads) socket.pause();
    socket.write(`GET /v1/events${query} HTTP/1.1\r\nhost: ledger\r\naccept: text/event-stream\r\n\r\n`);
    if (reads) while (reader.#status === '') await once(socket, 'data');
    return reader;
  }

  close(): void {
    this.#socket.destroy();
  }
}

it('as many readers as a server takes share its memory, and one more is told to come later', async () => {
  const { residentBytes: idle } = await server.measure();
  const stalled = await Promise.all(Array.from({ length: STALLED }, () => RawReader.open('?after=start', false)));
  const readers: RawReader[] = [];
  while (readers.length < READERS - STALLED) {
    readers.push(...(await Promise.all(Array.from({ length: 50 }, () => RawReader.open('')))));
  }
  if (READERS === MAX_FEED_READERS) await expect(client.events({}, { waitMs: 1, timeoutMs: 300 })).rejects.toThrow();
  let [most, longest] = [0, 0];
  const measure = async () => {
    const { residentBytes, longestBlockMs } = await server.measure();
    [most, longest] = [Math.max(most, residentBytes), Math.max(longest, longestBlockMs)];
  };
  await measure();
  longest = 0;
  const from = 1_000_000;
  for (let n = 0; n < SHARED_EVENTS; n += 50) {
    await write('shop-1', from + n, from + n + 50);
    await measure();
  }
  // A piece may end in the middle of what is counted, so a few may be missed; none may be missing by the dozen.
  while (readers.some(({ events }) => events < SHARED_EVENTS * 0.98)) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    await measure();
  }
  const megabytes = (bytes: number) => Math.round(bytes / 1_000_000);
  process.stderr.write(
    `${READERS} readers: ${megabytes(most)} MB at most, ${megabytes(idle)} MB before, held up for ${longest.toFixed(0)} ms at most\n`,
  );
  expect(most).toBeLessThan(MAX_RESIDENT_BYTES);
  for (const reader of [...readers, ...stalled]) reader.close();
});
