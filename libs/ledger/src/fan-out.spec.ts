import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LedgerName } from '#domain';
import {
  CONTEXT,
  ORDERS,
  PARTNERS,
  World,
  bind,
  done,
  refusedAs,
  setUp,
  type Process,
} from '../../../test/support/control/world.js';

let world: World;
let here: Process;
beforeEach(async () => {
  world = await World.open('test.');
  here = world.process();
  await setUp(here);
});
afterEach(() => world.close());

const backends = () => here.plane.backends;
const bound = (ledger: LedgerName, recordId: string) => bind(here, ledger, { recordId, externalId: `x-${recordId}` });
const typesIn = async (ledger: LedgerName) => (await here.ledgers.events(ledger)).map(({ type }) => type);

describe('pause and resume', () => {
  it('reach every ledger of the backend, and no other', async () => {
    await done(backends().register({ id: 'paris', type: 'shop', location: 'https://paris.example.com' }, CONTEXT));
    const paris = { ...PARTNERS, backend: 'paris' };
    for (const ledger of [PARTNERS, ORDERS, paris]) await bound(ledger, '1');
    expect(await done(backends().pause('berlin', CONTEXT))).toMatchObject({ outcome: 'changed', backend: { state: 'paused' } });
    expect(await refusedAs(bound(PARTNERS, '2'))).toBe('BACKEND_PAUSED');
    expect(await refusedAs(bound(ORDERS, '2'))).toBe('BACKEND_PAUSED');
    expect(await refusedAs(bound(paris, '2'))).toBe('done');
    expect(await done(backends().resume('berlin', CONTEXT))).toMatchObject({ outcome: 'changed', backend: { state: 'active' } });
    for (const ledger of [PARTNERS, ORDERS]) expect(await refusedAs(bound(ledger, '2'))).toBe('done');
    expect(await typesIn(PARTNERS)).toEqual([
      'LedgerOpened',
      'BindingCreated',
      'LedgerPaused',
      'LedgerResumed',
      'BindingCreated',
    ]);
  });

  it('change nothing when they are repeated', async () => {
    await bound(PARTNERS, '1');
    expect(await done(backends().resume('berlin', CONTEXT))).toMatchObject({ outcome: 'unchanged' });
    await done(backends().pause('berlin', CONTEXT));
    expect(await done(backends().pause('berlin', CONTEXT))).toMatchObject({ outcome: 'unchanged', backend: { state: 'paused' } });
    expect(await typesIn(PARTNERS)).toEqual(['LedgerOpened', 'BindingCreated', 'LedgerPaused']);
  });

  it('open a ledger that is registered and not open yet, so that a slow opener finds it paused', async () => {
    const opening = await done(backends().registerLedger(PARTNERS, CONTEXT));
    await done(backends().pause('berlin', CONTEXT));
    expect(await typesIn(PARTNERS)).toEqual(['LedgerOpened', 'LedgerPaused']);
    const [opened] = await here.ledgers.events(PARTNERS);
    expect(opened?.data).toEqual({ rules: opening.rules, modelRevision: opening.modelRevision, backendRevision: 2 });
    expect(await here.ledgers.status(PARTNERS)).toBe('paused');
  });

  it('leave a ledger alone that was registered after the newest of them', async () => {
    await done(backends().pause('berlin', CONTEXT));
    await done(backends().resume('berlin', CONTEXT));
    await done(backends().registerLedger(PARTNERS, CONTEXT));
    await done(backends().resume('berlin', CONTEXT));
    expect(await typesIn(PARTNERS)).toEqual([]);
  });

  it('are not undone by an older one that is slow', async () => {
    await bound(PARTNERS, '1');
    const slow = world.process();
    let held = false;
    slow.ledgers.beforeAmendment = async () => {
      if (held) return;
      held = true;
      await done(backends().resume('berlin', CONTEXT));
    };
    await done(slow.plane.backends.pause('berlin', CONTEXT));
    expect(await here.ledgers.status(PARTNERS)).toBe('open');
    expect(await here.ledgers.state(PARTNERS)).toMatchObject({ paused: false, backendRevision: 3 });
  });

  it('tell what they follow from', async () => {
    await bound(PARTNERS, '1');
    await done(backends().pause('berlin', { ...CONTEXT, actor: 'operator' }, { reason: 'stocktaking' }));
    const paused = (await here.ledgers.events(PARTNERS)).at(-1);
    expect(paused).toMatchObject({
      type: 'LedgerPaused',
      data: { backendRevision: 2 },
      metadata: { actor: 'operator', correlationId: 'c-1' },
    });
    const [event] = await done(backends().history('berlin', { after: 1, limit: 1 }));
    expect(event).toMatchObject({ type: 'BackendPaused', revision: 2, reason: 'stocktaking' });
  });
});

describe('retirement', () => {
  const retired = () => refusedAs(backends().retire('berlin', CONTEXT));
  const unbind = (ledger: LedgerName, recordId: string) =>
    here.ledgers.run(ledger, { op: 'unbind', recordId }, here.plane, CONTEXT);

  it('closes every ledger, and the backend and its id for good', async () => {
    await bound(PARTNERS, '1');
    await unbind(PARTNERS, '1');
    await done(backends().registerLedger(ORDERS, CONTEXT));
    expect(await done(backends().retire('berlin', CONTEXT))).toMatchObject({ state: 'retired' });
    for (const ledger of [PARTNERS, ORDERS]) {
      expect(await here.ledgers.status(ledger)).toBe('closed');
      expect(await refusedAs(bound(ledger, '2'))).toBe('LEDGER_CLOSED');
    }
    expect(await typesIn(ORDERS)).toEqual(['LedgerClosed']);
    expect((await here.ledgers.state(ORDERS)).rules.cardinality).toBe('many');
    expect(await retired()).toBe('done');
    expect(await refusedAs(backends().register({ id: 'berlin', type: 'shop', location: 'https://x.example' }, CONTEXT))).toBe(
      'BACKEND_EXISTS',
    );
    for (const refused of [
      backends().change('berlin', { name: 'B' }, CONTEXT),
      backends().pause('berlin', CONTEXT),
      backends().registerLedger(PARTNERS, CONTEXT),
    ]) {
      expect(await refusedAs(refused)).toBe('LEDGER_CLOSED');
    }
    expect(await backends().checkLedger(PARTNERS)).toBeUndefined();
    expect(await world.eventTypes('test.backend-berlin')).toEqual([
      'BackendRegistered',
      'LedgerRegistered',
      'LedgerRegistered',
      'BackendRetiring',
      'BackendRetired',
    ]);
  });

  it('is refused with counts while bindings live, without closing anything for a moment', async () => {
    await bound(PARTNERS, '1');
    await bound(ORDERS, '1');
    await bound(ORDERS, '2');
    const refusal = await backends().retire('berlin', CONTEXT);
    const ledgers = [
      { model: 'shop.partner', live: 1 },
      { model: 'shop.order', live: 2 },
    ];
    expect(refusal).toMatchObject({ refused: 'BACKEND_IN_USE', details: { live: 3, ledgers } });
    expect(await world.eventTypes('test.backend-berlin')).toEqual(['BackendRegistered', 'LedgerRegistered', 'LedgerRegistered']);
  });

  it('is cancelled by a binding that came to live meanwhile, and what was closed opens again with its rules', async () => {
    const retiring = world.process();
    await done(backends().registerLedger(ORDERS, CONTEXT));
    await bound(PARTNERS, '1');
    await unbind(PARTNERS, '1');
    let closed = false;
    retiring.ledgers.beforeAmendment = async (ledger) => {
      // The orders are closed first; then somebody is faster than the closing of the partners.
      closed ||= (await here.ledgers.status(ORDERS)) === 'closed';
      if (closed && ledger.model === PARTNERS.model) {
        closed = false;
        retiring.ledgers.beforeAmendment = async () => undefined;
        await bound(PARTNERS, '2');
      }
    };
    const refusal = await retiring.plane.backends.retire('berlin', CONTEXT);
    expect(refusal).toMatchObject({
      refused: 'BACKEND_IN_USE',
      details: { live: 1, ledgers: [{ model: 'shop.partner', live: 1 }] },
    });
    expect(await typesIn(ORDERS)).toEqual(['LedgerClosed', 'LedgerOpened']);
    expect(await here.ledgers.state(ORDERS)).toMatchObject({
      closed: false,
      paused: false,
      rules: { cardinality: 'many', localModel: 'sale.order' },
    });
    expect(await done(backends().get('berlin'))).toMatchObject({ state: 'active' });
    for (const ledger of [PARTNERS, ORDERS]) expect(await refusedAs(bound(ledger, '3'))).toBe('done');
    expect((await world.eventTypes('test.backend-berlin')).slice(-2)).toEqual(['BackendRetiring', 'BackendRetirementCancelled']);
  });

  it('leaves a paused backend paused when it is cancelled', async () => {
    await bound(PARTNERS, '1');
    await bound(ORDERS, '1');
    await unbind(ORDERS, '1');
    await done(backends().pause('berlin', CONTEXT));
    await halfRetired();
    await here.plane.resumeFanOuts();
    expect(await done(backends().get('berlin'))).toMatchObject({ state: 'paused' });
    for (const ledger of [PARTNERS, ORDERS]) expect(await here.ledgers.status(ledger)).toBe('paused');
    await done(backends().resume('berlin', CONTEXT));
    for (const ledger of [PARTNERS, ORDERS]) expect(await here.ledgers.status(ledger)).toBe('open');
  });

  it('takes no pause, no ledger and no second announcement while it is under way, and is completed by a repeat', async () => {
    await bound(PARTNERS, '1');
    await unbind(PARTNERS, '1');
    await halfRetired();
    expect(await done(backends().get('berlin'))).toMatchObject({ state: 'retiring' });
    expect(await refusedAs(backends().pause('berlin', CONTEXT))).toBe('LEDGER_CLOSED');
    expect(await refusedAs(backends().registerLedger(ORDERS, CONTEXT))).toBe('LEDGER_CLOSED');
    expect(await retired()).toBe('done');
    expect((await world.eventTypes('test.backend-berlin')).filter((type) => type === 'BackendRetiring')).toHaveLength(1);
  });

  it('closes a ledger once more that an earlier, cancelled retirement closed', async () => {
    await bound(PARTNERS, '1');
    await unbind(PARTNERS, '1');
    const first = await halfRetired();
    await closeFor(first);
    await appendToBackend('BackendRetirementCancelled', { live: [] });
    const second = await halfRetired();
    await here.plane.resumeFanOuts();
    expect(await done(backends().get('berlin'))).toMatchObject({ state: 'retired' });
    const closings = (await here.ledgers.events(PARTNERS)).filter(({ type }) => type === 'LedgerClosed');
    expect(closings.map(({ data }) => data)).toEqual([{ backendRevision: first }, { backendRevision: second }]);
  });

  it('is done once by several at the same time', async () => {
    for (const ledger of [PARTNERS, ORDERS]) {
      await bound(ledger, '1');
      await unbind(ledger, '1');
    }
    const answers = await Promise.all(Array.from({ length: 5 }, () => world.process().plane.backends.retire('berlin', CONTEXT)));
    for (const answer of answers) expect(answer).toMatchObject({ state: 'retired' });
    expect((await world.eventTypes('test.backend-berlin')).filter((type) => type.startsWith('BackendRetir'))).toEqual([
      'BackendRetiring',
      'BackendRetired',
    ]);
  });

  /** Announces a retirement as a process that dies then. Answers the revision of the announcement. */
  async function halfRetired(): Promise<number> {
    return appendToBackend('BackendRetiring', {});
  }

  async function appendToBackend(type: string, data: object): Promise<number> {
    const stream = 'test.backend-berlin';
    const head = await world.store.headRevision(stream);
    const [event] = await world.store.readStream(stream, { limit: 1 });
    if (event === undefined) throw new Error('There is no such backend');
    await world.store.append(stream, head, [{ id: crypto.randomUUID(), type, data: { ...data }, metadata: event.metadata }]);
    return head + 1;
  }

  async function closeFor(cause: number): Promise<void> {
    await done(here.ledgers.amend(PARTNERS, async () => [{ type: 'LedgerClosed', data: { backendRevision: cause } }], CONTEXT));
  }
});
