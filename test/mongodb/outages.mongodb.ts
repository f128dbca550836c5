/** The database is lost, stalls, and comes back: what is answered meanwhile is true, or `503`. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { LedgerConfig } from '#runtime';
import { LEDGER_PATH as L, TestServer, SECRET_KEY } from '../support/http-server.js';
import { dropDatabase, newDatabaseUrl } from '../support/mongodb/database.js';
import { MongoProxy } from '../support/mongodb/proxy.js';
import { openMongoStores } from '../support/mongodb/stores.js';

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of opened.splice(0).toReversed()) await each.close();
});

async function start(): Promise<{ server: TestServer; proxy: MongoProxy }> {
  const proxy = await MongoProxy.start();
  const database = newDatabaseUrl();
  opened.push({ close: () => dropDatabase(database) }, { close: () => proxy.stop() });
  const stores: LedgerConfig['stores'] = await openMongoStores(proxy.urlOf(database));
  const server = await TestServer.start({ ledger: { stores, secretKey: SECRET_KEY } });
  opened.push({ close: () => (proxy.restore(), server.close()) });
  await server.prepare();
  for (let index = 0; index < 50; index += 1)
    await server.post(`${L}/bindings`, { recordId: `r${index}`, externalId: `e${index}`, syncDate: null });
  return { server, proxy };
}

/** Asks until the answer is as it must be at last; every one before it is `503`, and says when to come again. */
async function eventually(
  ask: () => Promise<{ status: number; headers: Record<string, unknown>; text: string }>,
  status: number,
) {
  for (const deadline = performance.now() + 60_000; ; await sleep(50)) {
    const answer = await ask();
    if (answer.status === status) return answer;
    expect(answer.status, answer.text).toBe(503);
    expect(answer.headers['retry-after'], answer.text).toBeDefined();
    if (performance.now() > deadline) throw new Error(`still ${answer.status}: ${answer.text}`);
  }
}

describe.each(['cut', 'stall'] as const)('a database whose connection is %s', (what) => {
  it('answers 503 and nothing wrong, loses nothing, and goes on when it is back', async () => {
    const { server, proxy } = await start();
    const lookUp = (id: number) => server.get(`${L}/external/e${id}`, { query: { atLeast: 'head' } });
    expect((await lookUp(7)).body).toMatchObject({ recordId: 'r7' });
    proxy[what]();

    const began = performance.now();
    const lookups = await Promise.all(Array.from({ length: 20 }, (_, index) => lookUp(index)));
    const keyed = (id: number) => ({ headers: { 'idempotency-key': `key ${id}` } });
    const bind = (id: number) =>
      server.post(`${L}/bindings`, { recordId: `r${id}`, externalId: `e${id}`, syncDate: null }, keyed(id));
    const writes = await Promise.all(Array.from({ length: 20 }, (_, index) => bind(100 + index)));
    for (const answer of [...lookups, ...writes]) {
      expect([answer.status, answer.body['code']], troubleOf(server)).toEqual([503, 'STORE_UNAVAILABLE']);
      expect(answer.headers['retry-after']).toBeDefined();
    }
    const ready = await server.get('/health/ready');
    expect(ready.status).toBe(503);
    expect(ready.text).toMatch(/read model/);
    expect(performance.now() - began).toBeLessThan(60_000);

    proxy.restore();
    await eventually(() => server.get('/health/ready'), 200);
    for (let index = 0; index < 50; index += 1) expect((await lookUp(index)).body).toMatchObject({ recordId: `r${index}` });
    for (let index = 0; index < 20; index += 1) {
      const { body } = await bind(100 + index);
      expect(body).toMatchObject({ outcome: 'created', binding: { recordId: `r${100 + index}` } });
      expect((await lookUp(100 + index)).body).toMatchObject({ recordId: `r${100 + index}` });
    }
  });
});

it('answers nothing wrong while the connection comes and goes under load', async () => {
  const { server, proxy } = await start();
  let over = false;
  const acknowledged: string[] = [];
  const codes = new Map<number, number>();
  const count = (status: number) => codes.set(status, (codes.get(status) ?? 0) + 1);
  const writer = async (name: string) => {
    for (let index = 0; !over; index += 1) {
      const id = `${name}-${index}`;
      const { status, text } = await server.post(`${L}/bindings`, { recordId: id, externalId: id, syncDate: null });
      count(status);
      if (status < 300) acknowledged.push(id);
      else expect(status, text).toBe(503);
      if (status === 503) await sleep(20);
    }
  };
  const reader = async () => {
    for (let index = 0; !over; index = (index + 1) % 50) {
      const { status, body, text } = await server.get(`${L}/external/e${index}`);
      count(status);
      if (status === 200) expect(body).toMatchObject({ recordId: `r${index}` });
      else expect(status, text).toBe(503);
      if (status === 503) await sleep(20);
    }
  };
  const work = [writer('a'), writer('b'), reader(), reader()];
  for (let round = 0; round < 6; round += 1) {
    const before = acknowledged.length;
    // Not by the clock: until something has come through again.
    while (acknowledged.length <= before) await sleep(20);
    const refused = codes.get(503) ?? 0;
    proxy.cut();
    // What is back at once is hardly noticed; every other time it is away until somebody is refused.
    do await sleep(100);
    while (round % 2 === 1 && (codes.get(503) ?? 0) === refused);
    proxy.restore();
  }
  over = true;
  await Promise.all(work);
  await eventually(() => server.get('/health/ready'), 200);
  for (const id of acknowledged) {
    const { body, text } = await server.get(`${L}/external/${id}`, { query: { atLeast: 'head' } });
    expect(body['recordId'], text).toBe(id);
  }
  expect(acknowledged.length).toBeGreaterThan(6);
  expect([...codes.keys()].sort()).toEqual(expect.arrayContaining([200, 201, 503]));
});

/** What the server complained of: for whoever reads that a test failed. */
function troubleOf({ logged }: TestServer): string {
  return logged
    .split('\n')
    .filter((line) => line.includes('"level":50'))
    .slice(-3)
    .join('\n');
}
