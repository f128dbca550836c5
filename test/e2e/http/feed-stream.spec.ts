/** The events of all ledgers as server-sent events, over real connections. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StreamReader } from '../../support/event-stream.js';
import { LEDGER_PATH as L, TestServer, type Json } from '../../support/http-server.js';

const HEARTBEAT_MS = 40;
/** Long enough for a reader on a busy machine, which is in the same process. */
const STALL_MS = 3_000;

let server: TestServer;
let url: string;
beforeEach(async () => {
  server = await TestServer.start({ stallMs: STALL_MS, heartbeatMs: HEARTBEAT_MS, maxFeedReaders: 20 });
  await server.prepare();
  url = `${await server.server.listen(0, '127.0.0.1')}/v1/events`;
});
afterEach(() => server.close());

const bind = (...recordIds: (string | number)[]) =>
  server.commands(
    recordIds.map((id) => ({ op: 'bind', recordId: String(id), externalId: `e${id}`, syncDate: '2026-01-01T00:00:00Z' })),
  );
const from = (first: number, count: number) => Array.from({ length: count }, (_, index) => first + index);
const recordsOf = (events: Json[]) => events.map(({ recordId }) => Number(recordId));
const open = (query = '', headers: Record<string, string> = {}) => StreamReader.open(`${url}${query}`, headers);
const metric = async (name: string) => Number(new RegExp(`^${name} (\\d+)`, 'm').exec((await server.get('/metrics')).text)?.[1]);
const until = async (name: string, value: number) => {
  while ((await metric(name)) !== value) await pause(20);
};

describe('a stream of events', () => {
  it('has history, then what is recorded, each once and in order', async () => {
    await bind(...from(0, 500));
    const reader = await open('?after=start');
    expect(reader.response.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
      'x-correlation-id': expect.any(String),
    });
    expect(reader.response.headers['content-encoding']).toBeUndefined();
    const reading = reader.events(1_500);
    for (let next = 500; next < 1_500; next += 100) await bind(...from(next, 100));
    expect(recordsOf(await reading)).toEqual(from(0, 1_500));
    reader.close();
    await until('binding_ledger_event_readers', 0);
    expect(await metric('binding_ledger_events_sent_total')).toBeGreaterThanOrEqual(1_500);
  });

  it('begins live when it is not told otherwise, and says at once where', async () => {
    await bind(1);
    const reader = await open();
    const blocks = reader.blocks();
    const first = (await blocks.next()).value as { id: string; retry: string };
    expect(first).toEqual({ retry: expect.stringMatching(/^\d+$/), id: expect.stringMatching(/./) });
    await bind(2);
    let block = (await blocks.next()).value as { id: string; data?: string };
    while (block.data === undefined) block = (await blocks.next()).value as { id: string; data?: string };
    expect(JSON.parse(block.data)).toMatchObject({ recordId: '2', position: block.id });
    reader.close();
    const again = await open('', { 'last-event-id': first.id });
    expect(recordsOf(await again.events(1))).toEqual([2]);
    again.close();
  });

  it('resumes after the last event that a reader had, whatever its address says', async () => {
    await bind(...from(0, 30));
    let last = '';
    const seen: number[] = [];
    while (seen.length < 30) {
      const reader = await open('?after=start', last === '' ? {} : { 'last-event-id': last });
      const events = await reader.events(Math.min(7, 30 - seen.length));
      last = String(events.at(-1)?.['position']);
      seen.push(...recordsOf(events));
      reader.close();
    }
    expect(seen).toEqual(from(0, 30));
  });

  it('moves its position by heartbeats although nothing fits', async () => {
    const reader = await open('?recordId=none');
    const blocks = reader.blocks();
    const first = (await blocks.next()).value as { id: string };
    await bind(1, 2, 3);
    const end = (await server.get(L)).body['headPosition'];
    let block = (await blocks.next()).value as { id: string };
    while (block.id !== end) block = (await blocks.next()).value as { id: string };
    expect(first.id).not.toBe(end);
    expect(block).toEqual({ id: end });
    // It goes on being said, so that a reader knows that the connection lives.
    expect((await blocks.next()).value).toEqual({ id: end });
    reader.close();
  });

  it('gives each reader what it asked for', async () => {
    const readers = await Promise.all([
      open('?after=start'),
      open('?after=start&recordId=1&recordId=4'),
      open('?after=start&type=BindingRemoved'),
    ]);
    await bind(...from(0, 6));
    await server.delete(`${L}/records/5`);
    const counts = [7, 2, 1];
    const read = await Promise.all(readers.map((reader, index) => reader.events(counts[index] as number)));
    expect(read.map(recordsOf)).toEqual([[0, 1, 2, 3, 4, 5, 5], [1, 4], [5]]);
    for (const reader of readers) reader.close();
  });

  it('serves so many readers and no more, until one goes', async () => {
    const readers = await Promise.all(from(0, 20).map(() => open()));
    const refused = await StreamReader.open(url);
    expect([refused.response.statusCode, refused.response.headers['retry-after']]).toEqual([503, '1']);
    refused.close();
    readers[0]?.close();
    await until('binding_ledger_event_readers', 19);
    const next = await open();
    expect(next.response.statusCode).toBe(200);
    for (const reader of [...readers, next]) reader.close();
    await until('binding_ledger_event_readers', 0);
  });

  it('ends in order when the server shuts down, and so does a page that waits', async () => {
    await bind(...from(0, 3));
    const reader = await open('?after=start');
    const blocks: (string | undefined)[] = [];
    const reading = (async () => {
      for await (const { data } of reader.blocks()) if (data !== undefined) blocks.push(data);
    })();
    const waiting = fetch(`${url}?wait=60000`);
    await until('binding_ledger_event_readers', 2);
    while (blocks.length < 3) await turn();
    await server.close();
    await reading;
    expect(blocks).toHaveLength(3);
    expect(await (await waiting).json()).toMatchObject({ items: [] });
    server = await TestServer.start();
  });
});

describe('a reader that does not read', () => {
  it('is cut off, and the others get everything', async () => {
    const { hostname, port } = new URL(url);
    const stalled = connect(Number(port), hostname);
    stalled.on('error', () => undefined);
    await once(stalled, 'connect');
    stalled.pause();
    stalled.write('GET /v1/events?after=start HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\n\r\n');
    await until('binding_ledger_event_readers', 1);
    const good = await open('?after=start');
    const total = 30_000;
    const reading = good.events(total);
    for (let next = 0; next < total; next += 3_000) await bind(...from(next, 3_000));
    expect(recordsOf(await reading)).toEqual(from(0, total));
    await until('binding_ledger_event_readers_cut_total', 1);
    await until('binding_ledger_event_readers', 1);
    good.close();
    stalled.destroy();
  });
});
