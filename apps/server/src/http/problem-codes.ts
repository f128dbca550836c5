/** Every code of the API, with its status: the one place where they stand. `docs/errors.md` explains each. */
import type { RefusalCode } from '#domain';

/** Codes that only this face of the ledger has. */
export type ProblemCode =
  | RefusalCode
  | 'UNAUTHENTICATED'
  | 'FORBIDDEN'
  | 'ROUTE_NOT_FOUND'
  | 'METHOD_NOT_ALLOWED'
  | 'SUBSCRIBER_NOT_FOUND'
  | 'POSITION_GONE'
  | 'UNSUPPORTED_MEDIA_TYPE'
  | 'RATE_LIMITED';

export interface ProblemKind {
  status: number;
  title: string;
  /** Whether the same request may succeed later. */
  retryable: boolean;
}

const final = (status: number, title: string): ProblemKind => ({ status, title, retryable: false });
const passing = (status: number, title: string): ProblemKind => ({ status, title, retryable: true });

export const PROBLEM_KINDS: Readonly<Record<ProblemCode, ProblemKind>> = {
  MALFORMED: final(400, 'The request is not well formed'),
  UNAUTHENTICATED: final(401, 'A valid API key is needed'),
  FORBIDDEN: final(403, 'The API key does not permit this'),
  NOT_BOUND: final(404, 'Not bound'),
  BACKEND_NOT_FOUND: final(404, 'No such backend'),
  BACKEND_TYPE_NOT_FOUND: final(404, 'No such backend type'),
  MODEL_NOT_FOUND: final(404, 'No such model'),
  BINDING_NOT_FOUND: final(404, 'No such binding'),
  SUBSCRIBER_NOT_FOUND: final(404, 'No such subscriber'),
  ROUTE_NOT_FOUND: final(404, 'No such route'),
  METHOD_NOT_ALLOWED: final(405, 'The route does not have this method'),
  RECORD_ALREADY_BOUND: final(409, 'The record is bound to another external id'),
  EXTERNAL_ID_TAKEN: final(409, 'The external id is bound to another record'),
  AMBIGUOUS_RECORD: final(409, 'The record has several bindings'),
  BACKEND_EXISTS: final(409, 'The backend exists already'),
  BACKEND_IN_USE: final(409, 'The backend has live bindings'),
  BACKEND_PAUSED: passing(409, 'The backend is paused'),
  LEDGER_CLOSED: final(409, 'The backend is retired'),
  BATCH_REFUSED: final(409, 'Nothing of the batch was done'),
  IDEMPOTENCY_KEY_REUSED: final(409, 'The idempotency key was used for another request'),
  MODEL_CHANGE_VIOLATED: final(409, 'Existing bindings do not keep to the changed model'),
  VERSION_IN_USE: final(409, 'Backends use the version'),
  PARTLY_UNBOUND: final(409, 'Some ledgers refused to unbind the record'),
  TOO_MANY_BINDINGS: final(409, 'The record has the most bindings that it may have'),
  POSITION_GONE: final(410, 'The position is not known'),
  VERSION_MISMATCH: final(412, 'The binding is not the one that is meant'),
  TOO_LARGE: final(413, 'Too large'),
  UNSUPPORTED_MEDIA_TYPE: final(415, 'The media type is not supported'),
  INVALID_ID: final(422, 'Not an id'),
  INVALID_SYNC_DATE: final(422, 'Not a sync date'),
  INVALID_DATA: final(422, 'The data is not admitted'),
  INVALID_SETTINGS: final(422, 'The settings are not admitted'),
  INVALID_LOCATION: final(422, 'The location is not admitted'),
  INVALID_SCHEMA: final(422, 'The JSON Schema cannot be used'),
  UNKNOWN_VERSION: final(422, 'The backend type has no such version'),
  MODEL_BACKEND_MISMATCH: final(422, 'The model is for another type of backend'),
  FIELD_NOT_INDEXED: final(422, 'The field cannot be filtered on'),
  RATE_LIMITED: passing(429, 'Too many requests'),
  BUSY: passing(503, 'Too much is waiting'),
  NOT_YET_PROJECTED: passing(503, 'Not readable yet'),
  STORE_UNAVAILABLE: passing(503, 'The store cannot be used now'),
  OUTCOME_UNKNOWN: passing(503, 'It is not known whether it was done'),
};

/** What a caller is asked to wait, in seconds. */
export const RETRY_AFTER_SECONDS = 1;
