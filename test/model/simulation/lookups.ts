import type { Binding, LedgerName } from '#domain';
import { STREAMS, type Instance } from './instance.js';
import type { Sighting } from './observed.js';
import type { World } from './world.js';

const MAX_FRESH_LOOKS = 30;
const LOOK_EVERY_MS = 20;

/** Looks something up; with `fresh`, what holds at the stream's end as of the call. Nothing when the read model is not that far in time. */
export async function look(
  world: World,
  instance: Instance,
  ledger: LedgerName,
  what: Sighting['what'],
  fresh: boolean,
): Promise<Sighting | undefined> {
  const stream = STREAMS.ledger(ledger);
  const head = world.events.head(stream);
  if (fresh && !(await reach(world, instance, ledger, head))) return undefined;
  const from = fresh ? head : world.appliedTo(ledger);
  const answer = await ask(instance, ledger, what);
  return { ledger, by: instance.process.name, what, from, to: world.events.head(stream), ...answer };
}

/** Waits until the read model has applied a revision, as a query with `atLeast` does. */
async function reach(
  { scheduler }: World,
  { readModel, process }: Instance,
  ledger: LedgerName,
  revision: number,
): Promise<boolean> {
  for (let looks = 0; looks < MAX_FRESH_LOOKS; looks += 1) {
    if (((await readModel.ledgerDocument(ledger))?.checkpoint ?? -1) >= revision) return true;
    await scheduler.sleep(process, LOOK_EVERY_MS);
  }
  return false;
}

async function ask(
  { readModel }: Instance,
  ledger: LedgerName,
  what: Sighting['what'],
): Promise<Pick<Sighting, 'found' | 'revision' | 'past'>> {
  if (what.by === 'history') return { found: [], past: await askPast(readModel, ledger, what) };
  if (what.by === 'externalIds') return inOne(await readModel.findByExternalIds(ledger, what.externalIds));
  if (what.by === 'recordIds') return inOne(await readModel.findByRecordIds(ledger, what.recordIds));
  const found =
    what.by === 'externalId'
      ? await readModel.findByExternalId(ledger, what.externalId)
      : await readModel.findById(ledger, what.id ?? '');
  return { found: found === undefined ? [] : [found] };
}

async function askPast(
  readModel: Instance['readModel'],
  ledger: LedgerName,
  { of, key: text, id = '', after, limit, back }: Extract<Sighting['what'], { by: 'history' }>,
): Promise<Sighting['past']> {
  const key = of === 'bindingId' ? { bindingId: id } : of === 'recordId' ? { recordId: text } : { externalId: text };
  const page = await readModel.history(ledger, key, after, limit);
  const revision = Math.max(-1, page.upTo - back);
  const { bindings: states } = revision < 0 ? { bindings: [] } : await readModel.statesAt(ledger, key, revision);
  return { key, after, limit, page, revision, states };
}

function inOne({ bindings, revision }: { bindings: Binding[]; revision: number }): { found: Binding[]; revision: number } {
  return { found: bindings, revision };
}
