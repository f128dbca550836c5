/** Rebuilding a ledger by HTTP, while it goes on. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BACKEND, LEDGER_PATH, linesIn, MODEL, SECRET_KEY, TestServer, type Json } from '../../support/http-server.js';

const NDJSON = { headers: { accept: 'application/x-ndjson' } };
const NAME = `${BACKEND}/${MODEL}`;
const MANY = 600;
/** Longer than an instance of either store relies on what it knows of a generation. */
const generationGraceMs = 6_000;

let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start({ ledger: { data: ':memory:', secretKey: SECRET_KEY, generationGraceMs } });
  await server.prepare();
  await server.commands(Array.from({ length: MANY }, (_, n) => ({ op: 'bind', recordId: n, externalId: `e${n}` })));
  await server.get(LEDGER_PATH, { query: { atLeast: 'head', timeout: '30000' } });
});
afterAll(() => server.close());

describe('a dry run', () => {
  it('answers that nothing differs, as JSON and as lines', async () => {
    const same = { ok: true, ledger: NAME, revision: MANY, compared: MANY, differing: 0, differences: [] };
    expect(await server.post(`${LEDGER_PATH}/rebuild`, { dryRun: true })).toMatchObject({ status: 200, body: same });
    const { text, headers } = await server.post(`${LEDGER_PATH}/rebuild`, { dryRun: true }, NDJSON);
    expect(headers['content-type']).toContain('application/x-ndjson');
    expect(linesIn(text).at(-1)).toEqual(same);
  });
});

describe('a rebuild', () => {
  it('says how far it is, refuses another one meanwhile, and answers what answers now', async () => {
    const rebuilding = server.post(`${LEDGER_PATH}/rebuild`, undefined, NDJSON);
    const other = await server.post(`${LEDGER_PATH}/rebuild`, { dryRun: true });
    expect([other.status, other.body['code'], other.headers['retry-after']]).toEqual([503, 'BUSY', expect.any(String)]);
    expect((await server.get<Json>(`${LEDGER_PATH}/external/e7`)).body).toMatchObject({ recordId: '7' });
    const bound = await server.post(`${LEDGER_PATH}/bindings`, { recordId: 'new', externalId: 'new' });
    expect(bound.status).toBe(201);
    const { text } = await rebuilding;
    const lines = linesIn(text);
    expect(lines.slice(0, -1)).toContainEqual({ revision: expect.any(Number), headRevision: MANY });
    expect(lines.at(-1)).toEqual({ ledger: NAME, revision: expect.any(Number), generation: expect.any(String) });
    const found = await server.get<Json>(`${LEDGER_PATH}/external/new`, { query: { atLeast: 'head', timeout: '30000' } });
    expect(found.body).toMatchObject({ recordId: 'new' });
    expect((await server.post(`${LEDGER_PATH}/rebuild`, { dryRun: true })).body).toMatchObject({ ok: true, compared: MANY + 1 });
  });

  it.each([{ dryRun: 'yes' }, { unknown: 1 }, []])('refuses %j', async (body) => {
    expect(await server.post(`${LEDGER_PATH}/rebuild`, body)).toMatchObject({ status: 400, body: { code: 'MALFORMED' } });
  });

  it('of a ledger that is not there is refused', async () => {
    const unknown = await server.post(`/v1/backends/${BACKEND}/models/no.model/rebuild`, {});
    expect(unknown).toMatchObject({ status: 404, body: { code: 'MODEL_NOT_FOUND' } });
  });
});
