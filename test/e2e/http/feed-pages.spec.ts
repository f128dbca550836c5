/** Pages of the events of all ledgers. */
import { randomUUID } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { OPENED_LEDGER, type OpenedLedger } from '#nest';
import { ReadModelError } from '#read-model';
import { BACKEND, LEDGER_PATH as L, MODEL, TestServer, type Json } from '../../support/http-server.js';

interface Page {
  items: Json[];
  nextPosition: string;
  caughtUp: boolean;
}

let server: TestServer;
beforeEach(async () => {
  server = await TestServer.start({ maxFeedReaders: 1 });
  await server.prepare();
});
afterEach(() => server.close());

const bind = (recordId: string, headers: Record<string, string> = {}, more: Json = {}) =>
  server.post(`${L}/bindings`, { recordId, externalId: `e-${recordId}`, ...more }, { headers });
const page = async (query = '') => {
  const { status, body, text } = await server.get<Page>(`/v1/events${query}`);
  expect([status, text.slice(0, 300)]).toEqual([200, text.slice(0, 300)]);
  return body;
};
const recordsOf = ({ items }: Page) => items.map(({ recordId }) => recordId);
const readers = async (count: number) => {
  // Asking takes no turn of the event loop, but a store across the network needs one to answer.
  while (!(await server.get<string>('/metrics')).text.includes(`binding_ledger_event_readers ${count}\n`)) await nextTurn();
};
const refused = async (query: string, headers: Record<string, string> = {}) => {
  const { status, body } = await server.get(`/v1/events${query}`, { headers });
  return [status, body['code']];
};

describe('pages', () => {
  it('have the events of bindings as the ledger has them, and say where to go on', async () => {
    await bind('1', { 'x-correlation-id': 'job-1', 'x-on-behalf-of': 'somebody' }, { direction: 'import' });
    await bind('2');
    const first = await page('?after=start&limit=1');
    const { body: ofLedger } = await server.get<{ items: Json[] }>(`${L}/events`, { query: { after: '0' } });
    expect(first).toMatchObject({ items: [ofLedger.items[0]], caughtUp: false });
    expect(first.items[0]).toMatchObject({
      type: 'BindingCreated',
      backend: BACKEND,
      model: MODEL,
      recordId: '1',
      direction: 'import',
    });
    expect(first.items[0]).toMatchObject({ correlationId: 'job-1', onBehalfOf: 'somebody', actor: 'anonymous' });
    const second = await page(`?after=${encodeURIComponent(first.nextPosition)}`);
    expect(recordsOf(second)).toEqual(['2']);
    expect(second.caughtUp).toBe(true);
    expect(await page(`?after=${second.nextPosition}`)).toEqual({ items: [], nextPosition: second.nextPosition, caughtUp: true });
    // Wherever a position was given out, it is one to begin after.
    expect(recordsOf(await page(`?after=${String(first.items[0]?.['position'])}`))).toEqual(['2']);
    const { body: status } = await server.get(L);
    expect(recordsOf(await page(`?after=${String(status['headPosition'])}`))).toEqual([]);
  });

  it('begin with what is recorded from now on, when they are not told otherwise', async () => {
    await bind('1');
    const now = await page();
    expect(now).toMatchObject({ items: [], caughtUp: true });
    await bind('2');
    expect(recordsOf(await page(`?after=${now.nextPosition}`))).toEqual(['2']);
  });

  it('move on although nothing fits', async () => {
    await bind('1');
    const none = await page('?after=start&actor=nobody');
    expect(none.items).toEqual([]);
    expect(await page(`?after=${none.nextPosition}`)).toMatchObject({ items: [], caughtUp: true });
  });

  it('filter by what may come several times, and by several members', async () => {
    for (const recordId of ['1', '2', '3', '4']) await bind(recordId, { 'x-correlation-id': `c${recordId}` });
    await server.delete(`${L}/records/2`, { query: { cause: 'missingInBackend' } });
    const of = async (query: string) => recordsOf(await page(`?after=start&${query}`));
    expect(await of('recordId=1&recordId=3&recordId=4')).toEqual(['1', '3', '4']);
    expect(await of('recordId=1&recordId=2&type=BindingRemoved')).toEqual(['2']);
    expect(await of(`backend=${BACKEND}&model=${MODEL}&correlationId=c3`)).toEqual(['3']);
    expect(await of('backend=other&backend=another')).toEqual([]);
    expect(await of('cause=missingInBackend&cause=requested')).toEqual(['2']);
    expect(await of('direction=export')).toEqual([]);
  });

  it('need no read model', async () => {
    await bind('1');
    const opened = server.server.app.get<OpenedLedger>(OPENED_LEDGER);
    const away = vi.spyOn(opened.readModel, 'ledgerDocument').mockRejectedValue(new ReadModelError('UNAVAILABLE', 'away'));
    expect((await page('?after=start')).items).toMatchObject([{ recordId: '1', localModel: 'product' }]);
    away.mockRestore();
  });

  it('wait for the next event that fits, and no longer than they are told', async () => {
    const waiting = page('?wait=60000&recordId=2');
    await readers(1);
    await bind('1');
    await bind('2');
    expect(recordsOf(await waiting)).toEqual(['2']);
    await bind('3');
    const late = await page('?wait=1&recordId=none');
    expect(late).toMatchObject({ items: [], caughtUp: true });
    expect(recordsOf(await page(`?after=start&wait=60000`))).toEqual(['1', '2', '3']);
  });

  it('wait for no more than so many at once', async () => {
    const waiting = page('?wait=60000');
    await readers(1);
    const { status, body, headers } = await server.get('/v1/events?wait=1');
    expect([status, body['code'], body['retryable'], headers['retry-after']]).toEqual([503, 'BUSY', true, '1']);
    // One that does not wait is soon done.
    expect(recordsOf(await page('?after=start'))).toEqual([]);
    await bind('1');
    await waiting;
    expect(await page('?wait=1')).toMatchObject({ items: [] });
  });
});

describe('an event that this version does not know', () => {
  /** What a newer version beside this one would record. */
  async function bless(): Promise<void> {
    const { store, streams } = server.server.app.get<OpenedLedger>(OPENED_LEDGER);
    const stream = streams.ledger({ backend: BACKEND, model: MODEL });
    const event = { id: randomUUID(), type: 'BindingBlessed', data: {}, metadata: { schema: 1 } };
    expect(await store.append(stream, await store.headRevision(stream), [event])).toMatchObject({ ok: true });
  }

  it('is to be asked for later, by who waits for it as well as by who does not', async () => {
    const { nextPosition } = await page();
    const follow = vi.spyOn(server.server.app.get<OpenedLedger>(OPENED_LEDGER).ledger.feed, 'follow');
    const waiting = refused(`?wait=60000&after=${nextPosition}`);
    while (follow.mock.calls.length === 0) await nextTurn();
    await bless();
    expect(await waiting).toEqual([503, 'STORE_UNAVAILABLE']);
    expect(await refused(`?after=${nextPosition}`)).toEqual([503, 'STORE_UNAVAILABLE']);
  });
});

describe('a position', () => {
  it('that is not of this store, or lies beyond its end, is gone', async () => {
    await bind('1');
    const { nextPosition } = await page('?after=start');
    const other = await TestServer.start();
    await other.prepare();
    await other.post(`${L}/bindings`, { recordId: '1', externalId: '1' });
    const foreign = (await other.get<Page>('/v1/events?after=start')).body.nextPosition;
    await other.close();
    const raw = nextPosition.split('-')[0] as string;
    for (const after of [foreign, raw, '0', 'garbage', 'START', '-1', `${nextPosition}0`, '%00', "';DROP"]) {
      expect([after, ...(await refused(`?after=${encodeURIComponent(after)}`))]).toEqual([after, 410, 'POSITION_GONE']);
    }
    expect(await refused('', { accept: 'text/event-stream', 'last-event-id': foreign })).toEqual([410, 'POSITION_GONE']);
    expect(await refused(`?after=${foreign}`, { accept: 'text/event-stream' })).toEqual([410, 'POSITION_GONE']);
  });

  it('is asked for in vain while nothing was ever recorded', async () => {
    const empty = await TestServer.start();
    expect((await empty.get<Page>('/v1/events')).body).toEqual({ items: [], nextPosition: 'start', caughtUp: true });
    expect((await empty.get('/v1/events?after=0000000000000001-0123456789')).status).toBe(410);
    await empty.close();
  });
});

const MALFORMED = [
  '?after=',
  '?after=start&after=start',
  '?after=%FF',
  '?limit=0',
  '?limit=1001',
  '?wait=60001',
  '?wait=-1',
  '?type=LedgerOpened',
  '?type=BindingCreated&type=nonsense',
  '?cause=whim',
  '?direction=sideways',
  '?backend=A/b',
  '?backend=',
  '?model=%FF',
  '?actor=',
  `?correlationId=${'x'.repeat(201)}`,
  `?${Array.from({ length: 101 }, () => 'actor=a').join('&')}`,
  '?sort=asc',
  '?__proto__=1',
];

it('what no query can be is malformed', async () => {
  for (const query of MALFORMED) expect([query, ...(await refused(query))]).toEqual([query, 400, 'MALFORMED']);
});

it('an id that none can have is refused as an id, and a stream takes neither limit nor wait', async () => {
  expect(await refused('?recordId=')).toEqual([422, 'INVALID_ID']);
  const accept = { accept: 'Text/Event-Stream' };
  expect(await refused('?limit=10', accept)).toEqual([400, 'MALFORMED']);
  expect(await refused('?wait=10', accept)).toEqual([400, 'MALFORMED']);
});

it('a stream is not for who would rather have a page', async () => {
  for (const accept of ['text/event-stream;q=0', 'text/event-stream;q=0.5, application/json', '*/*']) {
    const { status, headers } = await server.get('/v1/events', { query: { after: 'start', limit: '1' }, headers: { accept } });
    expect([accept, status, headers['content-type']]).toEqual([accept, 200, 'application/json; charset=utf-8']);
  }
});
