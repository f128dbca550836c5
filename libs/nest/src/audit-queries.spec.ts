import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { done, PRODUCTS, startLedgerApplication, type LedgerApplication } from '../../../test/support/ledger-application.js';
import { BindCommand } from './commands.js';
import { LedgerDigestQuery, LedgerDigestsQuery, VerifyLedgerQuery } from './queries.js';

const NAME = `${PRODUCTS.backend}/${PRODUCTS.model}`;
let application: LedgerApplication;
beforeAll(async () => {
  application = await startLedgerApplication();
  for (let n = 0; n < 20; n += 1)
    done(await application.commands.execute(new BindCommand(PRODUCTS, { recordId: n, externalId: `e${n}` })));
});
afterAll(() => application.app.close());

const ask = (query: VerifyLedgerQuery) => application.queries.execute(query);

describe('the queries of an audit', () => {
  it('keep a digest, and verify against it', async () => {
    const digest = done(await application.queries.execute(new LedgerDigestQuery(PRODUCTS)));
    expect(digest).toMatchObject({ ledger: NAME, revision: 20 });
    expect(await application.queries.execute(new LedgerDigestsQuery())).toEqual({ items: [digest], nextCursor: null });
    expect(await ask(new VerifyLedgerQuery(PRODUCTS, { digest }))).toMatchObject({
      ok: true,
      readModel: { ok: true, compared: 20 },
    });
    const other = { revision: 7, hash: '0'.repeat(64) };
    expect(await ask(new VerifyLedgerQuery(PRODUCTS, { digest: other }))).toMatchObject({ ok: false, firstBad: { revision: 7 } });
  });

  it('refuse what is no ledger, no page, and a second verification at the same time', async () => {
    expect(await ask(new VerifyLedgerQuery({ backend: 'none', model: PRODUCTS.model }))).toMatchObject({
      refused: 'BACKEND_NOT_FOUND',
    });
    expect(await ask(new VerifyLedgerQuery({ backend: '../x', model: '' }))).toMatchObject({ refused: 'MALFORMED' });
    expect(await application.queries.execute(new LedgerDigestsQuery({ limit: 0 }))).toMatchObject({ refused: 'MALFORMED' });
    const both = await Promise.all([ask(new VerifyLedgerQuery(PRODUCTS)), ask(new VerifyLedgerQuery(PRODUCTS))]);
    expect(both).toEqual([expect.objectContaining({ ok: true }), expect.objectContaining({ refused: 'BUSY' })]);
  });

  it('end when they are told to, and the next verification can begin', async () => {
    const ended = AbortSignal.abort(new Error('told to'));
    await expect(ask(new VerifyLedgerQuery(PRODUCTS, { signal: ended }))).rejects.toThrow('told to');
    expect(await ask(new VerifyLedgerQuery(PRODUCTS))).toMatchObject({ ok: true });
  });
});
