/** Why something was not done. Refusals are values; their codes are stable and stand in the HTTP contract. */
import type { Binding } from './ledger.js';

export type RefusalCode =
  | 'MALFORMED'
  | 'NOT_BOUND'
  | 'BACKEND_NOT_FOUND'
  | 'BACKEND_TYPE_NOT_FOUND'
  | 'MODEL_NOT_FOUND'
  | 'BINDING_NOT_FOUND'
  | 'RECORD_ALREADY_BOUND'
  | 'EXTERNAL_ID_TAKEN'
  | 'AMBIGUOUS_RECORD'
  | 'BACKEND_EXISTS'
  | 'BACKEND_IN_USE'
  | 'BACKEND_PAUSED'
  | 'LEDGER_CLOSED'
  | 'BATCH_REFUSED'
  | 'IDEMPOTENCY_KEY_REUSED'
  | 'MODEL_CHANGE_VIOLATED'
  | 'VERSION_IN_USE'
  | 'PARTLY_UNBOUND'
  | 'TOO_MANY_BINDINGS'
  | 'VERSION_MISMATCH'
  | 'TOO_LARGE'
  | 'INVALID_ID'
  | 'INVALID_SYNC_DATE'
  | 'INVALID_DATA'
  | 'INVALID_SETTINGS'
  | 'INVALID_LOCATION'
  | 'INVALID_SCHEMA'
  | 'UNKNOWN_VERSION'
  | 'MODEL_BACKEND_MISMATCH'
  | 'FIELD_NOT_INDEXED'
  | 'BUSY'
  | 'NOT_YET_PROJECTED'
  | 'STORE_UNAVAILABLE'
  | 'OUTCOME_UNKNOWN';

export interface Problem {
  path: string;
  message: string;
}

export interface Refusal {
  refused: RefusalCode;
  detail: string;
  /** The binding in the way: `RECORD_ALREADY_BOUND`, `EXTERNAL_ID_TAKEN`. */
  holder?: Binding;
  /** The bindings to choose from: `AMBIGUOUS_RECORD`. */
  candidates?: Binding[];
  /** What is wrong where: `INVALID_DATA`, `INVALID_SETTINGS`, `MALFORMED`. */
  errors?: Problem[];
  /** Anything else that helps the caller: counts, examples, refusals of a batch. */
  details?: Record<string, unknown>;
}

export function refuse(code: RefusalCode, detail: string, more: Omit<Refusal, 'refused' | 'detail'> = {}): Refusal {
  return { refused: code, detail, ...more };
}

export function isRefusal(value: object): value is Refusal {
  // A report of what was refused elsewhere has a member of the same name; a code is what makes a refusal.
  return 'refused' in value && typeof value.refused === 'string';
}
