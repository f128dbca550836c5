import { isBindingEvent, ledgerKey, type LedgerName } from '#domain';
import { canonicalJson } from '#ledger';
import { IDEMPOTENCY_KEPT_MS } from '#read-model';
import type { StoredDocument } from '#read-model/stepwise';
import type { World } from '../simulation/world.js';
import type { Truth } from '../truth.js';

/** Old keys are forgotten by the clock of whoever projects. */
const CLOCKS_OFF_MS = 60_000;

/** Whether the read model, when everything is applied, is the fold of the stream. */
export function problemsOfProjection(world: World, ledger: LedgerName, truth: Truth): string[] {
  if (truth.head < 0) return [];
  const current = world.documents.get('generations', ledgerKey(ledger))?.['current'] as string;
  const scope = { ...ledger, generation: current };
  const [document] = world.documents.matching('ledgers', scope);
  const moment = truth.at(truth.head);
  const expected = { checkpoint: truth.head, applying: truth.head, hash: moment.hash, at: moment.at, state: moment.state };
  const problems: string[] = [];
  for (const [member, value] of Object.entries(expected)) compare(problems, member, document?.[member], value);
  const fieldsOf = ({ _id, backend: _b, model: _m, generation: _g, ...fields }: StoredDocument) => fields;
  const bindings = world.documents.matching('bindings', scope).map(fieldsOf);
  const byId = (all: readonly { id?: unknown }[]) => all.toSorted((a, b) => (String(a.id) < String(b.id) ? -1 : 1));
  const created = new Map(
    truth.events.flatMap((event) => (event.type === 'BindingCreated' ? [[event.data.bindingId, event.revision] as const] : [])),
  );
  const documents = [...moment.bindings.values()].map((binding) => ({ ...binding, createdRevision: created.get(binding.id) }));
  compare(problems, 'bindings', byId(bindings), byId(documents));
  compare(problems, 'history', byRevision(world.documents.matching('history', scope).map(fieldsOf)), rowsOf(truth));
  const kept = ({ at }: { at: unknown }) =>
    Date.parse(String(at)) + IDEMPOTENCY_KEPT_MS > world.scheduler.trueTime + CLOCKS_OFF_MS;
  const keys = world.documents
    .matching('keys', scope)
    .map(({ scopedKey, request, answer, at }) => ({ id: scopedKey, request, answer, at }))
    .filter(kept);
  compare(
    problems,
    'keys',
    byId(keys),
    byId([...moment.keys.values()].filter(kept).map(({ scopedKey, ...rest }) => ({ id: scopedKey, ...rest }))),
  );
  return problems;
}

/** What nobody reads is gone. A crash, and a write that arrives after it failed, may leave some: it goes with the next rebuild. */
export function problemsOfLeftovers(world: World, ledger: LedgerName): string[] {
  const { projectorCrash, writerCrash, documents } = world.plan.rates;
  const pointer = world.documents.get('generations', ledgerKey(ledger));
  if (pointer === undefined || projectorCrash + writerCrash + documents > 0) return [];
  const used = [pointer['current'], pointer['building'], pointer['former']];
  return ['bindings', 'keys', 'history', 'ledgers'].flatMap((collection) =>
    world.documents
      .matching(collection, { ...ledger })
      .filter(({ generation }) => !used.includes(generation))
      .map(({ _id }) => `read model: ${collection} has ${_id}, of a generation that was dropped`),
  );
}

function byRevision(rows: readonly { revision?: unknown }[]): unknown[] {
  return rows.toSorted((a, b) => Number(a.revision) - Number(b.revision));
}

/** What each event but a creation leaves: which fields it set, and the keys that it took. */
function rowsOf(truth: Truth): unknown[] {
  return truth.events.flatMap((event) => {
    if (!isBindingEvent(event) || event.type === 'BindingCreated') return [];
    const { bindingId, previousRecordId, previousExternalId, syncDate, data } = event.data;
    const set = { recordId: previousRecordId, externalId: previousExternalId, syncDate, data };
    const sets = Object.entries(set).flatMap(([field, value]) => (value === undefined ? [] : [field]));
    const former = {
      ...(previousRecordId === undefined ? {} : { formerRecordId: previousRecordId }),
      ...(typeof previousExternalId === 'string' ? { formerExternalId: previousExternalId } : {}),
    };
    return [{ bindingId, revision: event.revision, sets, ...former }];
  });
}

function compare(problems: string[], what: string, is: unknown, should: unknown): void {
  if (canonicalJson(is) !== canonicalJson(should))
    problems.push(`read model: ${what} is ${canonicalJson(is)} and should be ${canonicalJson(should)}`);
}
