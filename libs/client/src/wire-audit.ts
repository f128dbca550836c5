/** Verification and export, as the API has them. */
import type { JsonObject } from './values.js';
import type { Digest } from './wire-bindings.js';

export interface VerifyRequest {
  /** What the ledger was once, kept elsewhere. */
  digest?: { revision: number; hash: string };
  /** The same of several revisions, at most 4,000: each is compared. */
  digests?: { revision: number; hash: string }[];
  /** Believe the digest and recompute only the chain after it: quick, but nothing else is checked. */
  onlyAfter?: boolean;
}

export interface VerifyProgress {
  checkedRevisions: number;
  headRevision: number;
}

export interface Verification {
  ok: boolean;
  /** `<backend>/<model>` */
  ledger: string;
  /** Events that were found good. */
  checkedRevisions: number;
  /** Of the last of them. */
  digest: { revision: number; hash: string; at?: string };
  /** The first event that is not what it was, or cannot have been written there. */
  firstBad?: { revision: number; eventId: string | null; why: string };
  /** Absent when it was not compared: the events before its checkpoint are not good, or `onlyAfter`. */
  readModel?: {
    ok: boolean;
    checkpoint: number;
    compared: number;
    differing: { bindingId: string; why: string }[];
    notes: string[];
  };
}

export interface ExportHeader {
  format: 'binding-ledger-export';
  formatVersion: number;
  backend: string;
  model: string;
  exportedAt: string;
}

/** An event as it is stored. */
export interface ExportedEvent {
  revision: number;
  id: string;
  type: string;
  data: JsonObject;
  metadata: JsonObject;
}

/** Lines of an export: the header, the events, and at last the digest. */
export type ExportLine = ExportHeader | ExportedEvent | { digest: Digest };
