/** A shutdown waits for what is being done, and for nobody who only holds a connection open. */
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LEDGER_PATH as L, TestServer } from '../../support/http-server.js';
import { RawConnection } from '../../support/raw-connection.js';

/** Much less than what a server gives those that it does wait for. */
const AT_ONCE_MS = 4_000;

let server: TestServer;
let url: URL;
let closed: Promise<void> | undefined;
beforeEach(async () => {
  closed = undefined;
  server = await TestServer.start();
  await server.prepare();
  await server.post(`${L}/bindings`, { recordId: 'r', externalId: 'e' });
  url = new URL(await server.server.listen(0, '127.0.0.1'));
});
afterEach(async () => {
  await closed;
  if (closed === undefined) await server.close();
});

const connected = () => RawConnection.to(url);
const get = (path: string) => `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`;
const shutDown = async (): Promise<number> => {
  const begun = performance.now();
  await (closed = server.close());
  return performance.now() - begun;
};

describe('a shutdown', () => {
  it('does not wait for connections on which nothing was asked, or nothing more', async () => {
    const unused = await connected();
    const half = (await connected()).send('GET /health/live HTTP/1.1\r\nhost:');
    const kept = (await connected()).send(get('/health/live'));
    await kept.until('{"live":true}');
    expect(await shutDown()).toBeLessThan(AT_ONCE_MS);
    await Promise.all([unused.closed, half.closed, kept.closed]);
    expect([unused.received, half.received, kept.statuses]).toEqual(['', '', [200]]);
  });

  it('knows every connection to localhost, which may have several addresses', async () => {
    await server.close();
    server = await TestServer.start();
    url = new URL(await server.server.listen(0, 'localhost'));
    const listening = (server.server.app.getHttpAdapter().getInstance() as unknown as FastifyInstance).addresses();
    expect(listening).toHaveLength(1);
    const kept = (await connected()).send(get('/health/live'));
    await kept.until('{"live":true}');
    expect(await shutDown()).toBeLessThan(AT_ONCE_MS);
    await kept.closed;
  });

  const WAITING: [what: string, path: string, status: number][] = [
    ['a revision of a lookup', `${L}/records/r?atLeast=999&timeout=60000`, 503],
    ['a revision of a ledger', `${L}?atLeast=999&timeout=60000`, 503],
    ['revisions of several ledgers', '/v1/records/product/r/bindings?atLeast=shop/shop.product@999&timeout=60000', 503],
    ['an event of a ledger', `${L}/events?after=999&wait=60000`, 200],
    ['an event of any ledger', '/v1/events?wait=60000', 200],
  ];
  it.each(WAITING)('answers at once who waits for %s', async (_what, path, status) => {
    const waiting = await connected();
    const arrived = once(server.server.app.getHttpServer() as Server, 'request');
    waiting.send(get(path));
    await arrived;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(waiting.received).toBe('');
    expect(await shutDown()).toBeLessThan(AT_ONCE_MS);
    await waiting.closed;
    expect(waiting.statuses).toEqual([status]);
    if (status === 503) expect(waiting.lastBody).toMatchObject({ code: 'NOT_YET_PROJECTED', retryable: true });
  });

  it('answers what was asked before, also behind one another on one connection, and then closes it', async () => {
    const waiting = (await connected()).send(get(`${L}/events?after=999&wait=60000`) + get('/health/live'));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await shutDown()).toBeLessThan(AT_ONCE_MS);
    await waiting.closed;
    expect(waiting.statuses).toEqual([200, 200]);
  });
});
