import { describe, expect, it } from 'vitest';
import { isRefusal } from '#domain';
import { eventsQuery, listQuery, parseListQuery, readQuery, recordBindingsQuery } from './index.js';

describe('a query of a listing', () => {
  it('takes filters, data fields and a page', () => {
    const query = {
      recordId: '7',
      state: 'bound',
      syncedBefore: '2026-03-03T09:30:00+01:00',
      'data.group': 'retail',
      'data.level': '3',
      limit: '1000',
      atLeast: 'head',
    };
    expect(parseListQuery(query)).toEqual({
      recordId: '7',
      state: 'bound',
      syncedBefore: '2026-03-03T08:30:00.000Z',
      limit: 1_000,
      atLeast: 'head',
      data: { group: 'retail', level: '3' },
    });
  });

  it.each<[Record<string, unknown>, string]>([
    [{ limit: '0' }, 'MALFORMED'],
    [{ limit: '1001' }, 'MALFORMED'],
    [{ limit: 'many' }, 'MALFORMED'],
    [{ limit: ['1', '2'] }, 'MALFORMED'],
    [{ cursor: '' }, 'MALFORMED'],
    [{ colour: 'red' }, 'MALFORMED'],
    [{ state: 'live' }, 'MALFORMED'],
    [{ syncedAfter: 'yesterday' }, 'MALFORMED'],
    [{ createdBefore: null }, 'MALFORMED'],
    [{ recordId: '' }, 'INVALID_ID'],
    [{ externalId: '..' }, 'INVALID_ID'],
    [{ 'data.': 'x' }, 'MALFORMED'],
    [{ 'data.group': ['a', 'b'] }, 'MALFORMED'],
    [{ atLeast: '-2' }, 'MALFORMED'],
    [{ atLeast: '-01' }, 'MALFORMED'],
    [{ asOf: 'revision:-2' }, 'MALFORMED'],
    [{ atLeast: 'tail' }, 'MALFORMED'],
    [{ timeout: '60001' }, 'MALFORMED'],
  ])('%j is refused', (query, code) => {
    const parsed = parseListQuery(query);
    expect(isRefusal(parsed) ? parsed.refused : 'admitted').toBe(code);
  });
});

describe('other queries', () => {
  it('read counts as numbers', () => {
    expect(eventsQuery.parse({ after: '-1', limit: '5', wait: '100' })).toEqual({ after: -1, limit: 5, wait: 100 });
    expect(readQuery.parse({ atLeast: '17', timeout: '0' })).toEqual({ atLeast: 17, timeout: 0 });
  });

  it('read the revision of a ledger without events as any other', () => {
    expect(readQuery.parse({ atLeast: '-1' })).toEqual({ atLeast: -1 });
    expect(recordBindingsQuery.parse({ atLeast: 'b1/m3@-1' })).toEqual({
      atLeast: [{ backend: 'b1', model: 'm3', revision: -1 }],
    });
    expect(listQuery.parse({ asOf: 'revision:-1' })).toEqual({ asOf: { revision: -1 } });
  });

  it('read revisions of several ledgers', () => {
    const parsed = recordBindingsQuery.parse({
      atLeast: 'magento/magento.res.partner@17,shop-2/shop.country@4',
      includeUnbound: 'true',
    });
    expect(parsed).toEqual({
      includeUnbound: true,
      atLeast: [
        { backend: 'magento', model: 'magento.res.partner', revision: 17 },
        { backend: 'shop-2', model: 'shop.country', revision: 4 },
      ],
    });
  });

  it.each(['', 'head', 'magento@1', 'magento/x', 'magento/x@-2', 'Magento/x@1', 'magento/x@1,', `${'a/b@1,'.repeat(100)}a/b@1`])(
    'refuse %j as revisions of ledgers',
    (atLeast) => {
      expect(recordBindingsQuery.safeParse({ atLeast }).success).toBe(false);
    },
  );
});
