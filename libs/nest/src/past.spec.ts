import { afterAll, beforeAll, expect, test } from 'vitest';
import { done, PRODUCTS, startLedgerApplication, type LedgerApplication } from '../../../test/support/ledger-application.js';
import {
  BindCommand,
  BindingsOfRecordAsOfQuery,
  HistoryQuery,
  MoveCommand,
  RecordHistoryQuery,
  ToExternalAsOfQuery,
  ToInternalAsOfQuery,
  UnbindCommand,
  type AsOfInput,
  type HistoryInput,
} from './index.js';

let application: LedgerApplication;
const HEAD = { atLeast: 'head' } as const;

beforeAll(async () => {
  application = await startLedgerApplication();
  done(await application.commands.execute(new BindCommand(PRODUCTS, { recordId: 1, externalId: 'A', syncDate: null })));
  done(await application.commands.execute(new MoveCommand(PRODUCTS, { fromRecordId: 1, toRecordId: 2 })));
  done(await application.commands.execute(new UnbindCommand(PRODUCTS, { externalId: 'A', reason: 'sold' })));
});
afterAll(() => application.app.close());

const history = async (of: HistoryInput) => application.queries.execute(new HistoryQuery(PRODUCTS, of, {}, HEAD));
const toInternal = (asOf: AsOfInput) => application.queries.execute(new ToInternalAsOfQuery(PRODUCTS, 'A', asOf, HEAD));

test('the history of a record, an external id and a binding', async () => {
  const { items } = done(await history({ externalId: 'A' }));
  expect(items.map(({ type }) => type)).toEqual(['BindingCreated', 'BindingMoved', 'BindingRemoved']);
  expect(items[2]).toMatchObject({ reason: 'sold', previousState: 'bound', revision: 3 });
  expect(done(await history({ recordId: 1 })).items.map(({ revision }) => revision)).toEqual([1, 2]);
  const bindingId = (items[0] as { bindingId?: string }).bindingId ?? '';
  expect(done(await history({ bindingId })).items).toEqual(items);
  expect(await history({ bindingId: 'none' })).toMatchObject({ refused: 'BINDING_NOT_FOUND' });
  const record = { localModel: 'product', recordId: 2 };
  const across = done(await application.queries.execute(new RecordHistoryQuery(record, { limit: 1 })));
  expect(across.items.map(({ revision }) => revision)).toEqual([2]);
  const rest = done(await application.queries.execute(new RecordHistoryQuery(record, { cursor: across.nextCursor ?? '' })));
  expect(rest.items.map(({ revision }) => revision)).toEqual([3]);
});

test('lookups as of a revision, and of an instant before everything', async () => {
  expect(await toInternal({ revision: 1 })).toMatchObject({ recordId: '1', state: 'bound', asOf: { revision: 1 } });
  expect(await toInternal({ revision: 2 })).toMatchObject({ recordId: '2', state: 'bound', asOf: { revision: 2 } });
  expect(await toInternal({ revision: 3 })).toMatchObject({ refused: 'NOT_BOUND' });
  expect(await toInternal(new Date(0))).toMatchObject({ refused: 'NOT_BOUND', details: { asOf: { revision: -1, at: null } } });
  const toExternal = new ToExternalAsOfQuery(PRODUCTS, 2, { revision: 2 });
  expect(await application.queries.execute(toExternal)).toMatchObject({ externalId: 'A' });
  const before = new BindingsOfRecordAsOfQuery({ localModel: 'product', recordId: 1 }, '1999-01-01T00:00:00Z');
  expect(await application.queries.execute(before)).toMatchObject({ items: [], asOf: { at: '1999-01-01T00:00:00.000Z' } });
});

test('what is no moment, no key or no page is refused', async () => {
  for (const asOf of [{ revision: -2 }, { revision: 1.5 }, { revision: 99 }, 'yesterday', new Date(NaN), new Date()])
    expect(await toInternal(asOf)).toMatchObject({ refused: 'MALFORMED' });
  expect(await history({ recordId: '' })).toHaveProperty('refused');
  expect(await history({ recordId: 1, externalId: 'A' } as HistoryInput)).toMatchObject({ refused: 'MALFORMED' });
  const page = new HistoryQuery(PRODUCTS, { recordId: 1 }, { limit: 1_001 });
  expect(await application.queries.execute(page)).toMatchObject({ refused: 'MALFORMED' });
});
