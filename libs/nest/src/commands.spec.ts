import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  defineModel,
  done,
  PRODUCTS,
  startLedgerApplication,
  type LedgerApplication,
} from '../../../test/support/ledger-application.js';
import {
  AtomicBatchCommand,
  BindCommand,
  ChangeDataCommand,
  DefineBackendTypeCommand,
  DefineModelCommand,
  FindBindingQuery,
  LedgerStatusQuery,
  MAX_ATOMIC_COMMANDS,
  MoveCommand,
  OPENED_LEDGER,
  RegisterBackendCommand,
  SyncCommand,
  UnbindCommand,
  type BindInput,
  type CommandInput,
  type EventView,
  type OpenedLedger,
} from './index.js';

let application: LedgerApplication;
beforeAll(async () => {
  application = await startLedgerApplication();
});
afterAll(() => application.app.close());

const bind = (input: BindInput) => application.commands.execute(new BindCommand(PRODUCTS, input));

test('bind, sync, change, move and unbind answer what they came to', async () => {
  const bound = done(
    await bind({ recordId: 1, externalId: 0, syncDate: new Date('2025-03-03T09:30:00+01:00'), data: { group: 'a' } }),
  );
  const { id } = bound.binding;
  expect(bound).toMatchObject({
    outcome: 'created',
    binding: {
      backend: 'shop-1',
      model: 'shop.product',
      localModel: 'product',
      recordId: '1',
      externalId: '0',
      syncDate: '2025-03-03T08:30:00.000Z',
    },
  });
  const synced = done(
    await application.commands.execute(new SyncCommand(PRODUCTS, { externalId: 0, syncDate: '2025-03-04T00:00:00Z' })),
  );
  expect(synced).toMatchObject({ outcome: 'synced', binding: { id, version: 2 }, revision: bound.revision + 1 });
  const changed = done(
    await application.commands.execute(new ChangeDataCommand(PRODUCTS, { bindingId: id, data: { group: null, size: 3 } })),
  );
  expect(changed).toMatchObject({ outcome: 'changed', binding: { data: { size: 3 } } });
  const moved = done(await application.commands.execute(new MoveCommand(PRODUCTS, { fromRecordId: 1, toRecordId: 2 })));
  expect(moved).toMatchObject({ outcome: 'moved', bindings: [{ id, recordId: '2' }] });
  const unbound = done(
    await application.commands.execute(new UnbindCommand(PRODUCTS, { recordId: 2, cause: 'missingInBackend' })),
  );
  expect(unbound).toMatchObject({ outcome: 'unbound', binding: { id, state: 'unbound', cause: 'missingInBackend' } });
  expect(done(await application.commands.execute(new UnbindCommand(PRODUCTS, { recordId: 2 })))).toMatchObject({
    outcome: 'unchanged',
    binding: null,
  });
  expect(done(await application.commands.execute(new MoveCommand(PRODUCTS, { fromRecordId: 2, toRecordId: 3 })))).toMatchObject({
    outcome: 'unchanged',
    bindings: [],
  });
});

test('a refusal is a value, and names the binding in the way', async () => {
  const { binding } = done(await bind({ recordId: 'a', externalId: 'A' }));
  const taken = await bind({ recordId: 'b', externalId: 'A' });
  expect(taken).toMatchObject({ refused: 'EXTERNAL_ID_TAKEN', holder: { id: binding.id, recordId: 'a', backend: 'shop-1' } });
  expect(await bind({ recordId: 'a', externalId: 'B' })).toMatchObject({
    refused: 'RECORD_ALREADY_BOUND',
    holder: { id: binding.id },
  });
});

test.each<[string, unknown, string]>([
  ['an empty external id', { recordId: 'x', externalId: '' }, 'INVALID_ID'],
  ['`false` as an external id', { recordId: 'x', externalId: false }, 'INVALID_ID'],
  ['`null` as an external id', { recordId: 'x', externalId: null }, 'INVALID_ID'],
  ['`NaN` as a record id', { recordId: NaN, externalId: 'x' }, 'INVALID_ID'],
  ['a fraction as a record id', { recordId: 1.5, externalId: 'x' }, 'INVALID_ID'],
  ['a date without zone', { recordId: 'x', externalId: 'x', syncDate: '2025-03-03T00:00:00' }, 'INVALID_SYNC_DATE'],
  ['an invalid `Date`', { recordId: 'x', externalId: 'x', syncDate: new Date('tomorrow') }, 'INVALID_SYNC_DATE'],
  ['a date far ahead', { recordId: 'x', externalId: 'x', syncDate: '9999-01-01T00:00:00Z' }, 'INVALID_SYNC_DATE'],
  ['data that is a list', { recordId: 'x', externalId: 'x', data: [] }, 'INVALID_DATA'],
  ['an unknown field', { recordId: 'x', externalID: 'x' }, 'MALFORMED'],
  ['no record', { externalId: 'x' }, 'MALFORMED'],
  ['nothing at all', undefined, 'MALFORMED'],
])('a bind with %s is refused, and changes nothing', async (_what, input, code) => {
  const before = await application.queries.execute(new LedgerStatusQuery(PRODUCTS));
  expect(await bind(input as BindInput)).toMatchObject({ refused: code });
  expect(done(await application.queries.execute(new LedgerStatusQuery(PRODUCTS))).headRevision).toBe(done(before).headRevision);
});

test.each([
  [{ backend: 'shop-1', model: 'no.such' }, 'MODEL_NOT_FOUND'],
  [{ backend: 'shop-9', model: PRODUCTS.model }, 'BACKEND_NOT_FOUND'],
  [{ backend: 'Shop/1', model: PRODUCTS.model }, 'MALFORMED'],
])('a ledger that cannot be is refused: %j', async (ledger, code) => {
  expect(await application.commands.execute(new BindCommand(ledger, { recordId: 'x', externalId: 'x' }))).toMatchObject({
    refused: code,
  });
});

test('the actor of the command, else that of the module, and its correlation stand in the event', async () => {
  const context = { actor: 'night-job', onBehalfOf: 'ann', correlationId: 'c-1', causationId: 'e-7' };
  const named = done(
    await application.commands.execute(new BindCommand(PRODUCTS, { recordId: 'who', externalId: 'who' }, context)),
  );
  const unnamed = done(await bind({ recordId: 'nobody', externalId: 'nobody' }));
  const { queries } = application.app.get<OpenedLedger>(OPENED_LEDGER);
  const eventAt = async (revision: number) => (await queries.events(PRODUCTS, { after: revision - 1, limit: 1 })) as EventView[];
  expect(await eventAt(named.revision)).toMatchObject([context]);
  expect(await eventAt(unnamed.revision)).toMatchObject([
    { actor: 'application', correlationId: expect.stringMatching(/^[0-9a-f-]{36}$/) },
  ]);
  expect(await application.commands.execute(new BindCommand(PRODUCTS, { recordId: 'z' }, { actor: '' }))).toMatchObject({
    refused: 'MALFORMED',
  });
});

test('the same idempotency key gives the first answer again', async () => {
  const input = { recordId: 'once', externalId: 'once', key: 'k1' };
  const first = done(await bind(input));
  expect(await bind(input)).toEqual(first);
  expect(await bind({ ...input, externalId: 'twice' })).toMatchObject({ refused: 'IDEMPOTENCY_KEY_REUSED' });
});

test('an atomic batch is done as a whole, or not at all', async () => {
  const batch = (inputs: CommandInput[]) => application.commands.execute(new AtomicBatchCommand(PRODUCTS, inputs));
  const answers = done(
    await batch([
      { op: 'bind', recordId: 'p', externalId: 'P' },
      { op: 'sync', externalId: 'P', syncDate: new Date('2025-01-01T00:00:00Z'), force: true },
    ]),
  );
  expect(answers).toMatchObject([{ outcome: 'created' }, { outcome: 'synced' }]);
  const refused = await batch([
    { op: 'bind', recordId: 'q', externalId: 'Q' },
    { op: 'bind', recordId: 'r', externalId: 'P' },
  ]);
  expect(refused).toMatchObject({
    refused: 'BATCH_REFUSED',
    details: { refusals: expect.arrayContaining([expect.objectContaining({ line: 2, code: 'EXTERNAL_ID_TAKEN' })]) },
  });
  const malformed = await batch([
    { op: 'bind', recordId: 'q', externalId: 'Q' },
    { op: 'bind', recordId: '', externalId: 'R' },
  ]);
  expect(malformed).toMatchObject({ refused: 'BATCH_REFUSED', details: { refusals: [{ line: 2, code: 'INVALID_ID' }] } });
  expect(done(await bind({ recordId: 'q', externalId: 'Q' })).outcome).toBe('created');
  const tooMany = Array.from({ length: MAX_ATOMIC_COMMANDS + 1 }, (_, index): CommandInput => ({ op: 'bind', recordId: index }));
  expect(await batch(tooMany)).toMatchObject({ refused: 'TOO_LARGE' });
});

test('definitions may be put again, and what is wrong with them is refused', async () => {
  await defineModel(application.commands, { model: PRODUCTS.model });
  expect(await application.commands.execute(new DefineBackendTypeCommand({ type: 'shop' }))).toMatchObject({
    outcome: 'unchanged',
  });
  expect(
    await application.commands.execute(new DefineModelCommand({ model: 'm', backendType: 'none', localModel: null })),
  ).toMatchObject({ refused: 'BACKEND_TYPE_NOT_FOUND' });
  const twice = new RegisterBackendCommand({ id: 'shop-1', type: 'shop', location: 'https://shop.example.org' });
  expect(await application.commands.execute(twice)).toMatchObject({ refused: 'BACKEND_EXISTS' });
  const shapeless = { id: 'shop-2', type: 'shop', location: 7 } as unknown as typeof twice.definition;
  expect(await application.commands.execute(new RegisterBackendCommand(shapeless))).toMatchObject({ refused: 'MALFORMED' });
});

test('what a command answered can be read at its revision', async () => {
  const { binding, revision } = done(await bind({ recordId: 'read', externalId: 'read' }));
  const found = await application.queries.execute(new FindBindingQuery(PRODUCTS, binding.id, { atLeast: revision }));
  expect(found).toEqual(binding);
});
