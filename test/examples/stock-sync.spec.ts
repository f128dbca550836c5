import { Test } from '@nestjs/testing';
import { expect, test } from 'vitest';
import type { LocatedBinding } from '#nest';
import { openLedger } from '#runtime';
import { AppModule } from '../../examples/stock-sync/app.module.js';
import { LocalProducts } from '../../examples/stock-sync/local-products.js';
import { main } from '../../examples/stock-sync/main.js';
import { MONDAY } from '../../examples/stock-sync/shop-feed.js';
import { PRODUCT_MODEL, SHOP, StockSyncJob } from '../../examples/stock-sync/stock-sync.job.js';
import { temporaryFolders } from '../support/temporary-folders.js';
import { STOCK_SYNC_OUTPUT } from './stock-sync-output.js';

const newFolder = temporaryFolders();
const LEDGER = { backend: SHOP, model: PRODUCT_MODEL };

test('the stock sync example imports two days, and tells what happens as it happens', async () => {
  const lines: string[] = [];
  const config = { data: newFolder(), threads: 'none' } as const;
  await main(config, (line) => lines.push(line));
  expect(lines).toEqual(STOCK_SYNC_OUTPUT);
  // The application has closed the folder: it can be opened again, and everything is there.
  const reopened = await openLedger(config);
  try {
    const { items } = (await reopened.queries.list(LEDGER, {}, { limit: 10 }, { atLeast: 'head' })) as {
      items: LocatedBinding[];
    };
    const kept = items.map(({ externalId, recordId, syncDate, data }) => [externalId, recordId, syncDate, data['stock']]);
    expect(kept).toEqual([
      ['MUG-RED', '101', '2025-06-03T06:00:00.000Z', 9],
      ['0', '103', '2025-05-01T00:00:00.000Z', 999],
      ['TEAPOT/1L', '104', '2025-06-01T16:30:00.000Z', 4],
      ['TRAY', '105', '2025-06-03T05:45:00.000Z', 20],
    ]);
    expect(await reopened.queries.status(LEDGER)).toMatchObject({ state: 'open', live: 4, unbound: 1 });
  } finally {
    await reopened.close();
  }
});

test('four runs at once make no product and no binding twice', async () => {
  const app = await Test.createTestingModule({ imports: [AppModule.with({ data: ':memory:' }, () => undefined)] }).compile();
  try {
    await app.init();
    const job = app.get(StockSyncJob);
    const reports = await Promise.all([1, 2, 3, 4].map(() => job.run(MONDAY)));
    expect(reports.reduce((sum, { created }) => sum + created, 0)).toBe(MONDAY.length);
    expect(reports.reduce((sum, { unchanged }) => sum + unchanged, 0)).toBe(3 * MONDAY.length);
    const names = app
      .get(LocalProducts)
      .all()
      .map(({ name }) => name);
    expect(names.toSorted()).toEqual(MONDAY.map(({ title }) => title).toSorted());
  } finally {
    await app.close();
  }
});
