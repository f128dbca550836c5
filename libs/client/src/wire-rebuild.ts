/** Rebuilding a ledger's answers, as the API has it. */

export interface RebuildProgress {
  /** Up to which the events are applied, and where the ledger ended at the beginning. */
  revision: number;
  headRevision: number;
}

export interface Rebuilt {
  /** `<backend>/<model>` */
  ledger: string;
  revision: number;
  /** Names the documents that answer now. */
  generation: string;
}

/** One thing that the answers say otherwise than the events. */
export interface Difference {
  /** `null`: of the ledger itself. */
  bindingId: string | null;
  field: string;
  /** As JSON, cut where it is long; `null` where that side says nothing. */
  readModel: string | null;
  events: string | null;
}

export interface Differences {
  ok: boolean;
  /** `<backend>/<model>` */
  ledger: string;
  revision: number;
  /** Bindings that were compared. */
  compared: number;
  /** How many things differ; the first hundred are listed. */
  differing: number;
  differences: Difference[];
}
