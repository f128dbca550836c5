import { afterEach, beforeEach, expect, test } from 'vitest';
import { defineModel, done, startLedgerApplication, type LedgerApplication } from '../../../test/support/ledger-application.js';
import { BindCommand, BindingsOfRecordQuery, DeleteRecordCommand, OPENED_LEDGER, type OpenedLedger } from './index.js';

let application: LedgerApplication;
let opened: OpenedLedger;
const CONTEXT = { actor: 'test', correlationId: 'test' };

beforeEach(async () => {
  application = await startLedgerApplication({ backends: ['shop-1', 'shop-2', 'shop-3'], model: { cardinality: 'many' } });
  opened = application.app.get<OpenedLedger>(OPENED_LEDGER);
  await defineModel(application.commands, { model: 'shop.bundle' });
  await defineModel(application.commands, { model: 'shop.customer', localModel: 'partner' });
});
afterEach(() => application.app.close());

async function bind(backend: string, model: string, recordId: number, externalId: string): Promise<void> {
  done(await application.commands.execute(new BindCommand({ backend, model }, { recordId, externalId })));
}

async function deleteProduct(recordId: number) {
  const command = new DeleteRecordCommand({ localModel: 'product', recordId, reason: 'merged by hand' }, { actor: 'cleaner' });
  const { unbound, refused } = done(await application.commands.execute(command));
  const names = unbound.map(({ backend, model, externalId }) => `${backend}/${model}: ${externalId}`);
  return { unbound: names.toSorted(), refused: refused.map(({ ledger, code }) => `${ledger}: ${code}`) };
}

test('a deleted record is unbound everywhere, and nothing else is', async () => {
  await bind('shop-1', 'shop.product', 7, 'A');
  await bind('shop-1', 'shop.product', 7, 'B');
  await bind('shop-1', 'shop.bundle', 7, 'C');
  await bind('shop-2', 'shop.product', 7, 'A');
  await bind('shop-2', 'shop.product', 8, 'other record');
  await bind('shop-2', 'shop.customer', 7, 'other local model');
  expect(await deleteProduct(7)).toEqual({
    unbound: ['shop-1/shop.bundle: C', 'shop-1/shop.product: A', 'shop-1/shop.product: B', 'shop-2/shop.product: A'],
    refused: [],
  });
  expect(await deleteProduct(7)).toEqual({ unbound: [], refused: [] });
  const head = { atLeast: 'head' } as const;
  expect(await opened.queries.toInternal({ backend: 'shop-2', model: 'shop.product' }, 'other record', head)).toMatchObject({
    recordId: '8',
  });
  expect(await opened.queries.toInternal({ backend: 'shop-2', model: 'shop.customer' }, 'other local model', head)).toMatchObject(
    { recordId: '7' },
  );
});

test('its events say why', async () => {
  await bind('shop-1', 'shop.product', 7, 'A');
  await deleteProduct(7);
  await opened.queries.await({ backend: 'shop-1', model: 'shop.product' }, { atLeast: 'head' });
  const former = await application.queries.execute(new BindingsOfRecordQuery({ localModel: 'product', recordId: 7 }, true));
  expect(former).toMatchObject([{ state: 'unbound', cause: 'recordDeleted', reason: 'merged by hand' }]);
});

test('what a paused ledger refuses is named, and done by a repetition', async () => {
  await bind('shop-1', 'shop.product', 7, 'A');
  await bind('shop-2', 'shop.product', 7, 'B');
  done(await opened.backends.pause('shop-2', CONTEXT));
  expect(await deleteProduct(7)).toEqual({
    unbound: ['shop-1/shop.product: A'],
    refused: ['shop-2/shop.product: BACKEND_PAUSED'],
  });
  done(await opened.backends.resume('shop-2', CONTEXT));
  expect(await deleteProduct(7)).toEqual({ unbound: ['shop-2/shop.product: B'], refused: [] });
});

test('ledgers of a retired backend are no hindrance', async () => {
  await bind('shop-1', 'shop.product', 7, 'A');
  await bind('shop-3', 'shop.product', 8, 'B');
  expect(await deleteProduct(8)).toMatchObject({ unbound: ['shop-3/shop.product: B'] });
  done(await opened.backends.retire('shop-3', CONTEXT));
  expect(await deleteProduct(7)).toEqual({ unbound: ['shop-1/shop.product: A'], refused: [] });
});

test('a record that is bound nowhere, and a local model that nobody binds', async () => {
  await bind('shop-1', 'shop.product', 7, 'A');
  expect(await deleteProduct(9)).toEqual({ unbound: [], refused: [] });
  const nothing = new DeleteRecordCommand({ localModel: 'invoice', recordId: 1 });
  expect(await application.commands.execute(nothing)).toEqual({ unbound: [], refused: [], revisions: [] });
  expect(await application.commands.execute(new DeleteRecordCommand({ localModel: 'product', recordId: '' }))).toMatchObject({
    refused: 'INVALID_ID',
  });
});
