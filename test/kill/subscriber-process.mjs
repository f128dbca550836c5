// A durable subscriber on a data folder, as a process that ends itself where it is told to, as kill -9 would.
// node subscriber-process.mjs FOLDER seed | run POINT NTH ROUND | finish
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { openLedger } from '#runtime';
import { defineSubscriber, Subscription } from '#subscriptions';

const [folder, mode, point, nth, round] = process.argv.slice(2);
const CONTEXT = { actor: 'test', correlationId: 'kill' };
const NAME = 'killed';
const SHOPS = ['shop-1', 'shop-2', 'shop-3'];
const BINDINGS = 20;
const LEASE_MS = 400;

const opened = await openLedger({ data: folder });

const ok = (answer) => {
  if ('refused' in answer) throw new Error(answer.detail);
  return answer;
};

async function seed() {
  const { catalog, backends } = opened;
  ok(await catalog.defineType({ type: 'shop' }, CONTEXT));
  ok(await catalog.defineModel({ model: 'shop.product', backendType: 'shop', localModel: 'product' }, CONTEXT));
  for (const id of SHOPS) ok(await backends.register({ id, type: 'shop', location: `https://${id}.example` }, CONTEXT));
}

/** Every binding changes once. */
async function happen() {
  const syncDate = new Date(Date.UTC(2026, 0, 1) + Number(round) * 60_000).toISOString();
  const commands = Array.from({ length: BINDINGS }, (_, index) => ({
    op: 'bind',
    recordId: `r${index}`,
    externalId: `e${index}`,
    syncDate,
  }));
  for (const backend of SHOPS) {
    const ledger = { backend, model: 'shop.product' };
    await Promise.all(commands.map(async (command) => ok(await opened.ledger.execute(ledger, command, CONTEXT))));
  }
}

let reached = 0;
async function die(at) {
  if (at !== point) return;
  reached += 1;
  if (reached === Number(nth)) process.kill(process.pid, 'SIGKILL');
}

/** A few products cannot be handled until the end. */
const isPoison = ({ externalId }) => mode !== 'finish' && (externalId === 'e3' || externalId === 'e7');

async function handle(event) {
  await new Promise((resolve) => setImmediate(resolve));
  if (isPoison(event)) throw new Error(`no product ${event.externalId}`);
  const { backend, revision, externalId, version } = event;
  appendFileSync(join(folder, 'handled.txt'), `${backend} ${revision} ${externalId} ${version}\n`);
  await die('in-handler');
}

async function run() {
  const { store, vault, streams, queries, subscribers } = opened;
  const tools = {
    store,
    vault,
    streams,
    positions: queries.positions,
    localModelOf: (ledger) => queries.localModelOf(ledger),
    reached: die,
  };
  const definition = { name: NAME, from: 'start', attempts: 2, firstBackoffMs: 1, leaseMs: LEASE_MS, checkpointEveryMs: 20 };
  const subscription = new Subscription(tools, defineSubscriber({ ...definition, inFlightEvents: 60 }, handle));
  if (mode === 'run') await happen();
  subscription.start();
  const settled = async (wanted) => {
    for (;;) {
      const view = await subscribers.show(NAME);
      if (!('refused' in view) && view.lag.events === 0 && view.requests.length === 0 && wanted(view)) return;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  await settled(() => true);
  if (mode === 'finish') {
    await subscribers.replayParked(NAME);
    subscription.poke();
    await settled(({ parked }) => parked.events === 0);
  }
  await subscription.stop();
}

await (mode === 'seed' ? seed() : run());
await opened.close();
process.stdout.write('done\n');
