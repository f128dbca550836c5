/** What operators see of durable subscribers by way of a server that runs none of them itself. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { OPENED_LEDGER } from '#nest';
import type { OpenedLedger } from '#runtime';
import { defineSubscriber, Subscription, type SubscriberDefinition, type SubscriberHandler } from '#subscriptions';
import { BACKEND, LEDGER_PATH, MODEL, TestServer, type Json } from '../../support/http-server.js';

let server: TestServer;
const running: Subscription[] = [];
const poison = new Set<string>(['B', 'C']);
const handled: (string | null)[] = [];

const handle: SubscriberHandler = ({ externalId }) => {
  if (externalId !== null && poison.has(externalId)) throw new Error(`no product ${externalId}`);
  handled.push(externalId);
};

/** As another application on the same stores runs it. */
function start(definition: SubscriberDefinition): Subscription {
  const { store, vault, streams, queries } = server.server.app.get<OpenedLedger>(OPENED_LEDGER);
  const tools = { store, vault, streams, positions: queries.positions, localModelOf: queries.localModelOf.bind(queries) };
  const limits = { attempts: 1, leaseMs: 2_000, ...definition };
  const subscription = new Subscription(tools, defineSubscriber(limits, handle));
  running.push(subscription);
  subscription.start();
  return subscription;
}

const eventually = <T>(check: () => Promise<T>) => vi.waitFor(check, { timeout: 20_000, interval: 10 });
const show = async (name = 'stock') => (await server.get(`/v1/subscribers/${name}`)).body;

beforeAll(async () => {
  server = await TestServer.start();
  await server.prepare();
  for (const id of ['A', 'B', 'C', 'D']) await server.post(`${LEDGER_PATH}/bindings`, { recordId: `r${id}`, externalId: id });
  await server.post(`${LEDGER_PATH}/external/B/sync`);
  start({ name: 'stock', from: 'start' });
  await eventually(async () => expect(await show()).toMatchObject({ lag: { events: 0 }, parked: { events: 3 } }));
});
afterAll(async () => {
  for (const each of running) await each.stop();
  await server.close();
});

async function parkedOf(externalId: string): Promise<Json> {
  const binding = (await server.get<{ items: Json[] }>(`${LEDGER_PATH}/bindings`, { query: { externalId, atLeast: 'head' } }))
    .body.items[0];
  return { backend: BACKEND, model: MODEL, bindingId: binding?.['id'] };
}

describe('subscribers', () => {
  it('are listed and shown, with members as they are described', async () => {
    start({ name: 'audit', from: 'now', filter: { type: 'BindingRemoved' } });
    await eventually(async () => expect(await show('audit')).toMatchObject({ state: 'running' }));
    const { items } = (await server.get<{ items: Json[] }>('/v1/subscribers')).body;
    expect(items.map(({ name }) => name)).toEqual(['audit', 'stock']);
    expect(items[0]).toMatchObject({ filter: { type: ['BindingRemoved'] }, lag: { events: 0, more: false, seconds: 0 } });
    expect(items[1]).toMatchObject({
      state: 'running',
      instance: expect.stringContaining(`:${process.pid}:`),
      parked: { events: 3, bindings: 2 },
      lastError: { message: 'no product C', backend: BACKEND, model: MODEL, attempt: 1 },
      requests: [],
    });
    const { properties } = ((await server.get<Json>('/openapi.json')).body['components'] as { schemas: Record<string, Json> })
      .schemas['Subscriber'] as { properties: Json };
    expect(Object.keys(items[1] as Json).sort()).toEqual(Object.keys(properties).sort());
  });

  it('show what they have parked', async () => {
    const { status, body } = await server.get<{ items: Json[] }>('/v1/subscribers/stock/parked');
    expect(status).toBe(200);
    expect(body.items).toMatchObject([
      {
        ...(await parkedOf('B')),
        recordId: 'rB',
        error: 'no product B',
        attempts: 1,
        events: [
          { revision: 2, type: 'BindingCreated' },
          { revision: 5, type: 'SyncDateUpdated' },
        ],
      },
      { ...(await parkedOf('C')), error: 'no product C', events: [{ revision: 3 }] },
    ]);
  });

  it('stand in the metrics', async () => {
    const { text } = await server.get<string>('/metrics');
    for (const line of [
      'binding_ledger_subscriber_running{subscriber="stock"} 1',
      'binding_ledger_subscriber_lag_events{subscriber="stock"} 0',
      'binding_ledger_subscriber_lag_seconds{subscriber="stock"} 0',
      'binding_ledger_subscriber_parked_events{subscriber="stock"} 3',
    ])
      expect(text).toContain(line);
    expect(text).toMatch(/binding_ledger_subscriber_parked_oldest_seconds\{subscriber="stock"\} \d/);
  });

  it('refuse what cannot be done', async () => {
    const binding = await parkedOf('B');
    const refused = async (path: string, body: unknown) => {
      const answer = await server.post(`/v1/subscribers/${path}`, body);
      return [answer.status, answer.body['code']];
    };
    expect(await refused('none/replay', {})).toEqual([404, 'SUBSCRIBER_NOT_FOUND']);
    expect((await server.get('/v1/subscribers/none/parked')).body['code']).toBe('SUBSCRIBER_NOT_FOUND');
    expect(await refused('stock/replay', { ...binding, bindingId: 'none' })).toEqual([404, 'BINDING_NOT_FOUND']);
    expect(await refused('stock/replay', { backend: BACKEND })).toEqual([400, 'MALFORMED']);
    expect(await refused('stock/skip', { ...binding, revision: 5 })).toEqual([412, 'VERSION_MISMATCH']);
    expect(await refused('stock/skip', binding)).toEqual([400, 'MALFORMED']);
    expect(await refused('stock/reset', { to: 'yesterday' })).toEqual([410, 'POSITION_GONE']);
    expect(await refused('stock/reset', {})).toEqual([400, 'MALFORMED']);
    expect(await show()).toMatchObject({ requests: [], parked: { events: 3 } });
  });

  it('replay, skip and begin anew when they are asked to', async () => {
    poison.delete('B');
    handled.splice(0);
    const asked = await server.post('/v1/subscribers/stock/replay', await parkedOf('B'), { query: { reason: 'repaired' } });
    expect([asked.status, asked.body]).toMatchObject([
      202,
      { requests: [{ action: 'replay', actor: 'anonymous', reason: 'repaired' }] },
    ]);
    await eventually(async () => expect(await show()).toMatchObject({ requests: [], parked: { events: 1 } }));
    expect(handled).toEqual(['B', 'B']);
    expect((await server.post('/v1/subscribers/stock/skip', { ...(await parkedOf('C')), revision: 3 })).status).toBe(202);
    await eventually(async () => expect(await show()).toMatchObject({ requests: [], parked: { events: 0, oldestAt: null } }));
    poison.clear();
    handled.splice(0);
    const { items } = (await server.get<{ items: Json[] }>('/v1/events', { query: { after: 'start' } })).body;
    expect((await server.post('/v1/subscribers/stock/reset', { to: items[2]?.['position'] })).status).toBe(202);
    await eventually(async () => expect(handled).toEqual(['D', 'B']));
    const key = { headers: { 'idempotency-key': 'once' } };
    handled.splice(0);
    for (let times = 0; times < 2; times += 1) {
      expect((await server.post('/v1/subscribers/stock/reset', { to: 'start' }, key)).status).toBe(202);
      await eventually(async () => expect(await show()).toMatchObject({ requests: [], lag: { events: 0 } }));
    }
    expect(handled).toEqual(['A', 'B', 'C', 'D', 'B']);
  });
});
