/** Streams of commands over real connections: both ways at once, broken off, and not read. */
import { once } from 'node:events';
import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { OPENED_LEDGER } from '#nest';
import type { OpenedLedger } from '#runtime';
import { LEDGER_PATH as L, TestServer, type Json } from '../../support/http-server.js';

let server: TestServer;
let url: URL;

beforeEach(async () => {
  server = await TestServer.start({ stallMs: 300 });
  await server.prepare();
  url = new URL(await server.server.listen(0, '127.0.0.1'));
});
afterEach(() => server.close());

function post(): { sent: ClientRequest; answered: Promise<IncomingMessage> } {
  const sent = request(new URL(`${L}/commands`, url), { method: 'POST', headers: { 'content-type': 'application/x-ndjson' } });
  return { sent, answered: once(sent, 'response').then(([response]) => response as IncomingMessage) };
}

const command = (index: number | string) =>
  `${JSON.stringify({ op: 'bind', recordId: `r${index}`, externalId: `e${index}`, syncDate: '2026-01-01T00:00:00Z' })}\n`;
const live = async () => (await server.get<{ live: number }>(L, { query: { atLeast: 'head', timeout: '20000' } })).body.live;
const eventually = async (count: number) => {
  while ((await live()) < count) await new Promise((resolve) => setImmediate(resolve));
};

describe('a stream of commands', () => {
  it('is answered line by line while it is sent', async () => {
    const { sent, answered } = post();
    sent.write(command(0));
    const lines = createInterface({ input: await answered })[Symbol.asyncIterator]();
    for (let index = 0; index < 20; index += 1) {
      const { value } = (await lines.next()) as { value: string };
      expect(JSON.parse(value)).toMatchObject({ line: index + 1, outcome: 'created', binding: { recordId: `r${index}` } });
      sent.write(command(index + 1));
    }
    sent.end();
    const rest = await lines.next();
    expect(JSON.parse(String(rest.value))).toMatchObject({ line: 21, outcome: 'created' });
    expect((await lines.next()).done).toBe(true);
  });

  it('of 50,000 lines with a broken one in the middle is answered in full, and in order', async () => {
    const count = 50_000;
    const { sent, answered } = post();
    const sending = (async () => {
      for (let start = 0; start < count; start += 500) {
        let piece = '';
        for (let index = start; index < start + 500; index += 1) piece += index === 25_000 ? '{"op": broken\n' : command(index);
        if (!sent.write(piece)) await once(sent, 'drain');
      }
      sent.end();
    })();
    let expected = 0;
    const refused: Json[] = [];
    for await (const text of createInterface({ input: await answered })) {
      expected += 1;
      const answer = JSON.parse(text) as Json;
      if (answer['line'] !== expected) throw new Error(`line ${String(answer['line'])} came as answer ${expected}`);
      if (answer['outcome'] !== 'created') refused.push(answer);
    }
    await sending;
    expect(expected).toBe(count);
    expect(refused).toMatchObject([{ line: 25_001, error: { code: 'MALFORMED' } }]);
    expect(await live()).toBe(count - 1);
  }, 120_000);

  it('that breaks off has done what was read, and all that was acknowledged', async () => {
    const { sent, answered } = post();
    sent.on('error', () => undefined);
    for (let index = 0; index < 2_000; index += 1) sent.write(command(index));
    sent.write('{"op":"bind","recordId":"half');
    const response = await answered;
    response.on('error', () => undefined);
    let received = '';
    for await (const piece of response) {
      received += String(piece);
      if (received.split('\n').length > 500) break;
    }
    sent.destroy();
    const acknowledged = received.split('\n').slice(0, -1).length;
    await eventually(acknowledged);
    expect(await live()).toBeGreaterThanOrEqual(acknowledged);
    expect((await server.get(`${L}/records/half`)).status).toBe(404);
    // The same file again, with the rest of it, ends without a duplicate.
    const again = await server.commands(Array.from({ length: 2_100 }, (_, index) => command(index).trim()));
    expect(again.filter(({ outcome }) => outcome !== 'created' && outcome !== 'unchanged')).toEqual([]);
    expect(await live()).toBe(2_100);
  });

  it('is cut off when its answers are not read, and the server goes on', async () => {
    const socket = connect(Number(url.port), url.hostname);
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    socket.on('error', () => undefined);
    socket.pause();
    socket.write(
      `POST ${L}/commands HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n`,
    );
    const data = { text: 'x'.repeat(20_000) };
    let index = 0;
    while (!socket.destroyed) {
      const line = `${JSON.stringify({ op: 'bind', recordId: `s${index}`, data })}\n`;
      index += 1;
      const more = socket.write(`${line.length.toString(16)}\r\n${line}\r\n`);
      if (!more) await Promise.race([new Promise<void>((resolve) => socket.once('drain', () => resolve())), closed]);
      // A server that buffered without bound would take everything.
      if (index > 20_000) throw new Error('the server took 400 MB of commands whose answers nobody reads');
    }
    expect((await server.get('/health/live')).status).toBe(200);
    expect((await server.post(`${L}/bindings`, { recordId: 'after', externalId: 'after' })).status).toBe(201);
  });

  it('ends without its end when the server shuts down, with everything done that it acknowledged', async () => {
    const { sent, answered } = post();
    sent.on('error', () => undefined);
    sent.write(command(0));
    const response = await answered;
    const [first] = (await once(response, 'data')) as [Buffer];
    expect(JSON.parse(first.toString())).toMatchObject({ outcome: 'created' });
    const broken = once(response, 'error');
    response.resume();
    await server.server.close();
    expect(await broken).toMatchObject([{ code: 'ECONNRESET' }]);
  });
});

describe('a broken invariant of the ledger', () => {
  it('in a later chunk of a stream cuts that stream, is logged once, and the server goes on', async () => {
    const { ledger } = server.server.app.get<OpenedLedger>(OPENED_LEDGER);
    const unhandled: unknown[] = [];
    const note = (error: unknown) => unhandled.push(error);
    process.on('unhandledRejection', note);
    const execute = ledger.executeAllInTurn.bind(ledger);
    let firstGoesOn = () => {};
    const held = new Promise<void>((resolve) => (firstGoesOn = resolve));
    vi.spyOn(ledger, 'executeAllInTurn').mockImplementation(async (name, requests) => {
      const [first] = requests;
      if (first?.command.op !== 'bind' || first.command.recordId === 'r0') await held;
      else if (first.command.recordId === 'r250') throw new Error('broken invariant: of the second chunk');
      return execute(name, requests);
    });
    const { sent, answered } = post();
    sent.on('error', () => undefined);
    sent.write(Array.from({ length: 500 }, (_, index) => command(index)).join(''));
    const response = await answered;
    const received = createInterface({ input: response });
    response.on('error', () => undefined);
    const other = post();
    other.sent.end(command('other'));
    const lines = createInterface({ input: await other.answered })[Symbol.asyncIterator]();
    expect(JSON.parse(String((await lines.next()).value))).toMatchObject({ outcome: 'created' });
    // Turns in which a rejection that nobody handles would be noticed, before anybody awaits the second chunk.
    for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    firstGoesOn();
    let count = 0;
    try {
      for await (const _line of received) count += 1;
    } catch (error) {
      expect(error).toMatchObject({ code: 'ECONNRESET' });
    }
    process.off('unhandledRejection', note);
    vi.restoreAllMocks();
    expect([count, response.complete, unhandled]).toEqual([250, false, []]);
    expect(server.logged.match(/broken invariant: of the second chunk/g)?.length).toBeGreaterThan(0);
    expect(server.logged.match(/a stream of commands was broken off/g)).toHaveLength(1);
    expect((await server.post(`${L}/bindings`, { recordId: 'after', externalId: 'after' })).status).toBe(201);
  });
});

describe('an early refusal', () => {
  it('reaches a caller that is still sending', async () => {
    const sent = request(new URL('/v1/backends/none/models/shop.product/commands', url), {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
    });
    sent.on('error', () => undefined);
    sent.write(command(0));
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    expect(response.statusCode).toBe(404);
    sent.end();
  });
});

describe('ids in paths', () => {
  it.each(['a/b?c', 'a#b', '%2F', '100%', 'a+b c', '..;', 'é', '~'])('%j arrives as it was sent', async (id) => {
    await server.post(`${L}/bindings`, { recordId: 'p', externalId: id });
    const response = await fetch(new URL(`${L}/external/${encodeURIComponent(id)}?atLeast=head`, url));
    expect(await response.json()).toMatchObject({ externalId: id });
  });
});
