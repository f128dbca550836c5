/** Verification, digests and export by HTTP. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BindingLedgerClient, type ExportLine } from '#client';
import { verifyExport, type FileLine } from '#audit';
import { BACKEND, LEDGER_PATH, linesIn, MODEL, TestServer, type Json } from '../../support/http-server.js';

const NDJSON = { headers: { accept: 'application/x-ndjson' } };
const NAME = `${BACKEND}/${MODEL}`;
/** Enough that a verification takes several turns of the event loop. */
const MANY = 3_000;

let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start();
  await server.prepare();
  await server.commands(Array.from({ length: MANY }, (_, n) => ({ op: 'bind', recordId: n, externalId: `e${n}`, key: `k${n}` })));
  await server.get(LEDGER_PATH, { query: { atLeast: 'head', timeout: '30000' } });
});
afterAll(() => server.close());

const digest = async () => (await server.get<{ revision: number; hash: string }>(`${LEDGER_PATH}/digest`)).body;

describe('verify', () => {
  it('answers that the ledger is what it was', async () => {
    const { revision, hash } = await digest();
    const { status, body } = await server.post(`${LEDGER_PATH}/verify`, { digest: await digest() });
    expect([status, body]).toEqual([
      200,
      {
        ok: true,
        ledger: NAME,
        checkedRevisions: MANY + 1,
        digest: { revision, hash, at: expect.any(String) },
        readModel: { ok: true, checkpoint: revision, compared: MANY, differing: [], notes: [] },
      },
    ]);
    expect((await server.post(`${LEDGER_PATH}/verify`)).body).toMatchObject({ ok: true });
  });

  it('names where a digest kept earlier is another, also when it believes what is before', async () => {
    const hash = '0'.repeat(64);
    const { status, body } = await server.post(`${LEDGER_PATH}/verify`, { digest: { revision: 5, hash } });
    expect([status, body]).toEqual([
      200,
      expect.objectContaining({ ok: false, firstBad: expect.objectContaining({ revision: 5 }) }),
    ]);
    const known = await digest();
    const after = await server.post(`${LEDGER_PATH}/verify`, { digest: known, onlyAfter: true });
    expect(after.body).toEqual({
      ok: true,
      ledger: NAME,
      checkedRevisions: 1,
      digest: { revision: known.revision, hash: known.hash },
    });
  });

  it('answers as lines with the result last', async () => {
    const { text, headers } = await server.post(`${LEDGER_PATH}/verify`, {}, NDJSON);
    expect(headers['content-type']).toContain('application/x-ndjson');
    expect(linesIn(text).at(-1)).toMatchObject({ ok: true, checkedRevisions: MANY + 1 });
  });

  it.each([
    { digest: 'x' },
    { digest: { revision: 1 } },
    { digest: { revision: 1.5, hash: '' } },
    { digest: { revision: 1, hash: 'xyz' } },
    { onlyAfter: true },
    { unknown: 1 },
    [],
  ])('refuses %j', async (body) => {
    for (const call of [{}, NDJSON])
      expect(await server.post(`${LEDGER_PATH}/verify`, body, call)).toMatchObject({ status: 400, body: { code: 'MALFORMED' } });
  });

  it('of what is not there is not found', async () => {
    for (const call of [{}, NDJSON])
      expect(await server.post(`/v1/backends/none/models/${MODEL}/verify`, {}, call)).toMatchObject({
        status: 404,
        body: { code: 'BACKEND_NOT_FOUND' },
      });
  });

  it('is done for one ledger at a time: others are busy, and told when to come again', async () => {
    const answers = await Promise.all([1, 2, 3].map(() => server.post(`${LEDGER_PATH}/verify`)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 503, 503]);
    const busy = answers.find(({ status }) => status === 503);
    expect(busy).toMatchObject({ body: { code: 'BUSY', retryable: true }, headers: { 'retry-after': '1' } });
  });

  it('is right while others write', async () => {
    const writing = server.commands(Array.from({ length: 500 }, (_, n) => ({ op: 'sync', recordId: n })));
    for (let round = 0; round < 5; round += 1)
      expect((await server.post(`${LEDGER_PATH}/verify`)).body).toMatchObject({ ok: true, readModel: { ok: true } });
    await writing;
  });
});

describe('the client', () => {
  it('verifies, is told how far it is, and exports what verifies', async () => {
    const client = new BindingLedgerClient({ url: await server.server.listen(0, '127.0.0.1') });
    const ledger = client.ledger(BACKEND, MODEL);
    const { revision, hash } = await ledger.digest();
    expect(await ledger.verify({ digest: { revision, hash } })).toMatchObject({ ok: true, ledger: NAME });
    await expect(client.ledger('none', MODEL).verify()).rejects.toMatchObject({ code: 'BACKEND_NOT_FOUND' });
    const lines: ExportLine[] = [];
    for await (const line of ledger.export()) lines.push(line);
    async function* file(): AsyncGenerator<FileLine> {
      for (const [index, line] of lines.entries()) yield { number: index + 1, text: JSON.stringify(line) };
    }
    const { report } = await verifyExport(file(), () => [], { digestsOf: () => [{ revision, hash }] });
    expect(report).toMatchObject({ ok: true, ledger: NAME, checkedRevisions: revision + 1 });
    const digests = [];
    for await (const each of client.digests()) digests.push(each);
    expect(digests).toContainEqual(await digest());
  });

  it('is not kept waiting by a verification that goes on', async () => {
    let turns = 0;
    const counting = { on: true };
    const count = () => {
      turns += 1;
      if (counting.on) setImmediate(count);
    };
    setImmediate(count);
    expect((await server.post(`${LEDGER_PATH}/verify`)).body).toMatchObject({ ok: true });
    counting.on = false;
    // One for each page of bindings that is compared, at the least.
    expect(turns).toBeGreaterThan(10);
  });
});

describe('digests', () => {
  it('are of all ledgers, by ledger, in pages', async () => {
    const backends = ['a-shop', 'b-shop'];
    for (const id of backends) {
      await server.post('/v1/backends', { id, type: 'shop', location: 'https://shop.example.org' });
      await server.post(`/v1/backends/${id}/models/${MODEL}/bindings`, { recordId: '1', externalId: '1' });
    }
    await server.delete(`/v1/backends/b-shop/models/${MODEL}/records/1`);
    expect((await server.delete('/v1/backends/b-shop')).status).toBe(200);
    const all = (await server.get<{ items: Json[]; nextCursor: null }>('/v1/digests')).body;
    expect(all).toEqual({
      items: [
        expect.objectContaining({ ledger: `a-shop/${MODEL}` }),
        expect.objectContaining({ ledger: `b-shop/${MODEL}` }),
        await digest(),
      ],
      nextCursor: null,
    });
    const first = (await server.get<{ items: Json[]; nextCursor: string }>('/v1/digests', { query: { limit: '2' } })).body;
    expect(first).toEqual({ items: all.items.slice(0, 2), nextCursor: `b-shop/${MODEL}` });
    const rest = await server.get<Json>('/v1/digests', { query: { limit: '2', cursor: first.nextCursor } });
    expect(rest.body).toEqual({ items: all.items.slice(2), nextCursor: null });
  });
});

describe('export', () => {
  it('is the whole ledger as lines, with its digest last', async () => {
    const { status, text, headers } = await server.get(`${LEDGER_PATH}/export`);
    const lines = linesIn(text);
    expect([status, headers['content-type']]).toEqual([200, expect.stringContaining('application/x-ndjson')]);
    expect(lines[0]).toMatchObject({ format: 'binding-ledger-export', backend: BACKEND, model: MODEL });
    const { revision, hash, at } = (await digest()) as Json;
    expect(lines.at(-1)).toEqual({ digest: { ledger: NAME, revision, hash, at } });
    expect(lines).toHaveLength((revision as number) + 3);
  });

  it('of what is not there is not found', async () => {
    expect((await server.get(`/v1/backends/none/models/${MODEL}/export`)).status).toBe(404);
  });
});
