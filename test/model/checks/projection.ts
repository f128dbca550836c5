import { ledgerKey, type LedgerName } from '#domain';
import { canonicalJson } from '#ledger';
import { IDEMPOTENCY_KEPT_MS } from '#read-model';
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
  const bindings = world.documents
    .matching('bindings', scope)
    .map(({ _id, backend: _b, model: _m, generation: _g, ...binding }) => binding);
  const byId = (all: readonly { id?: unknown }[]) => all.toSorted((a, b) => (String(a.id) < String(b.id) ? -1 : 1));
  compare(problems, 'bindings', byId(bindings), byId([...moment.bindings.values()]));
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

function compare(problems: string[], what: string, is: unknown, should: unknown): void {
  if (canonicalJson(is) !== canonicalJson(should))
    problems.push(`read model: ${what} is ${canonicalJson(is)} and should be ${canonicalJson(should)}`);
}
