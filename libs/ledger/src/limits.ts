/** Every queue, batch, wait and retry of the ledger has its limit here; each can be set lower or higher when the ledger is opened. */
export interface LedgerLimits {
  /** Commands that may wait in one ledger's queue; more are refused `BUSY`. */
  queueCommands: number;
  /** Commands of bulk streams that may wait; more are slowed down: enough for the writer, and little for others to wait behind. */
  bulkCommands: number;
  /** Commands decided and appended together. */
  batchCommands: number;
  /** Bytes of events appended together; one append may be 1 MiB at most. */
  batchBytes: number;
  /** Events that the read model may be behind before writers wait for it. */
  tailEvents: number;
  /** Bytes of such events, roughly, before writers wait for it. */
  tailBytes: number;
  /** How long a command may take before it is answered `BUSY` (or `OUTCOME_UNKNOWN`). */
  commandTimeoutMs: number;
  /** How far a clock may be off the store's, or behind a ledger's head, before nothing is written. */
  clockToleranceMs: number;
  /** Ledgers whose writers are kept while idle. */
  idleWriters: number;
  /** How long an idle writer keeps what it knows of its ledger. */
  idleWriterMs: number;
  /** Events folded into one application to the read model; the embedded one, where that is one transaction, takes four times as many. */
  projectionEvents: number;
}

export const DEFAULT_LIMITS: LedgerLimits = {
  queueCommands: 10_000,
  bulkCommands: 1_500,
  batchCommands: 500,
  batchBytes: 900_000,
  tailEvents: 50_000,
  tailBytes: 67_108_864,
  commandTimeoutMs: 10_000,
  clockToleranceMs: 5_000,
  idleWriters: 256,
  idleWriterMs: 60_000,
  projectionEvents: 2_048,
};
