/** Histories have every event, with what it changed from what, and cost what they have. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isBindingEvent, type JsonObject, type LedgerName } from '#domain';
import { step } from '../../../test/support/command-arbitraries.js';
import { DecidingLedger, minutesAfterStart } from '../../../test/support/deciding-ledger.js';
import { answered, bindingsAfter, PastWorld, play } from '../../../test/support/past-world.js';
import { MAX_HISTORY_BYTES, type HistoryEvent } from './histories.js';
import type { HistoryPageView } from './past.js';

const RECORDS = ['r1', 'r2', 'r3', 'r4', 'r5'];
const RUNS = 40;
const PAGE = { limit: 1_000 };

let world: PastWorld;
beforeAll(async () => {
  world = await PastWorld.open();
});
afterAll(() => world.close());

describe('histories', () => {
  const pages = async (ask: (cursor?: string) => Promise<object>): Promise<HistoryEvent[]> => {
    const items: HistoryEvent[] = [];
    for (let cursor: string | undefined; ;) {
      const page = answered(await ask(cursor)) as HistoryPageView;
      items.push(...page.items);
      if (page.nextCursor === null) return items;
      expect(page.items.length).toBeGreaterThan(0);
      cursor = page.nextCursor;
    }
  };

  it('have every event of a key, with what it changed from what', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 25, maxLength: 60 }),
        fc.boolean(),
        fc.integer({ min: 1, max: 6 }),
        async (steps, many, limit) => {
          const history = play(steps, many);
          const ledger = await world.add(history);
          const ids = bindingsAfter(history, history.revision).map(({ id }) => id);
          for (const recordId of RECORDS) {
            const expected = replacing(history, (data) => [data.recordId, data.previousRecordId].includes(recordId));
            const found = await pages((cursor) => world.past.history(ledger, { recordId }, { limit, cursor }));
            expect(found.map(essential)).toEqual(expected);
          }
          for (const bindingId of ids) {
            const expected = replacing(history, (data) => data.bindingId === bindingId);
            const found = await pages((cursor) => world.past.history(ledger, { bindingId }, { limit, cursor }));
            expect(found.map(essential)).toEqual(expected);
          }
        },
      ),
      { numRuns: RUNS },
    );
  });

  type Essential = { revision: number; type: string; previousSyncDate?: unknown; previousData?: unknown };

  /** The events that are meant, with the date and data of the binding before each that sets them. */
  function replacing(
    { history }: DecidingLedger,
    isMeant: (data: { bindingId: string; recordId: string; previousRecordId?: string }) => boolean,
  ): Essential[] {
    const before = new Map<string, { syncDate?: unknown; data?: JsonObject }>();
    return history.flatMap(({ event, stamp }) => {
      if (!isBindingEvent(event)) return [];
      const { syncDate, data, bindingId } = event.data;
      const was = before.get(bindingId) ?? {};
      before.set(bindingId, { ...was, ...(syncDate === undefined ? {} : { syncDate }), ...(data === undefined ? {} : { data }) });
      if (!isMeant(event.data)) return [];
      const essentials: Essential = { revision: stamp.revision, type: event.type };
      if (syncDate !== undefined && 'syncDate' in was) essentials.previousSyncDate = was.syncDate;
      if (data !== undefined && 'data' in was) essentials.previousData = was.data;
      return [essentials];
    });
  }

  function essential({ revision, type, previousSyncDate, previousData }: HistoryEvent): Essential {
    return {
      revision,
      type,
      ...(previousSyncDate === undefined ? {} : { previousSyncDate }),
      ...(previousData === undefined ? {} : { previousData }),
    };
  }

  it.each([1, 2, 10])(
    'of a record tell what an event replaced, though that was set with another record (%i a page)',
    async (limit) => {
      const history = new DecidingLedger();
      history.do({ op: 'bind', recordId: 'r2', externalId: 'e4', syncDate: minutesAfterStart(-4), data: { a: 1 } });
      history.do({ op: 'move', fromRecordId: 'r2', toRecordId: 'r4' });
      history.do({ op: 'sync', externalId: 'e4', syncDate: minutesAfterStart(-1), data: { a: 2 } });
      history.do({ op: 'move', fromRecordId: 'r4', toRecordId: 'r2' });
      history.do({ op: 'sync', externalId: 'e4', syncDate: minutesAfterStart(0), data: { a: 3 } });
      const ledger = await world.add(history);
      const found = await pages((cursor) => world.past.history(ledger, { recordId: 'r2' }, { limit, cursor }));
      expect(found.map(({ revision }) => revision)).toEqual([1, 2, 4, 5]);
      expect(found.at(-1)).toMatchObject({ previousSyncDate: minutesAfterStart(-1), previousData: { a: 2 } });
    },
  );

  it('say who did it, when, why and in what connection', async () => {
    const history = new DecidingLedger();
    history.do({ op: 'bind', recordId: 'r1', externalId: 'e1', data: { a: 1 } });
    history.at = minutesAfterStart(1);
    history.do({ op: 'unbind', externalId: 'e1', reason: 'closed down', cause: 'missingInBackend' });
    const ledger = await world.add(history);
    const { items, nextCursor } = answered(await world.past.history(ledger, { externalId: 'e1' }, PAGE));
    expect(nextCursor).toBeNull();
    expect(items[1]).toMatchObject({
      ...ledger,
      revision: 2,
      type: 'BindingRemoved',
      actor: 'tester',
      at: minutesAfterStart(1),
      correlationId: 'c2',
      reason: 'closed down',
      cause: 'missingInBackend',
      previousState: 'bound',
    });
  });

  it('know no binding that never was, and take no cursor that they did not give', async () => {
    const ledger = await world.add(play([], false));
    expect(await world.past.history(ledger, { bindingId: 'b9' }, PAGE)).toMatchObject({ refused: 'BINDING_NOT_FOUND' });
    expect(await world.past.history(ledger, { recordId: 'r1' }, PAGE)).toEqual({ items: [], nextCursor: null });
    for (const cursor of ['', '-1', 'x', '1.5', '99999999999999999999']) {
      expect(await world.past.history(ledger, { recordId: 'r1' }, { limit: 1, cursor })).toMatchObject({ refused: 'MALFORMED' });
      const record = { localModel: 'res.partner', recordId: 'r1' };
      expect(await world.past.historyOfRecord(record, { limit: 1, cursor })).toMatchObject({ refused: 'MALFORMED' });
    }
  });

  it('end a page early when its events are large', async () => {
    const history = new DecidingLedger();
    const text = 'x'.repeat(60_000);
    history.do({ op: 'bind', recordId: 'r1', externalId: 'e1' });
    for (let n = 0; n < 40; n += 1) history.do({ op: 'changeData', recordId: 'r1', data: { text, n } });
    const ledger = await world.add(history, 10);
    const first = answered(await world.past.history(ledger, { recordId: 'r1' }, PAGE));
    expect(first.items.length).toBeLessThanOrEqual(MAX_HISTORY_BYTES / 60_000 + 1);
    const all = await pages((cursor) => world.past.history(ledger, { recordId: 'r1' }, { ...PAGE, cursor }));
    expect(all.map(({ revision }) => revision)).toEqual(Array.from({ length: 41 }, (_, index) => index + 1));
  });

  it('cost the same in a large ledger as in a small one', async () => {
    const costs: number[] = [];
    for (const others of [10, 3_000]) {
      const history = new DecidingLedger();
      history.do({ op: 'bind', recordId: 'r1', externalId: 'e1' });
      for (let n = 0; n < others; n += 1) history.do({ op: 'bind', recordId: `other${n}`, externalId: `other${n}` });
      history.do({ op: 'move', fromRecordId: 'r1', toRecordId: 'r2' });
      for (let n = 0; n < others; n += 1) history.do({ op: 'unbind', externalId: `other${n}` });
      history.do({ op: 'unbind', recordId: 'r2' });
      const ledger = await world.add(history);
      world.reads = 0;
      const { items } = answered(await world.past.history(ledger, { externalId: 'e1' }, PAGE));
      expect(items.map(({ type }) => type)).toEqual(['BindingCreated', 'BindingMoved', 'BindingRemoved']);
      costs.push(world.reads);
    }
    // In the small ledger the three stand near each other.
    expect(costs[1]).toBeLessThanOrEqual(3);
    expect(costs[0]).toBeLessThanOrEqual(3);
  });

  it('of a record go through all its ledgers in the order of the store', async () => {
    const own = await PastWorld.open();
    try {
      const ledgers: LedgerName[] = [];
      for (let shop = 0; shop < 3; shop += 1) {
        const history = new DecidingLedger();
        for (let n = 0; n < 7; n += 1) {
          history.do({ op: 'bind', recordId: 'r1', externalId: `e${n}`, ifBound: 'replace', syncDate: null });
          history.do({ op: 'bind', recordId: 'r2', externalId: `other${n}`, ifBound: 'replace', syncDate: null });
        }
        history.do({ op: 'move', fromRecordId: 'r1', toRecordId: 'r3' });
        ledgers.push(await own.add(history));
      }
      const record = { localModel: 'res.partner', recordId: 'r1' };
      for (const limit of [1, 2, 5, 7, 100]) {
        const found = await pages((cursor) => own.past.historyOfRecord(record, { limit, cursor }));
        const expected = ledgers.flatMap(({ backend }) => [1, 3, 5, 7, 9, 11, 13, 15].map((revision) => [backend, revision]));
        expect(found.map(({ backend, revision }) => [backend, revision])).toEqual(expected);
      }
      const before = answered(await own.past.bindingsOfRecord(record, minutesAfterStart(-1)));
      expect(before.items).toEqual([]);
      const after = answered(await own.past.bindingsOfRecord({ ...record, recordId: 'r3' }, minutesAfterStart(0)));
      expect(after.items.map(({ backend, externalId }) => [backend, externalId])).toEqual(
        ledgers.map(({ backend }) => [backend, 'e6']),
      );
      const revisions = Object.fromEntries(ledgers.map(({ backend, model }) => [`${backend}/${model}`, 15]));
      expect(after.asOf).toEqual({ at: minutesAfterStart(0), revisions });
    } finally {
      await own.close();
    }
  });
});
