import { isBindingEvent, statusOf, type Binding, type RecordedLedgerEvent } from '#domain';
import { canonicalJson, chainHash } from '#ledger';
import { live, type Moment, type Truth } from '../truth.js';

/** How far a clock may be off, and a little more for those that are nearly as much. */
const CLOCK_TOLERANCE_MS = 8_000;

/** What the stream of a ledger must be by itself, at each of its revisions. */
export function problemsOfStream(truth: Truth): string[] {
  return truth.events.flatMap((event) => {
    const [before, after] = [truth.at(event.revision - 1), truth.at(event.revision)];
    const problems = [
      problemOfChain(before, event),
      problemOfTime(before, event),
      problemOfState(before, event),
      problemOfIdentity(before, event),
    ];
    return [...problems, ...problemsOfHolders(after)]
      .filter((problem) => problem !== undefined)
      .map((problem) => `@${event.revision}: ${problem}`);
  });
}

function problemOfChain(before: Moment, { id, type, revision, data, metadata }: RecordedLedgerEvent): string | undefined {
  const { hash, ...rest } = metadata;
  return chainHash(before.hash, revision, { id, type }, canonicalJson(data), canonicalJson(rest)) === hash
    ? undefined
    : 'the hash chain is broken';
}

function problemOfTime(before: Moment, { metadata }: RecordedLedgerEvent): string | undefined {
  return metadata.at < before.at ? `the recorded time goes back from ${before.at} to ${metadata.at}` : undefined;
}

function problemOfState({ state }: Moment, event: RecordedLedgerEvent): string | undefined {
  const status = statusOf(state);
  if (isBindingEvent(event)) return status === 'open' ? undefined : `a binding is changed while the ledger is ${status}`;
  if (event.type === 'LedgerClosed' && state.counts.pending + state.counts.bound > 0)
    return 'the ledger is closed with live bindings';
  const { backendRevision = -1, modelRevision = -1 } = event.data;
  const late = backendRevision < state.backendRevision && modelRevision < state.modelRevision;
  return late ? 'a change follows from a cause older than what the ledger has seen' : undefined;
}

/** What an event says was before it is what was. Versions are checked by the fold. */
function problemOfIdentity({ bindings }: Moment, event: RecordedLedgerEvent): string | undefined {
  if (!isBindingEvent(event) || event.type === 'BindingCreated') return undefined;
  const { data } = event;
  const before = bindings.get(data.bindingId) as Binding;
  const said = {
    recordId: data.previousRecordId ?? data.recordId,
    externalId: data.previousExternalId === undefined ? data.externalId : data.previousExternalId,
    state: data.previousState ?? data.state,
  };
  const same = said.recordId === before.recordId && said.externalId === before.externalId && said.state === before.state;
  return same ? undefined : `${event.type} of ${data.bindingId} does not follow on what the binding was`;
}

function problemsOfHolders(moment: Moment): string[] {
  const problems: string[] = [];
  const [externalIds, records] = [new Set<string>(), new Set<string>()];
  for (const { externalId, recordId } of live(moment)) {
    if (externalId !== null && externalIds.has(externalId)) problems.push(`external id ${externalId} has two live bindings`);
    if (moment.state.rules.cardinality === 'one' && records.has(recordId))
      problems.push(`record ${recordId} has two live bindings, of one that it may have`);
    if (externalId !== null) externalIds.add(externalId);
    records.add(recordId);
  }
  return problems;
}

/**
 * Whether a process whose clock is off stops writing: of events that are recorded ahead of the store's time, and not because
 * those before them are, each process has as many as it had sent before it could know.
 */
export function problemsOfClocks(
  recorded: readonly { id: string; revision: number; storedAt: string }[],
  truth: Truth,
): string[] {
  const latest = new Map<string, number>();
  return recorded.flatMap(({ id, revision, storedAt }) => {
    // The clock is not looked at when a ledger itself is changed.
    if (!isBindingEvent(truth.events[revision] as RecordedLedgerEvent)) return [];
    const [at, stored] = [truth.at(revision).at, Date.parse(storedAt)];
    if (Date.parse(at) - stored <= CLOCK_TOLERANCE_MS || at === truth.at(revision - 1).at) return [];
    const [writer] = id.split('-') as [string];
    const before = latest.get(writer) ?? stored;
    latest.set(writer, stored);
    const early = stored > before && stored - before < CLOCK_TOLERANCE_MS;
    return early ? [`@${revision}: ${writer} went on writing, with a clock that is ahead of the store's`] : [];
  });
}
