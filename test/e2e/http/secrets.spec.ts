/** Secrets come out of one door only. */
import { expect, it } from 'vitest';
import type { OpenedLedger } from '#runtime';
import { OPENED_LEDGER } from '#nest';
import { TestServer, type Json } from '../../support/http-server.js';

const SECRETS = ['pass-Zx81-word', 'token-Qq42-value', 'second-Yy37-word'];
const SETTINGS = {
  type: 'object',
  properties: { size: { type: 'integer' }, token: { type: 'string', 'x-secret': true } },
  additionalProperties: false,
};

it('shows secrets to nobody but who asks for the credentials', async () => {
  const server = await TestServer.start();
  const said: string[] = [];
  const keep = async <T>(answer: Promise<{ text: string; body: T; status: number; headers: object }>) => {
    const { text, headers, ...rest } = await answer;
    said.push(text, JSON.stringify(headers));
    return rest;
  };
  const backend = { id: 'shop', type: 'shop', location: 'https://shop.example.org', username: 'sync' };
  await keep(server.put('/v1/backend-types/shop', { settingsSchema: SETTINGS }));
  await keep(server.put('/v1/models/shop.product', { backendType: 'shop', localModel: 'product' }));
  const created = await keep(
    server.post<Json>('/v1/backends', { ...backend, password: SECRETS[0], settings: { size: 1, token: SECRETS[1] } }),
  );
  expect([created.status, created.body]).toMatchObject([
    201,
    { hasPassword: true, secretNames: ['token'], settings: { size: 1 } },
  ]);

  // Everything that can go wrong with a secret at hand.
  await keep(server.post('/v1/backends', { ...backend, password: SECRETS[0] }));
  await keep(server.post('/v1/backends', { ...backend, id: 'other', password: SECRETS[0], settings: { size: SECRETS[1] } }));
  await keep(server.post('/v1/backends', { ...backend, id: 'other', settings: { colour: SECRETS[1], token: 7 } }));
  await keep(server.post('/v1/backends', { ...backend, id: 'other', password: [SECRETS[0]], settings: { token: SECRETS[1] } }));
  await keep(server.post('/v1/backends', { ...backend, id: 'other', location: `https://u:${SECRETS[0]}@x.example` }));
  await keep(server.post('/v1/backends', { ...backend, id: 'other', type: 'none', password: SECRETS[0] }));
  const payload = `{"id": "other", "password": "${SECRETS[0]}", "settings": {"token": ${SECRETS[1]}`;
  await keep(server.post('/v1/backends', undefined, { payload, headers: { 'content-type': 'application/json' } }));
  await keep(server.patch('/v1/backends/none', { password: SECRETS[0] }));
  await keep(server.patch('/v1/backends/shop', { password: SECRETS[2], settings: { size: 2 } }));

  for (const path of [
    '/v1/backends',
    '/v1/backends/shop',
    '/v1/backends/shop/history',
    '/v1/backend-types',
    '/metrics',
    '/health/ready',
    '/openapi.json',
  ]) {
    await keep(server.get(path));
  }
  const credentials = await server.get('/v1/backends/shop/credentials');
  expect(credentials.body).toEqual({ username: 'sync', password: SECRETS[2], secrets: { token: SECRETS[1] } });
  expect(credentials.headers['cache-control']).toBe('no-store');
  await keep(server.get('/v1/backends/shop/history'));
  expect(said.join()).toContain('CredentialsRead');

  const { store, readModel } = server.server.app.get<OpenedLedger>(OPENED_LEDGER);
  const { events } = await store.readAll({ after: '', streamPrefixes: [''], limit: 1_000 });
  said.push(JSON.stringify(events), JSON.stringify(await readModel.catalogDocuments('backend', undefined, 100)));
  expect(events.length).toBeGreaterThan(5);
  await server.close();
  said.push(server.logged);
  for (const secret of SECRETS) expect(said.filter((text) => text.includes(secret))).toEqual([]);
  expect(server.logged).toContain('/v1/backends');
});

it('refuses to keep a secret without a key', async () => {
  const server = await TestServer.start({ ledger: { data: ':memory:' } });
  await server.put('/v1/backend-types/shop', {});
  const backend = { id: 'shop', type: 'shop', location: 'https://shop.example.org' };
  const refused = await server.post('/v1/backends', { ...backend, password: SECRETS[0] });
  expect([refused.status, refused.body['code']]).toEqual([422, 'INVALID_SETTINGS']);
  expect(refused.body['detail']).toContain('LEDGER_SECRET_KEY');
  expect((await server.post('/v1/backends', backend)).status).toBe(201);
  await server.close();
});
