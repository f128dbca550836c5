import {
  evolveBackend,
  evolveBindingModel,
  isBackendEvent,
  isLive,
  ledgerRegistration,
  rulesInForce,
  statusOf,
  type BackendState,
  type BindingModelEvent,
  type BindingModelState,
  type LedgerState,
} from '#domain';
import { canonicalJson } from '#ledger';
import type { ControlAttempt, Deletion } from '../simulation/control.js';
import { BACKEND, LEDGERS, STREAMS } from '../simulation/instance.js';
import type { World } from '../simulation/world.js';
import { live, type Truth } from '../truth.js';

/** Whether each ledger is as its backend and its model say, when everything that was begun has been completed. */
export function problemsOfFanOut(world: World, truths: readonly Truth[]): string[] {
  const backend = backendAt(world, world.events.head(STREAMS.backend(BACKEND)));
  return LEDGERS.flatMap(({ model }, index) => {
    const truth = truths[index] as Truth;
    const { state } = truth.at(truth.head);
    if (ledgerRegistration(backend, model) === undefined) return state.opened ? [`${model} is open and not registered`] : [];
    if (!state.opened) return [];
    const problems: string[] = [];
    const status = backend.retirement === 'retired' ? 'closed' : backend.paused ? 'paused' : 'open';
    if (backend.retirement === 'retiring') problems.push('the retirement was not completed');
    if (statusOf(state) !== status) problems.push(`${model} is ${statusOf(state)}, and its backend says ${status}`);
    if (status === 'closed' && live(truth.at(truth.head)).length > 0)
      problems.push(`${model} has live bindings, and its backend is retired`);
    // The ledgers of a retired backend follow nothing any more.
    if (status !== 'closed') problems.push(...problemsOfRules(model, state, modelState(world, model)));
    return problems;
  });
}

function problemsOfRules(model: string, state: LedgerState, says: BindingModelState): string[] {
  const { rules } = rulesInForce(says);
  if (says.changing !== null) return [`the change of ${model} was not completed`];
  return canonicalJson(rules) === canonicalJson(state.rules)
    ? []
    : [`${model} has the rules ${canonicalJson(state.rules)}, and its model ${canonicalJson(rules)}`];
}

/** Whether what was answered as done had been done in each ledger by then. */
export function problemsOfControls(world: World, truths: readonly Truth[], done: readonly ControlAttempt[]): string[] {
  return done.flatMap(({ action, calledRevision, revision, heads }) => {
    const before = backendAt(world, calledRevision);
    const cause = Math.max(before.controlRevision, revision);
    return LEDGERS.flatMap(({ model }, index) => {
      const registration = ledgerRegistration(before, model);
      const { state } = (truths[index] as Truth).at(heads[index] as number);
      if (registration === undefined || registration > cause) return [];
      if (action === 'retire')
        return statusOf(state) === 'closed' ? [] : [`the retirement was answered before ${model} was closed`];
      const followed = action === 'one' || action === 'many' || state.backendRevision >= cause;
      return followed ? [] : [`${action} was answered before ${model} followed ${cause}`];
    });
  });
}

export function problemsOfDeletions(world: World, truths: readonly Truth[], deletions: readonly Deletion[]): string[] {
  return deletions.flatMap(({ recordId, calledRevision, calledHeads, heads }) => {
    const before = backendAt(world, calledRevision);
    return LEDGERS.flatMap(({ model }, index) => {
      if (ledgerRegistration(before, model) === undefined) return [];
      const gone = (truths[index] as Truth).oldest(calledHeads[index] as number, heads[index] as number, ({ bindings }) =>
        [...bindings.values()].every((binding) => binding.recordId !== recordId || !isLive(binding)),
      );
      return gone === undefined ? [`record ${recordId} was deleted, and was bound in ${model} all the time`] : [];
    });
  });
}

function backendAt(world: World, revision: number): BackendState {
  const events = world.events.stream(STREAMS.backend(BACKEND)).slice(0, revision + 1);
  const state = events.reduce<BackendState | undefined>((before, event) => {
    if (!isBackendEvent(event)) throw new Error(`${event.type} is no event of a backend`);
    return evolveBackend(before, event, { revision: (event as { revision: number }).revision, at: '' });
  }, undefined);
  return state as BackendState;
}

function modelState(world: World, model: string): BindingModelState {
  const events = world.events.stream(STREAMS.models()).filter(({ data }) => data['model'] === model);
  const state = events.reduce<BindingModelState | undefined>(
    (before, event) => evolveBindingModel(before, event as unknown as BindingModelEvent, { revision: event.revision, at: '' }),
    undefined,
  );
  return state as BindingModelState;
}
