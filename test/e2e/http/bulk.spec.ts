/** Commands by lines: what each line is answered. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LEDGER_PATH as L, linesIn, TestServer, type Json } from '../../support/http-server.js';

let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start();
  await server.prepare();
});
afterAll(() => server.close());

const NDJSON = { 'content-type': 'application/x-ndjson' };
const text = (lines: readonly unknown[]) => lines.map((line) => `${JSON.stringify(line)}\n`).join('');
const code = ({ error }: Json) => (error as Json | undefined)?.['code'];

describe('POST commands', () => {
  it('answers each line in order, for itself', async () => {
    const answers = await server.commands([
      { op: 'bind', recordId: 1, externalId: 'a', data: { group: 'x' } },
      { op: 'bind', recordId: 2, externalId: 'a' },
      { op: 'sync', externalId: 'a', syncDate: '2026-01-01T00:00:00Z', force: true },
      { op: 'changeData', recordId: 1, data: { group: 'y' } },
      { op: 'move', fromRecordId: 1, toRecordId: 3 },
      { op: 'unbind', externalId: 'none' },
      { op: 'unbind', recordId: 3, expectedVersion: 1 },
      { op: 'unbind', recordId: 3, reason: 'over' },
    ]);
    expect(answers.map(({ line }) => line)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(answers.map((answer) => answer['outcome'] ?? code(answer))).toEqual([
      'created',
      'EXTERNAL_ID_TAKEN',
      'synced',
      'changed',
      'moved',
      'unchanged',
      'VERSION_MISMATCH',
      'unbound',
    ]);
    expect(answers[1]?.['error']).toMatchObject({
      retryable: false,
      detail: expect.any(String),
      holder: { recordId: '1', backend: 'shop' },
    });
    expect(answers[4]).toMatchObject({ bindings: [{ recordId: '3' }] });
    expect(answers[5]).toMatchObject({ binding: null });
    expect(answers[7]).toMatchObject({ binding: { state: 'unbound', reason: 'over' }, revision: expect.any(Number) });
  });

  it('reports a broken line, and carries on', async () => {
    const payload = `${text([{ op: 'bind', recordId: 'b1' }])}{"op": "bind", "recordId": \n\n${text([{ op: 'bind', recordId: 'b2' }])}"text"\n{"op":"bind","recordId":"b3"`;
    const { text: answer } = await server.post<string>(`${L}/commands`, undefined, { payload, headers: NDJSON });
    const answers = linesIn(answer);
    expect(answers.map((each) => [each['line'], each['outcome'] ?? code(each)])).toEqual([
      [1, 'created'],
      [2, 'MALFORMED'],
      [4, 'created'],
      [5, 'MALFORMED'],
      [6, 'MALFORMED'],
    ]);
  });

  it('reports a line that is too long or not UTF-8, and carries on', async () => {
    const payload = Buffer.concat([
      Buffer.from(text([{ op: 'bind', recordId: 'l1', data: { text: 'x'.repeat(140_000) } }])),
      Buffer.from('{"op":"bind","recordId":"caf\xe9"}\n', 'latin1'),
      Buffer.from('\uFEFF{"op":"bind","recordId":"l2"}\r\n'),
      Buffer.from('{"op":"bind","recordId":"l3"}'),
    ]);
    const { text: answer } = await server.post<string>(`${L}/commands`, undefined, { payload, headers: NDJSON });
    expect(linesIn(answer).map((each) => each['outcome'] ?? code(each))).toEqual([
      'TOO_LARGE',
      'MALFORMED',
      'MALFORMED',
      'created',
    ]);
  });

  it('takes a byte order mark at the beginning', async () => {
    const payload = `\uFEFF{"op":"bind","recordId":"m1"}\r\n{"op":"bind","recordId":"m2"}\r\n`;
    const { text: answer } = await server.post<string>(`${L}/commands`, undefined, { payload, headers: NDJSON });
    expect(linesIn(answer).map(({ outcome }) => outcome)).toEqual(['created', 'created']);
  });

  it('gives the same answers again to the same keys', async () => {
    const commands = Array.from({ length: 700 }, (_, index) => ({
      op: 'bind',
      recordId: `k${index}`,
      externalId: `K${index}`,
      key: `job-1-${index}`,
    }));
    const first = await server.commands(commands);
    const head = await server.headRevision();
    const again = await server.commands(commands);
    expect(first.every(({ outcome }) => outcome === 'created')).toBe(true);
    expect(again).toEqual(first);
    expect(await server.headRevision()).toBe(head);
    const other = await server.commands([{ ...commands[0], externalId: 'other' }]);
    expect(other.map(code)).toEqual(['IDEMPOTENCY_KEY_REUSED']);
  });

  it('answers nothing to nothing', async () => {
    expect(await server.commands([''])).toEqual([]);
    expect(await server.commands(['', '', ''], { atomic: 'true' })).toEqual([]);
  });

  it('carries what the request says of its caller into the events', async () => {
    const headers = { ...NDJSON, 'x-correlation-id': 'import-9' };
    await server.post(`${L}/commands`, undefined, {
      payload: text([{ op: 'bind', recordId: 'c1', direction: 'import' }]),
      headers,
    });
    const after = String((await server.headRevision()) - 1);
    const { body } = await server.get<{ items: Json[] }>(`${L}/events`, { query: { after } });
    expect(body.items).toMatchObject([{ correlationId: 'import-9', direction: 'import', recordId: 'c1' }]);
  });
});

describe('with atomic=true', () => {
  it('does all', async () => {
    const answers = await server.commands(
      [
        { op: 'bind', recordId: 'a1', externalId: 'A1' },
        '',
        { op: 'bind', recordId: 'a2', externalId: 'A2' },
        { op: 'unbind', recordId: 'a1' },
      ],
      { atomic: 'true' },
    );
    expect(answers.map(({ line, outcome }) => [line, outcome])).toEqual([
      [1, 'created'],
      [3, 'created'],
      [4, 'unbound'],
    ]);
  });

  it('does nothing when a line is refused, and names each by its line', async () => {
    const head = await server.headRevision();
    const payload = `${text([{ op: 'bind', recordId: 'n1', externalId: 'N1' }])}\n${text([
      { op: 'bind', recordId: 'n2', externalId: 'A2' },
      { op: 'sync', externalId: 'nothing' },
    ])}`;
    const { status, body } = await server.post<{ refusals: Json[] }>(`${L}/commands`, undefined, {
      payload,
      headers: NDJSON,
      query: { atomic: 'true' },
    });
    expect([status, body]).toMatchObject([409, { code: 'BATCH_REFUSED' }]);
    expect(body.refusals.map((each) => [each['line'], each['code']])).toEqual([
      [3, 'EXTERNAL_ID_TAKEN'],
      [4, 'NOT_BOUND'],
    ]);
    expect(await server.headRevision()).toBe(head);
  });

  it('names the lines that are no commands', async () => {
    const payload = `{"op":"bind","recordId":"p1"}\n\n{"op":\n{"op":"bind","recordId":""}`;
    const { body } = await server.post<{ refusals: Json[] }>(`${L}/commands`, undefined, {
      payload,
      headers: NDJSON,
      query: { atomic: 'true' },
    });
    expect(body.refusals.map((each) => [each['line'], each['code']])).toEqual([
      [3, 'MALFORMED'],
      [4, 'INVALID_ID'],
    ]);
  });

  it('takes 500 lines', async () => {
    const answers = await server.commands(
      Array.from({ length: 500 }, (_, index) => ({ op: 'bind', recordId: `f${index}`, externalId: `F${index}` })),
      { atomic: 'true' },
    );
    expect(answers.filter(({ outcome }) => outcome === 'created')).toHaveLength(500);
  });
});
