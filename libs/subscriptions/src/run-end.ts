/**
 * Why a run is over: the process stops; another instance has the lease; it begins again, from what was saved; something is wrong
 * that waiting here does not mend, so that the lease is given up; or what was done has no place in the vault, so that it would be
 * done again in vain.
 */
export type RunEnd = 'closed' | 'lost' | 'again' | 'released' | 'unsaved';

const RANKS: Record<RunEnd, number> = { again: 0, released: 0, unsaved: 1, closed: 2, lost: 3 };

/** Whether a run that is over for one reason is over for another one rather. Of equals the first holds. */
export function outranks(end: RunEnd, before: RunEnd | undefined): boolean {
  return before === undefined || RANKS[end] > RANKS[before];
}
