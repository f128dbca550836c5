/** The database's server is killed by SIGKILL under load, and started again: it has kept what it acknowledged, and so has the ledger. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openMongo } from '#mongodb';
import { openMongoVault } from '#vault/mongodb';
import { startServer } from '../../scripts/mongodb-server.mjs';
import { LEDGER_PATH as L, TestServer, SECRET_KEY } from '../support/http-server.js';
import { openMongoStores } from '../support/mongodb/stores.js';

const KILLS = 5;
let mongodb: Awaited<ReturnType<typeof startServer>>;
beforeAll(async () => {
  mongodb = await startServer(JSON.parse(process.env['MONGODB_TEST_SERVER'] as string) as string[]);
});
afterAll(() => mongodb.stop());

it('loses nothing acknowledged and answers nothing wrong, however often it is killed', async () => {
  const stores = await openMongoStores(`${mongodb.url}ledger`);
  const server = await TestServer.start({ ledger: { stores, secretKey: SECRET_KEY } });
  const other = await openMongo(`${mongodb.url}ledger`);
  const vault = await openMongoVault(other);
  await other.close();
  await server.prepare();
  let over = false;
  const acknowledged: string[] = [];
  const kept: string[] = [];
  const writer = async (name: string) => {
    for (let index = 0; !over; index += 1) {
      const id = `${name}-${index}`;
      const { status, text } = await server.post(`${L}/bindings`, { recordId: id, externalId: id, syncDate: null });
      if (status < 300) acknowledged.push(id);
      else expect(status, text).toBe(503);
      if (status === 503) await sleep(20);
    }
  };
  const reader = async () => {
    while (!over) {
      const id = acknowledged[Math.floor(acknowledged.length / 2)];
      if (id === undefined) await sleep(5);
      else {
        const { status, body, text } = await server.get(`${L}/external/${id}`, { query: { atLeast: 'head' } });
        if (status === 200) expect(body).toMatchObject({ recordId: id });
        else expect(status, text).toBe(503);
        if (status === 503) await sleep(20);
      }
    }
  };
  const keeper = async () => {
    for (let index = 0; !over; index += 1) {
      await vault.put({ kind: 'kill', id: `${index}`, version: '1' }, `content ${index}`).then(
        () => kept.push(`${index}`),
        (error: unknown) => expect(error).toMatchObject({ code: 'UNAVAILABLE' }),
      );
    }
  };
  const work = [writer('a'), writer('b'), reader(), keeper()];
  for (let kill = 0; kill < KILLS; kill += 1) {
    const [before, keptBefore] = [acknowledged.length, kept.length];
    while (acknowledged.length < before + 20 || kept.length < keptBefore + 5) await sleep(10);
    await mongodb.end('SIGKILL');
    await sleep(200);
    await mongodb.start();
  }
  const last = acknowledged.length;
  while (acknowledged.length <= last) await sleep(10);
  over = true;
  await Promise.all(work);
  for (const deadline = Date.now() + 60_000; (await server.get('/health/ready')).status !== 200; await sleep(50))
    if (Date.now() > deadline) throw new Error((await server.get('/health/ready')).text);
  for (const id of acknowledged) {
    const { body, text } = await server.get(`${L}/external/${id}`, { query: { atLeast: 'head' } });
    expect(body['recordId'], text).toBe(id);
  }
  for (const id of kept) expect((await vault.get({ kind: 'kill', id, version: '1' }))?.content).toBe(`content ${id}`);
  expect(acknowledged.length).toBeGreaterThan(KILLS * 20);
  await vault.close();
  await server.close();
});
