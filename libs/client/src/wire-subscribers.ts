/** Durable subscribers as the API shows them. */

/** A durable subscriber of an application on the ledger. */
export interface Subscriber {
  name: string;
  /** `waiting`: no instance runs it now. `stopped`: it does not go on, and `stopped` says why. */
  state: 'running' | 'waiting' | 'stopped';
  stopped: string | null;
  /** Which instance runs it, since when, and its last sign of life. */
  instance: string | null;
  since: string;
  seenAt: string;
  filter: {
    [member in 'backend' | 'model' | 'type' | 'recordId' | 'cause' | 'direction' | 'actor' | 'correlationId']?: readonly string[];
  };
  /** Everything up to here is handled or parked. */
  position: string;
  /** Events after the position, whether the filter wants them or not; `more`: there are more, not counted. */
  lag: { events: number; more: boolean; seconds: number };
  parked: { events: number; bindings: number; oldestAt: string | null; oldestSeconds: number };
  lastError: {
    at: string;
    message: string;
    backend?: string;
    model?: string;
    bindingId?: string;
    revision?: number;
    attempt?: number;
  } | null;
  /** What was asked of it and is not done yet. */
  requests: { id: string; action: 'replay' | 'skip' | 'reset'; at: string; actor?: string; reason?: string }[];
}

/** A binding whose first parked event could not be handled; the others wait behind it. */
export interface ParkedBinding {
  backend: string;
  model: string;
  bindingId: string;
  recordId: string;
  error: string;
  triedAt: string;
  attempts: number;
  events: { revision: number; position: string; type: string; parkedAt: string }[];
}

export interface ParkedBindingName {
  backend: string;
  model: string;
  bindingId: string;
}
