/** The node is lost, and comes back, while the server runs: what it says meanwhile, and that nobody has to do anything. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openEventStoreDb } from '#event-store/eventstoredb';
import { openSqliteReadModel } from '#read-model/sqlite';
import { openSqliteVault } from '#vault/sqlite';
import { LEDGER_PATH, TestServer, type Json } from '../support/http-server.js';
import { startStandIn, type StandIn } from '../support/stand-in/index.js';

interface Ready {
  ready: boolean;
  reasons: string[];
}

let node: StandIn;
let server: TestServer;
beforeEach(async () => {
  node = await startStandIn();
  const store = await openEventStoreDb({ url: node.url, deadlineMs: 1_000, silenceMs: 300, check: false });
  const [readModel, vault] = [await openSqliteReadModel({ memory: true }), await openSqliteVault({ folder: ':memory:' })];
  const limits = { commandTimeoutMs: 2_000 };
  server = await TestServer.start({ ledger: { stores: { store, readModel, vault }, limits } });
  await server.prepare();
  expect((await bind('1', 'a')).status).toBe(201);
  await until(
    () => find('a'),
    ({ status }) => status === 200,
  );
});
afterEach(async () => {
  await server.close();
  await node.stop();
});

const bind = (recordId: string, externalId: string) =>
  server.post<Json & { code?: string }>(`${LEDGER_PATH}/bindings`, { recordId, externalId });
const find = (externalId: string) => server.get(`${LEDGER_PATH}/external/${externalId}`);
const readiness = async () => (await server.get<Ready>('/health/ready')).body;

/** Asks until something holds. */
async function until<T>(ask: () => Promise<T>, holds: (answer: T) => boolean): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (holds(answer)) return answer;
    await sleep(20);
  }
}

describe('a node that is lost', () => {
  it('makes readiness false with the reason and refuses writes, while lookups go on; all recovers by itself', async () => {
    await node.down();
    const { reasons } = await until(readiness, ({ ready }) => !ready);
    expect(reasons.join()).toMatch(/^event store: The event store cannot be reached: /);
    expect((await server.get('/health/live')).status).toBe(200);

    // What was in flight when the connection broke may be unknown; what comes later was surely not written.
    const refused = await until(
      () => bind('2', 'b'),
      ({ body }) => body.code !== 'OUTCOME_UNKNOWN',
    );
    expect(refused).toMatchObject({ status: 503, body: { code: 'STORE_UNAVAILABLE', retryable: true } });
    expect(refused.headers['retry-after']).toBeDefined();
    expect((await find('a')).text).toContain('recordId');
    expect((await find('never')).status).toBe(404);

    await node.up();
    await until(readiness, ({ ready }) => ready);
    const bound = await until(
      () => bind('2', 'b'),
      ({ status }) => status < 300,
    );
    expect(bound.body).toMatchObject({ binding: { recordId: '2', externalId: 'b' } });
    await until(
      () => find('b'),
      ({ status }) => status === 200,
    );
  });

  it('and is no leader when it comes back is told as such', async () => {
    node.role = 'readOnlyReplica';
    const { reasons } = await until(readiness, ({ ready }) => !ready);
    expect(reasons.join()).toContain('takes no writes: it is a follower or a read-only replica');
    expect((await find('a')).text).toContain('recordId');
    node.role = 'leader';
    await until(readiness, ({ ready }) => ready);
    expect((await bind('3', 'c')).status).toBe(201);
  });

  it('and does not answer at all is told as such, within the deadline of a call', async () => {
    node.faults.add({ kind: 'silentBefore', method: ['append', 'read'], times: Infinity });
    const { reasons } = await until(readiness, ({ ready }) => !ready);
    expect(reasons.join()).toMatch(/nothing came within 1000 ms/);
    expect((await bind('4', 'd')).status).toBe(503);
    node.faults.clear();
    await until(readiness, ({ ready }) => ready);
    expect(
      (
        await until(
          () => bind('4', 'd'),
          ({ status }) => status < 300,
        )
      ).body,
    ).toMatchObject({ binding: { recordId: '4' } });
  });
});

it('a clock that goes wrong later stops the writer, and readiness says so', async () => {
  await server.put('/v1/models/shop.other', { backendType: 'shop', localModel: 'other' });
  const other = LEDGER_PATH.replace('shop.product', 'shop.other');
  node.faults.clockSkewMs = -60_000;
  const answers = await Promise.all(
    ['1', '2', '3'].map((recordId) => server.post<Json>(`${other}/bindings`, { recordId, externalId: recordId })),
  );
  expect(answers.every(({ status }) => status === 201 || status === 503)).toBe(true);
  const refused = await server.post(`${other}/bindings`, { recordId: '4', externalId: '4' });
  expect(refused).toMatchObject({ status: 503, body: { code: 'STORE_UNAVAILABLE' } });
  expect((await readiness()).reasons.join()).toMatch(/the clock is more than 5000 ms off the store's/);
});
