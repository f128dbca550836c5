/** Listings of bindings with much data: other requests have their turn in between. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MAX_PAGE_BYTES } from '#read-model';
import { LEDGER_PATH, TestServer, type Json } from '../../support/http-server.js';

const COUNT = 40;
/** Of one binding. */
const BYTES = 60_000;
const NDJSON = { headers: { accept: 'application/x-ndjson' } };

let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start();
  await server.prepare({ cardinality: 'many' });
  const lines = Array.from({ length: COUNT }, (_, index) => ({
    op: 'bind',
    recordId: 'r',
    externalId: `e${index}`,
    data: { text: 'x'.repeat(BYTES) },
  }));
  for (const result of await server.commands(lines)) expect(result).toMatchObject({ outcome: 'created' });
  await server.get(LEDGER_PATH, { query: { atLeast: 'head', timeout: '60000' } });
});
afterAll(() => server.close());

interface Page {
  items: Json[];
  nextCursor: string | null;
}

async function pagesOf(path: string, query: Record<string, string>): Promise<Json[][]> {
  const pages: Json[][] = [];
  for (let cursor: string | null | undefined; cursor !== null;) {
    const { status, body } = await server.get<Page>(path, { query: cursor === undefined ? query : { ...query, cursor } });
    expect(status).toBe(200);
    pages.push(body.items);
    cursor = body.nextCursor;
  }
  return pages;
}

function expectWhole(pages: Json[][]): void {
  expect(pages.length).toBeGreaterThan(3);
  for (const page of pages) expect((page.length - 1) * BYTES).toBeLessThan(MAX_PAGE_BYTES);
  const ids = pages.flat().map(({ externalId }) => externalId);
  expect(new Set(ids).size).toBe(COUNT);
  expect(ids).toHaveLength(COUNT);
}

describe('a page of much data', () => {
  it('ends early, and everything comes in the end', async () => {
    expectWhole(await pagesOf(`${LEDGER_PATH}/bindings`, { limit: '1000' }));
    expectWhole(await pagesOf(`${LEDGER_PATH}/bindings`, { limit: '1000', syncedBefore: '2100-01-01T00:00:00Z' }));
    expectWhole(await pagesOf('/v1/records/product/r/bindings', {}));
  });

  it('of events ends early, too', async () => {
    const seen: Json[] = [];
    let pages = 0;
    for (let after = -1; ; pages += 1) {
      const { body } = await server.get<{ items: Json[]; nextAfter: number }>(`${LEDGER_PATH}/events`, {
        query: { limit: '1000', after: String(after) },
      });
      if (body.items.length === 0) break;
      expect((body.items.length - 2) * BYTES).toBeLessThan(MAX_PAGE_BYTES);
      seen.push(...body.items);
      after = body.nextAfter;
    }
    expect(pages).toBeGreaterThan(3);
    expect(seen.map(({ revision }) => revision)).toEqual(Array.from({ length: COUNT + 1 }, (_, index) => index));
  });

  it('is none in a stream: that has all of them, or as many as were asked for', async () => {
    const linesOf = async (path: string, query: Record<string, string> = {}) =>
      (await server.get<string>(path, { query, ...NDJSON })).text.trim().split('\n').length;
    expect(await linesOf(`${LEDGER_PATH}/bindings`)).toBe(COUNT);
    expect(await linesOf(`${LEDGER_PATH}/events`)).toBe(COUNT + 1);
    expect(await linesOf(`${LEDGER_PATH}/events`, { limit: '25' })).toBe(25);
  });

  it('of a record is as long as it may be, and its cursor is of no other listing', async () => {
    const path = '/v1/records/product/r/bindings';
    const { body } = await server.get<Page>(path, { query: { limit: '3' } });
    expect(body.items).toHaveLength(3);
    for (const [other, query] of [
      ['/v1/records/product/s/bindings', {}],
      [path, { includeUnbound: 'true' }],
    ] as const) {
      const answer = await server.get(other, { query: { ...query, cursor: String(body.nextCursor) } });
      expect([answer.status, answer.body['code']]).toEqual([400, 'MALFORMED']);
    }
    const wrong: Record<string, string>[] = [{ limit: '0' }, { limit: '1001' }, { cursor: '' }, { cursor: 'x' }];
    for (const query of wrong) expect((await server.get(path, { query })).body).toMatchObject({ code: 'MALFORMED' });
  });
});
