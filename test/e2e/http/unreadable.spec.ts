/** What is no HTTP, or breaks off: refused as a problem where an answer can stand, and never written into another answer. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LEDGER_PATH as L, TestServer } from '../../support/http-server.js';
import { RawConnection } from '../../support/raw-connection.js';

let server: TestServer;
let url: URL;
beforeAll(async () => {
  server = await TestServer.start();
  await server.prepare();
  url = new URL(await server.server.listen(0, '127.0.0.1'));
});
afterAll(() => server.close());

const connected = () => RawConnection.to(url);
const HOST = 'host: x\r\n';
const JSON_TYPE = 'content-type: application/json\r\n';
const LINES_TYPE = 'content-type: application/x-ndjson\r\n';
const CHUNKED = 'transfer-encoding: chunked\r\n\r\n';
const bind = (id: string) => `${JSON.stringify({ op: 'bind', recordId: id, externalId: id })}\n`;
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;

describe('what cannot be read', () => {
  const ROWS: [what: string, text: string, status: number, code: string][] = [
    ['a path that is not ASCII', `GET /v1/caf\xe9 HTTP/1.1\r\n${HOST}\r\n`, 400, 'MALFORMED'],
    ['a method that is none', `FETCH /v1/backends HTTP/1.1\r\n${HOST}\r\n`, 400, 'MALFORMED'],
    ['a proxy that it is not', `CONNECT example.org:443 HTTP/1.1\r\n${HOST}\r\n`, 400, 'MALFORMED'],
    ['no HTTP at all', 'hello\r\n\r\n', 400, 'MALFORMED'],
    ['long headers', `GET /v1/backends HTTP/1.1\r\n${HOST}x: ${'x'.repeat(20_000)}\r\n\r\n`, 413, 'TOO_LARGE'],
    ['a chunk that is none', `POST ${L}/bindings HTTP/1.1\r\n${HOST}${JSON_TYPE}${CHUNKED}zz\r\n`, 400, 'MALFORMED'],
    ['no host', 'GET /health/live HTTP/1.1\r\nconnection: close\r\n\r\n', 400, 'MALFORMED'],
    [
      'an expectation of something else',
      `POST ${L}/bindings HTTP/1.1\r\n${HOST}${JSON_TYPE}expect: miracles\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}`,
      400,
      'MALFORMED',
    ],
  ];
  it.each(ROWS)('is refused as a problem: %s', async (_what, text, status, code) => {
    const connection = (await connected()).send(text);
    await connection.closed;
    expect(connection.statuses, connection.received).toEqual([status]);
    expect(connection.received).toMatch(/^content-type: application\/problem\+json; charset=utf-8\r$/m);
    expect(connection.received).toMatch(/^x-correlation-id: \S+\r$/m);
    expect(connection.lastBody).toMatchObject({ code, status, type: `/errors/${code}`, retryable: false });
    expect(connection.received).not.toContain('xxxx');
  });

  it('is refused on a connection that was used before, too', async () => {
    const connection = (await connected()).send(`GET /health/live HTTP/1.1\r\n${HOST}\r\n`);
    await connection.until('{"live":true}');
    connection.send('hello\r\n\r\n');
    await connection.closed;
    expect([connection.statuses, connection.lastBody['code']]).toEqual([[200, 400], 'MALFORMED']);
  });

  it.each(['hello\r\n\r\n', `CONNECT example.org:443 HTTP/1.1\r\n${HOST}\r\n`])(
    'behind a request is not taken for its answer: %j',
    async (behind) => {
      const connection = (await connected()).send(`GET ${L}/events?after=999&wait=300 HTTP/1.1\r\n${HOST}\r\n${behind}`);
      await connection.closed;
      expect(connection.statuses).toEqual([200]);
      expect(connection.lastBody).toMatchObject({ items: [] });
    },
  );

  it('is served where it only looks so: HTTP/1.0 needs no host, and may expect to be told to go on', async () => {
    const old = (await connected()).send('GET /health/live HTTP/1.0\r\n\r\n');
    await old.closed;
    expect(old.statuses).toEqual([200]);
    const patient = (await connected()).send(
      `POST ${L}/bindings HTTP/1.1\r\n${HOST}${JSON_TYPE}expect: 100-Continue\r\nconnection: close\r\ncontent-length: 18\r\n\r\n`,
    );
    await patient.until('100 Continue');
    patient.send('{"recordId":"p00"}');
    await patient.closed;
    expect(patient.statuses).toEqual([100, 201]);
  });
});

describe('what breaks off', () => {
  it('in the middle of commands is cut off: nothing is written into the answer', async () => {
    const connection = (await connected()).send(
      `POST ${L}/commands HTTP/1.1\r\n${HOST}${LINES_TYPE}${CHUNKED}${chunk(bind('cut1'))}`,
    );
    await connection.until('"recordId":"cut1"');
    connection.socket.end();
    await connection.closed;
    expect(connection.statuses).toEqual([200]);
    expect(connection.received.endsWith('0\r\n\r\n')).toBe(false);
    expect((await server.get(`${L}/records/cut1`, { query: { atLeast: 'head' } })).status).toBe(200);
  });

  it('with a chunk that is none, too', async () => {
    const connection = (await connected()).send(
      `POST ${L}/commands HTTP/1.1\r\n${HOST}${LINES_TYPE}${CHUNKED}${chunk(bind('cut2'))}`,
    );
    await connection.until('"recordId":"cut2"');
    connection.send('zz\r\n');
    await connection.closed;
    expect(connection.statuses).toEqual([200]);
  });

  it('in the middle of a body is refused, if its sender still listens, and is no fault of the server', async () => {
    const upload = `POST ${L}/bindings HTTP/1.1\r\n${HOST}${JSON_TYPE}content-length: 500\r\n\r\n{"recordId":"half"`;
    const listening = (await connected()).send(upload);
    listening.socket.end();
    await listening.closed;
    expect([listening.statuses, listening.lastBody['code']]).toEqual([[400], 'MALFORMED']);
    const gone = (await connected()).send(upload);
    await new Promise((resolve) => setTimeout(resolve, 100));
    gone.socket.resetAndDestroy();
    while (!server.logged.includes('the sender went away')) await new Promise((resolve) => setTimeout(resolve, 5));
    const logged = server.logged.split('\n').filter((line) => line !== '') as string[];
    const levels = logged.map((line) => JSON.parse(line) as { level: number; msg: string });
    expect(levels.filter(({ level }) => level >= 40)).toEqual([]);
    expect((await server.get(`${L}/records/half`, { query: { atLeast: 'head' } })).status).toBe(404);
  });
});
