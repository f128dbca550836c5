import { isBindingEvent, isLive, type Binding } from '#domain';
import { canonicalJson } from '#ledger';
import type { HistoryKey, ToldBy } from '#read-model';
import type { Sighting } from '../simulation/observed.js';
import type { Truth } from '../truth.js';

/** Whether a history has every event that concerns its key up to the checkpoint that it names, and whether what is told of the past was so. */
export function problemsOfPast(truth: Truth, { by, what, from, to, past }: Sighting): string[] {
  if (past === undefined) return [];
  const { key, after, limit, page, revision, states } = past;
  const problems: string[] = [];
  const about = (is: unknown, should: unknown) =>
    problems.push(
      `${by} ${canonicalJson(what)} of ${canonicalJson(key)}: ${canonicalJson(is)}, and should be ${canonicalJson(should)}`,
    );
  if (page.upTo < from || page.upTo > to) about({ upTo: page.upTo }, { from, to });
  const expected = revisionsOf(truth, key, after, page.upTo).slice(0, limit);
  if (canonicalJson(page.revisions) !== canonicalJson(expected)) about(page.revisions, expected);
  const told = revision < 0 ? [] : toldAt(truth, key, revision);
  const inOrder = states.toSorted((a, b) => a.created - b.created);
  if (canonicalJson(inOrder) !== canonicalJson(told)) about({ revision, states: inOrder }, told);
  return problems;
}

function revisionsOf(truth: Truth, key: HistoryKey, after: number, upTo: number): number[] {
  return truth.events.flatMap((event) => {
    if (event.revision <= after || event.revision > upTo || !isBindingEvent(event)) return [];
    const { bindingId, recordId, externalId, previousRecordId, previousExternalId } = event.data;
    if ('bindingId' in key) return bindingId === key.bindingId ? [event.revision] : [];
    const held = 'recordId' in key ? [recordId, previousRecordId] : [externalId, previousExternalId];
    return held.includes('recordId' in key ? key.recordId : key.externalId) ? [event.revision] : [];
  });
}

function toldAt(truth: Truth, key: HistoryKey, revision: number): ToldBy[] {
  const holds = (binding: Binding) => {
    if ('bindingId' in key) return binding.id === key.bindingId;
    if (!isLive(binding)) return false;
    return 'recordId' in key ? binding.recordId === key.recordId : binding.externalId === key.externalId;
  };
  return [...truth.at(revision).bindings.values()]
    .filter(holds)
    .map(({ id, revision: last }) => {
      const told = { created: -1, syncDate: -1, data: -1, last };
      for (const event of truth.events) {
        if (event.revision > revision || !isBindingEvent(event) || event.data.bindingId !== id) continue;
        if (event.type === 'BindingCreated') told.created = event.revision;
        if (event.data.syncDate !== undefined) told.syncDate = event.revision;
        if (event.data.data !== undefined) told.data = event.revision;
      }
      return told;
    })
    .sort((a, b) => a.created - b.created);
}
