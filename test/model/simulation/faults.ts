/** How often what goes wrong, each between 0 and 1. */
export interface FaultRates {
  /** An append is done, but its acknowledgement is lost. */
  lostAcknowledgement: number;
  /** An append fails with unknown outcome, and is done later, or never. */
  lateCommit: number;
  /** The event store refuses an append. */
  appendUnavailable: number;
  readUnavailable: number;
  /** A call of the document store fails; a single write may have been done, and a bulk partly. */
  documents: number;
  /** A process ends between two steps, and is started again. */
  projectorCrash: number;
  writerCrash: number;
}

export const NO_FAULTS: FaultRates = {
  lostAcknowledgement: 0,
  lateCommit: 0,
  appendUnavailable: 0,
  readUnavailable: 0,
  documents: 0,
  projectorCrash: 0,
  writerCrash: 0,
};
