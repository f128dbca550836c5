import type { Binding } from '#domain';
import { canonicalJson } from '#ledger';
import type { Sighting } from '../simulation/observed.js';
import { live, type Moment, type Truth } from '../truth.js';
import { problemsOfPast } from './past.js';

/** Whether each lookup was answered with what was true at one revision, not older than what the read model had applied when it was asked. */
export function problemsOfSightings(truth: Truth, sightings: readonly Sighting[]): string[] {
  return sightings.flatMap((sighting) => {
    const { by, from, to, revision, what, found } = sighting;
    if (what.by === 'history') return problemsOfPast(truth, sighting);
    const at = truth.oldest(
      from,
      to,
      (moment) => (revision === undefined || moment.revision === revision) && isTrue(moment, sighting),
    );
    if (at !== undefined) return [];
    const says = revision === undefined ? '' : ` @${revision}`;
    return [
      `${by} lookup ${canonicalJson(what)} answered ${canonicalJson(found)}${says}, which is true at no revision from ${from} to ${to}`,
    ];
  });
}

function isTrue(moment: Moment, { what, found }: Sighting): boolean {
  return inOrder(wanted(moment, what)) === inOrder(found);
}

function wanted(moment: Moment, what: Sighting['what']): Binding[] {
  if (what.by === 'externalId') return live(moment).filter(({ externalId }) => externalId === what.externalId);
  if (what.by === 'externalIds')
    return live(moment).filter(({ externalId }) => externalId !== null && what.externalIds.includes(externalId));
  if (what.by === 'recordIds') return live(moment).filter(({ recordId }) => what.recordIds.includes(recordId));
  const binding = moment.bindings.get(what.id ?? '');
  return binding === undefined ? [] : [binding];
}

function inOrder(bindings: readonly Binding[]): string {
  return canonicalJson(bindings.toSorted((a, b) => (a.id < b.id ? -1 : 1)));
}
