import { expect, it } from 'vitest';
import type { EventStore } from '#event-store';
import { openSqliteEventStore } from '#event-store/sqlite';
import { openSqliteReadModel } from '#read-model/sqlite';
import { CatchUp } from './catch-up.js';

const event = () => ({ id: crypto.randomUUID(), type: 'Happened', data: {}, metadata: {} });
const never = () => false;

async function withStores(
  work: (store: EventStore, position: (at: string) => Promise<void>, open: () => Promise<CatchUp>) => Promise<void>,
) {
  const store = await openSqliteEventStore({ folder: ':memory:' });
  const readModel = await openSqliteReadModel({ memory: true });
  const opened: CatchUp[] = [];
  try {
    await work(
      store,
      (at) => readModel.savePosition(at),
      async () => {
        const catchUp = new CatchUp(readModel, store, ['ledger-'], await store.endPosition());
        opened.push(catchUp);
        return catchUp;
      },
    );
  } finally {
    for (const each of opened) await each.stop();
    await readModel.close();
    await store.close();
  }
}

it('is over at once when only others have written since: no event of a ledger is missing', () =>
  withStores(async (store, savePosition, open) => {
    await store.append('ledger-shop/a', -1, [event()]);
    await savePosition(await store.endPosition());
    await store.append('startchecks', -1, [event()]);
    await store.append('orders-1', -1, [event()]);
    const catchUp = await open();
    await catchUp.begin(never);
    expect(catchUp.refusal).toBeUndefined();
  }));

it('lasts while an event of a ledger is missing, and no longer', () =>
  withStores(async (store, savePosition, open) => {
    await store.append('ledger-shop/a', -1, [event()]);
    const catchUp = await open();
    const begun = catchUp.begin(never);
    expect(catchUp.refusal).toMatchObject({ refused: 'NOT_YET_PROJECTED' });
    await store.append('orders-1', -1, [event()]);
    await savePosition(await store.endPosition());
    await begun;
    expect(catchUp.refusal).toBeUndefined();
  }));

it('is over when the projection has stopped: what it has is answered', () =>
  withStores(async (store, _savePosition, open) => {
    await store.append('ledger-shop/a', -1, [event()]);
    const catchUp = await open();
    await catchUp.begin(() => true);
    expect(catchUp.refusal).toBeUndefined();
  }));
