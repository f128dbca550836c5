// An instance of a durable subscriber beside others, on a folder that another process writes to: what it handles goes into a file.
// node subscriber-instance.mjs FOLDER NAME
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openSqliteEventStore } from '#event-store/sqlite';
import { Positions, StreamNames } from '#ledger';
import { defineSubscriber, Subscription } from '#subscriptions';
import { openSqliteVault } from '#vault/sqlite';

const [folder, name] = process.argv.slice(2);
const store = await openSqliteEventStore({ folder, readOnly: true });
const vault = await openSqliteVault({ folder });
const streams = new StreamNames();
const tools = {
  store,
  vault,
  streams,
  positions: new Positions(store, streams),
  localModelOf: () => Promise.resolve('product'),
  instance: name,
  notice: ({ kind }) => kind !== 'unavailable' && process.stdout.write(`${kind}\n`),
};
const handle = async ({ backend, revision }) => {
  await sleep(2);
  appendFileSync(join(folder, 'handled.txt'), `${name} ${backend} ${revision}\n`);
};
// Everything as it is by default, but that the checkpoint is saved more often.
const subscriber = defineSubscriber({ name: 'shared', from: 'start', checkpointEveryMs: 100 }, handle);
const subscription = new Subscription(tools, subscriber);
subscription.start();
process.once('SIGTERM', () => {
  void subscription
    .stop()
    .then(() => vault.close())
    .then(() => store.close());
});
