import { Inject, Injectable, Module } from '@nestjs/common';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  defineModel,
  done,
  PRODUCTS,
  startLedgerApplication,
  type LedgerApplication,
} from '../../../test/support/ledger-application.js';
import {
  BindCommand,
  Binder,
  Binders,
  binderToken,
  BindingLedgerModule,
  InjectBinder,
  isLedgerError,
  LedgerError,
  LedgerService,
  OPENED_LEDGER,
  UnbindCommand,
  type LocatedBinding,
  type OpenedLedger,
} from './index.js';

@Injectable()
class Job {
  constructor(
    @InjectBinder(PRODUCTS.model, PRODUCTS.backend) readonly binder: Binder,
    @InjectBinder(PRODUCTS.model) readonly binders: Binders,
    @Inject(OPENED_LEDGER) readonly opened: OpenedLedger,
  ) {}
}

@Module({ imports: [BindingLedgerModule.forFeature([PRODUCTS, { model: PRODUCTS.model }])], providers: [Job] })
class JobModule {}

let application: LedgerApplication;
let job: Job;
let binder: Binder;

beforeAll(async () => {
  application = await startLedgerApplication({ imports: [JobModule], backends: ['shop-1', 'shop-2'] });
  job = application.app.get(Job);
  binder = job.binder;
});
afterAll(() => application.app.close());

async function pending(recordId: string): Promise<LocatedBinding> {
  return done(await application.commands.execute(new BindCommand(PRODUCTS, { recordId }))).binding;
}

test('bind, and what its own lookups then see', async () => {
  const { outcome, binding } = await binder.bind(0, 100, { data: { a: 1 }, direction: 'import', reason: 'first' });
  expect([outcome, binding.externalId, binding.recordId, binding.data]).toEqual(['created', '0', '100', { a: 1 }]);
  expect(await binder.toInternal(0)).toEqual(binding);
  expect(await binder.toInternal('0', { unwrap: true })).toBe('100');
  expect(await binder.toExternal(binding.id)).toBe('0');
  expect(await binder.toExternal(100, { wrap: true })).toBe('0');
  expect(await binder.unwrapBinding(binding.id)).toBe('100');
  const again = await binder.bind('0', 100, { syncDate: '2020-01-01T00:00:00Z' });
  expect([again.outcome, again.binding.id]).toEqual(['unchanged', binding.id]);
});

test('what is not bound is undefined', async () => {
  expect(await binder.toInternal('nobody')).toBeUndefined();
  expect(await binder.toInternal('nobody', { unwrap: true })).toBeUndefined();
  expect(await binder.toExternal('nobody')).toBeUndefined();
  expect(await binder.toExternal('nobody', { wrap: true })).toBeUndefined();
  await expect(binder.unwrapBinding('nobody')).rejects.toMatchObject({ code: 'BINDING_NOT_FOUND' });
});

test('a pending binding has no external id until it is bound, by itself', async () => {
  const binding = await pending('p1');
  expect(await binder.toExternal(binding)).toBeUndefined();
  expect(await binder.toExternal('p1', { wrap: true, atLeast: 'head' })).toBeUndefined();
  const bound = await binder.bind('P1', binding, { expectedVersion: 1 });
  expect([bound.outcome, bound.binding.id]).toEqual(['assigned', binding.id]);
  expect(await binder.toExternal(bound.binding)).toBe('P1');
});

test('a former binding is found by its id alone', async () => {
  const { binding } = await binder.bind('F1', 'f1');
  const unbound = done(await application.commands.execute(new UnbindCommand(PRODUCTS, { bindingId: binding.id })));
  const head = { atLeast: unbound.revision };
  expect(await binder.toInternal('F1', head)).toBeUndefined();
  expect(await binder.toExternal(binding.id, head)).toBeUndefined();
  expect(await binder.unwrapBinding(binding.id, head)).toBe('f1');
});

test('refusals are thrown, with what the ledger said', async () => {
  const { binding } = await binder.bind('T1', 't1');
  const error: unknown = await binder.bind('T1', 't2').catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(LedgerError);
  expect(error).toMatchObject({
    code: 'EXTERNAL_ID_TAKEN',
    retryable: false,
    problem: { holder: { id: binding.id, recordId: 't1' } },
  });
  expect([isLedgerError(error), isLedgerError(error, 'EXTERNAL_ID_TAKEN'), isLedgerError(error, 'BUSY')]).toEqual([
    true,
    true,
    false,
  ]);
  await expect(binder.bind('', 't3')).rejects.toMatchObject({ code: 'INVALID_ID' });
  await expect(binder.toInternal(false as unknown as string)).rejects.toMatchObject({ code: 'INVALID_ID' });
  await expect(binder.lookup({ externalIds: [''] })).rejects.toMatchObject({ code: 'INVALID_ID' });
  await expect(binder.toInternal('x', { atLeast: 1e9, atLeastTimeoutMs: 1 })).rejects.toMatchObject({
    code: 'NOT_YET_PROJECTED',
    retryable: true,
  });
});

test('of fifty that bind one external id at once, one wins and the others get its binding', async () => {
  const records = Array.from({ length: 50 }, (_, index) => `race-${index}`);
  const answers = await Promise.all(records.map((record) => binder.bind('RACE', record, { ifTaken: 'return' })));
  const winners = answers.filter(({ outcome }) => outcome === 'created');
  expect(winners).toHaveLength(1);
  expect(answers.filter(({ outcome }) => outcome === 'taken')).toHaveLength(49);
  expect(new Set(answers.map(({ binding }) => binding.id))).toEqual(new Set([winners[0]?.binding.id]));
  expect(await binder.toInternal('RACE')).toEqual(winners[0]?.binding);
});

test('without `ifTaken`, the losers of a race are refused, naming the winner', async () => {
  const records = Array.from({ length: 10 }, (_, index) => `strict-${index}`);
  const results = await Promise.allSettled(records.map((record) => binder.bind('STRICT', record)));
  const winner = await binder.toInternal('STRICT', { unwrap: true });
  const holders = results.flatMap((result) =>
    result.status === 'rejected' ? [(result.reason as LedgerError).problem.holder?.recordId] : [],
  );
  expect(holders).toEqual(Array.from({ length: 9 }, () => winner));
});

test('lookup in bulk', async () => {
  const first = await binder.bind('L1', 'l1');
  const second = await binder.bind('L2', 'l2');
  const byExternalId = await binder.lookup({ externalIds: ['L1', 'L2', 'L3'] });
  expect(byExternalId).toEqual({ found: { L1: [first.binding], L2: [second.binding] }, missing: ['L3'] });
  expect(await binder.lookup({ recordIds: ['l2'] })).toEqual({ found: { l2: [second.binding] }, missing: [] });
});

test('unwrapping the model', async () => {
  expect(await binder.unwrapModel()).toBe('product');
  await defineModel(application.commands, { model: 'shop.setting', localModel: null });
  const service = application.app.get(LedgerService);
  const unlocal = new Binder(service, { backend: 'shop-1', model: 'shop.setting' });
  await expect(unlocal.unwrapModel()).rejects.toMatchObject({ code: 'NO_LOCAL_MODEL', retryable: false });
  const unknown = new Binder(service, { backend: 'shop-1', model: 'no.such' });
  await expect(unknown.unwrapModel()).rejects.toMatchObject({ code: 'MODEL_NOT_FOUND' });
});

test('binders of a model serve the backend that a job is given', async () => {
  await job.binders.on('shop-1').bind('M', 'm1');
  await job.binders.on('shop-2').bind('M', 'm2');
  expect(await job.binders.on('shop-2').toInternal('M', { unwrap: true, atLeast: 'head' })).toBe('m2');
  expect(await binder.toInternal('M', { unwrap: true, atLeast: 'head' })).toBe('m1');
});

test('a binder names who asks', async () => {
  const { revision } = await binder.bind('W', 'w', { actor: 'night-job', correlationId: 'c-9', idempotencyKey: 'k-9' });
  const events = await job.opened.queries.events(PRODUCTS, { after: revision - 1, limit: 1 });
  expect(events).toMatchObject([{ actor: 'night-job', correlationId: 'c-9' }]);
});

test('names that are none are refused when the application is put together', () => {
  expect(() => BindingLedgerModule.forFeature([{ model: 'Shop/Product' }])).toThrow(/forFeature: a name begins with/);
  expect(() => BindingLedgerModule.forFeature([{ model: 'shop.product', backend: '' }])).toThrow(
    /forFeature: a name begins with/,
  );
  expect(binderToken('m', 'b')).not.toBe(binderToken('m'));
});
