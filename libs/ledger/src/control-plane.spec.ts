/** The control plane with the ledgers' real writers and a real projector: sync jobs run while operators change things. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isRefusal, type LedgerName } from '#domain';
import { CONTEXT, ORDERS, PARTNERS, SHOP_MODEL, World, done, setUp } from '../../../test/support/control/world.js';
import { BindingLedger } from './binding-ledger.js';
import { ControlPlane } from './control-plane.js';
import { KeyRing } from './secrets.js';
import { ProjectionProgress } from './progress.js';

interface Server {
  plane: ControlPlane;
  ledger: BindingLedger;
}

let world: World;
let servers: Server[];
beforeEach(async () => {
  world = await World.open();
  servers = [];
  await setUp(world.process());
});
afterEach(async () => {
  for (const { ledger } of servers) await ledger.close();
  await world.close();
});

function start(): Server {
  const { store, readModel, vault, streams } = world;
  const plane: ControlPlane = new ControlPlane({
    store,
    readModel,
    vault,
    keys: KeyRing.parse(''),
    streams,
    amender: { amend: (...change) => ledger.amend(...change) },
  });
  const ledger = new BindingLedger({
    store,
    readModel,
    streams,
    progress: new ProjectionProgress(readModel),
    open: plane.backends.registerLedger,
    check: plane.backends.checkLedger,
    problemsOf: plane.schemas.problemsOfData,
  });
  servers.push({ plane, ledger });
  return { plane, ledger };
}

const bind = ({ ledger }: Server, to: LedgerName, recordId: string) =>
  ledger.execute(to, { op: 'bind', recordId, externalId: `x-${recordId}` }, CONTEXT);

describe('sync jobs and operators together', () => {
  it('open a ledger with its first bind, once for all servers', async () => {
    const all = [start(), start(), start()];
    const results = await Promise.all(all.flatMap((server, index) => [0, 1].map((n) => bind(server, PARTNERS, `${index}-${n}`))));
    expect(results.filter(isRefusal)).toEqual([]);
    expect(await world.eventTypes('backend-berlin')).toEqual(['BackendRegistered', 'LedgerRegistered']);
    expect((await world.eventTypes('ledger-berlin/shop.partner')).filter((type) => type === 'LedgerOpened')).toHaveLength(1);
  });

  it.each([
    ['an unknown backend', { ...PARTNERS, backend: 'rome' }, 'BACKEND_NOT_FOUND'],
    ['an unknown model', { ...PARTNERS, model: 'shop.none' }, 'MODEL_NOT_FOUND'],
  ])('refuse %s', async (_what, ledger, code) => {
    expect(await bind(start(), ledger, '1')).toMatchObject({ refused: code });
  });

  it('refuse what a pause, a schema or a retirement forbids, from the next command on', async () => {
    const [one, two] = [start(), start()];
    await bind(one, PARTNERS, '1');
    await done(two.plane.backends.pause('berlin', CONTEXT));
    expect(await bind(one, PARTNERS, '2')).toMatchObject({ refused: 'BACKEND_PAUSED' });
    expect(await bind(one, ORDERS, '2')).toMatchObject({ refused: 'BACKEND_PAUSED' });
    await done(one.plane.backends.resume('berlin', CONTEXT));
    await done(
      two.plane.catalog.defineModel({ ...SHOP_MODEL, dataSchema: { properties: { no: { type: 'integer' } } } }, CONTEXT),
    );
    const wrong = await one.ledger.execute(PARTNERS, { op: 'changeData', recordId: '1', data: { no: 'one' } }, CONTEXT);
    expect(wrong).toMatchObject({ refused: 'INVALID_DATA', errors: [{ path: '/no' }] });
    expect(await two.plane.backends.retire('berlin', CONTEXT)).toMatchObject({ refused: 'BACKEND_IN_USE' });
    await one.ledger.execute(PARTNERS, { op: 'unbind', recordId: '1' }, CONTEXT);
    expect(await two.plane.backends.retire('berlin', CONTEXT)).toMatchObject({ state: 'retired' });
    expect(await bind(one, PARTNERS, '3')).toMatchObject({ refused: 'LEDGER_CLOSED' });
  });

  it('never end with a retired backend that has a live binding, nor with a ledger that does not follow its backend', async () => {
    for (let round = 0; round < 6; round += 1) {
      const id = `shop-${round}`;
      const [jobs, operator] = [start(), start()];
      await done(operator.plane.backends.register({ id, type: 'shop', location: 'https://x.example' }, CONTEXT));
      const ledgers = [
        { backend: id, model: 'shop.partner' },
        { backend: id, model: 'shop.order' },
      ];
      const bound = ledgers.flatMap((ledger) => Array.from({ length: 5 }, (_, n) => bind(jobs, ledger, `${n}`)));
      const operated = [
        operator.plane.backends.pause(id, CONTEXT),
        operator.plane.backends.resume(id, CONTEXT),
        operator.plane.backends.retire(id, CONTEXT),
      ];
      await Promise.all([...bound, ...operated]);
      await world.project();
      expect(await operator.plane.resumeFanOuts()).toMatchObject({ unfinished: [] });
      await world.project();
      const backend = await done(operator.plane.backends.get(id));
      for (const ledger of ledgers) {
        const state = (await world.readModel.ledgerDocument(ledger))?.state;
        if (state === undefined) continue;
        expect(state.closed).toBe(backend.state === 'retired');
        if (backend.state === 'retired') expect(state.counts.bound + state.counts.pending).toBe(0);
        else expect(state.paused).toBe(backend.state === 'paused');
      }
    }
  });

  it('know every ledger that a deleted record may be in, projected or not', async () => {
    const server = start();
    await done(server.plane.backends.register({ id: 'paris', type: 'shop', location: 'https://paris.example' }, CONTEXT));
    for (const backend of ['berlin', 'paris']) await bind(server, { backend, model: 'shop.partner' }, '1');
    await bind(server, ORDERS, '1');
    expect(await server.plane.ledgersOfLocalModel('res.partner')).toEqual([PARTNERS, { ...PARTNERS, backend: 'paris' }]);
  });
});

describe('the resumption after a start', () => {
  it('says what it could not do, and does the rest', async () => {
    const server = start();
    await bind(server, PARTNERS, '1');
    const crashed = world.process({ crashes: { atWrite: 2, done: false } });
    await expect(crashed.plane.backends.pause('berlin', CONTEXT)).rejects.toThrow('died');
    const metadata = { schema: 99, at: '2026-03-03T00:00:00.000Z' };
    await world.store.append('catalog-models', 1, [
      { id: crypto.randomUUID(), type: 'ModelDefined', data: { model: 'shop.newer' }, metadata },
    ]);
    const resumption = await world.process().plane.resumeFanOuts();
    expect(resumption.unfinished.length).toBeGreaterThan(0);
    for (const { reason } of resumption.unfinished) expect(reason).toContain('not known to this version');
  });
});
