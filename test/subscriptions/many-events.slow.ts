/** 100,000 events of many ledgers through a durable handler, with stops and outages in the middle. */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Outage, SubscriptionWorld } from '../support/subscriptions/world.js';

const EVENTS = 100_000;
const LEDGERS = 20;
const AT_ONCE = 1_000;

/** Other ledgers may have been ahead of the checkpoint when a subscriber stops: so much may come twice. */
const AHEAD = 1_000;

it('has no gap and no inversion in any ledger', async () => {
  const world = await SubscriptionWorld.open();
  const outage = new Outage();
  const seen = new Map<string, { run: number; revision: number }[]>();
  let [count, run] = [0, 0];
  const handle = async ({ backend, revision }: { backend: string; revision: number }): Promise<void> => {
    if (revision % 97 === 0) await nextTurn();
    if (revision % 1_999 === 0) await sleep(1);
    const revisions = seen.get(backend) ?? [];
    seen.set(backend, revisions);
    revisions.push({ run, revision });
    count += 1;
  };
  const start = () => world.start(handle, { leaseMs: 5_000 }, { store: outage.store(world.store) });
  try {
    let subscription = start();
    const ledgers = Array.from({ length: LEDGERS }, (_, index) => ({ backend: `shop-${index}`, model: 'shop.product' }));
    const ids = Array.from({ length: AT_ONCE }, (_, index) => `b${index}`);
    for (let written = 0; written < EVENTS; written += AT_ONCE) {
      await world.happen(ids, ledgers[(written / AT_ONCE) % LEDGERS]);
      if (written % 10_000 === 0) {
        outage.down = true;
        await sleep(5);
        outage.down = false;
      }
      if (written % 25_000 === 0) {
        await subscription.stop();
        run += 1;
        subscription = start();
      }
    }
    await world.caughtUp();
    expect(count).toBeGreaterThanOrEqual(EVENTS);
    expect(count).toBeLessThanOrEqual(EVENTS + run * AHEAD);
    for (const handled of seen.values()) {
      let next = 0;
      handled.forEach((each, index) => {
        const begins = each.run !== handled[index - 1]?.run;
        // Within a run one after the other; a new run begins at the next one or before it.
        if (begins) expect(each.revision).toBeLessThanOrEqual(next);
        else expect(each.revision).toBe(next);
        next = each.revision + 1;
      });
      expect(next).toBe(EVENTS / LEDGERS);
    }
    expect(seen.size).toBe(LEDGERS);
  } finally {
    await world.close();
  }
});
