/** The server of the vault is killed while a durable subscriber works: nothing is lost or out of order, and what is parked stays so. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openMongo } from '#mongodb';
import { openMongoVault } from '#vault/mongodb';
import { startServer } from '../../scripts/mongodb-server.mjs';
import { Handled, NAME, PRODUCTS, SubscriptionWorld, eventually } from '../support/subscriptions/world.js';

const KILLS = 5;
const OFTEN = 1_000_000;
let mongodb: Awaited<ReturnType<typeof startServer>>;
beforeAll(async () => {
  mongodb = await startServer(JSON.parse(process.env['MONGODB_TEST_SERVER'] as string) as string[]);
});
afterAll(() => mongodb.stop());

it('goes on when the vault is there again', async () => {
  const mongo = await openMongo(`${mongodb.url}subscriber`);
  const vault = await openMongoVault(mongo);
  await mongo.close();
  const world = await SubscriptionWorld.open({ vault });
  const handled = new Handled();
  handled.failing.set('b7', OFTEN);
  const ids = Array.from({ length: 100 }, (_, index) => `b${index}`);
  try {
    world.start(handled.handle, { attempts: 1, leaseMs: 60_000, checkpointEveryMs: 20 });
    for (let kill = 0; kill < KILLS; kill += 1) {
      await world.happen(ids);
      await mongodb.end('SIGKILL');
      await world.happen(ids);
      await sleep(100);
      await mongodb.start();
    }
    await world.caughtUp();
    const rounds = 2 * KILLS;
    const revisions = Array.from({ length: rounds * 100 }, (_, revision) => revision);
    expect(handled.of(PRODUCTS)).toEqual(revisions.filter((revision) => revision % 100 !== 7));
    expect(await world.operations.parked(NAME)).toMatchObject([{ bindingId: 'b7', events: { length: rounds } }]);
    handled.failing.clear();
    await world.operations.replayParked(NAME);
    await eventually(async () =>
      expect(await world.operations.show(NAME)).toMatchObject({ requests: [], parked: { events: 0 } }),
    );
    expect(handled.of(PRODUCTS).slice(-rounds)).toEqual(revisions.filter((revision) => revision % 100 === 7));
  } finally {
    await world.close();
  }
});
