/** The one error of this client: what the ledger refused, or why there is no answer of it. */
import type { Binding } from './wire-bindings.js';
import type { CommandProgress } from './wire-commands.js';

/** Codes of the HTTP API. */
export type ApiErrorCode =
  | 'MALFORMED'
  | 'UNAUTHENTICATED'
  | 'FORBIDDEN'
  | 'NOT_BOUND'
  | 'BACKEND_NOT_FOUND'
  | 'BACKEND_TYPE_NOT_FOUND'
  | 'MODEL_NOT_FOUND'
  | 'BINDING_NOT_FOUND'
  | 'SUBSCRIBER_NOT_FOUND'
  | 'ROUTE_NOT_FOUND'
  | 'METHOD_NOT_ALLOWED'
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
  | 'POSITION_GONE'
  | 'VERSION_MISMATCH'
  | 'TOO_LARGE'
  | 'UNSUPPORTED_MEDIA_TYPE'
  | 'INVALID_ID'
  | 'INVALID_SYNC_DATE'
  | 'INVALID_DATA'
  | 'INVALID_SETTINGS'
  | 'INVALID_LOCATION'
  | 'INVALID_SCHEMA'
  | 'UNKNOWN_VERSION'
  | 'MODEL_BACKEND_MISMATCH'
  | 'FIELD_NOT_INDEXED'
  | 'RATE_LIMITED'
  | 'BUSY'
  | 'NOT_YET_PROJECTED'
  | 'STORE_UNAVAILABLE'
  | 'OUTCOME_UNKNOWN';

/**
 * Codes of this client, beside those of the API; their `status` is 0 unless an answer came.
 * - `UNREACHABLE`: no answer came (refused, reset, name not found). A write may have been done.
 * - `DEADLINE_EXCEEDED`: `timeoutMs` passed. A write may have been done.
 * - `STREAM_CUT`: an answer that is a stream ended before its end.
 * - `UNEXPECTED_ANSWER`: what answered is not a binding ledger, or a proxy answered for it.
 * - `NO_LOCAL_MODEL`: `Binder.unwrapModel` of a model that binds no local model.
 */
export type ClientErrorCode = 'UNREACHABLE' | 'DEADLINE_EXCEEDED' | 'STREAM_CUT' | 'UNEXPECTED_ANSWER' | 'NO_LOCAL_MODEL';

/** Known codes; a newer server may send others. */
export type LedgerErrorCode = ApiErrorCode | ClientErrorCode | (string & {});

/** A problem document (RFC 9457) as the API sends it, or one of the same shape that this client made. */
export interface Problem {
  type?: string;
  title?: string;
  status: number;
  detail: string;
  code: LedgerErrorCode;
  retryable: boolean;
  /** Validation: what is wrong where. */
  errors?: { path: string; message: string }[];
  /** `RECORD_ALREADY_BOUND`, `EXTERNAL_ID_TAKEN`: the binding in the way. */
  holder?: Binding;
  /** `AMBIGUOUS_RECORD`: the bindings to choose from. */
  candidates?: Binding[];
  /** `PARTLY_UNBOUND`: what was unbound, and which ledgers refused. */
  unbound?: Binding[];
  refused?: { ledger: string; code: string }[];
  [member: string]: unknown;
}

export interface LedgerErrorContext {
  /** The request, such as `POST /v1/backends`. Never headers, never a body. */
  request?: string;
  /** From `Retry-After`, in milliseconds. */
  retryAfterMs?: number;
  cause?: unknown;
}

/** Statuses that a proxy answers while the ledger is away; a problem document says for itself whether it is retryable. */
const RETRYABLE_STATUSES = new Set([429, 502, 503, 504]);

/** Of a validation, so many stand in the message; `problem.errors` has them all. */
const SHOWN_ERRORS = 3;

/** What a call throws, except that an aborted call throws its signal's reason. Messages never hold keys, passwords or bodies. */
export class LedgerError extends Error {
  override readonly name = 'LedgerError';
  readonly code: LedgerErrorCode;
  /** HTTP status; 0 when no answer came. */
  readonly status: number;
  readonly detail: string;
  /** Whether the same request may succeed later; a write is to be repeated with the same idempotency key. */
  readonly retryable: boolean;
  /** The whole problem document, with members such as `holder`. */
  readonly problem: Problem;
  /** How long the server asked to wait, in milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** Of a write: the key that it was sent with, so that a repeat finds out what became of it. */
  idempotencyKey: string | undefined;
  /** Of a stream of commands: how far it came. Lines beyond `answered` may have been done. */
  progress: CommandProgress | undefined;

  constructor(problem: Problem, context: LedgerErrorContext = {}) {
    const { request, retryAfterMs, cause } = context;
    super(
      `${problem.detail}${whatIsWrong(problem)} (${request === undefined ? '' : `${request}: `}${problem.code})`,
      cause === undefined ? undefined : { cause },
    );
    this.code = problem.code;
    this.status = problem.status;
    this.detail = problem.detail;
    this.retryable = problem.retryable;
    this.problem = problem;
    this.retryAfterMs = retryAfterMs;
  }

  /** An error that no server sent. */
  static local(code: LedgerErrorCode, detail: string, context: LedgerErrorContext & { retryable?: boolean } = {}): LedgerError {
    return new LedgerError({ status: 0, detail, code, retryable: context.retryable ?? false }, context);
  }
}

/** The first few of `errors`, where the detail does not say them already. An answer of another server may have anything there. */
function whatIsWrong({ detail, errors }: { detail: string; errors?: unknown }): string {
  if (!Array.isArray(errors)) return '';
  const sentences = (errors as unknown[]).flatMap((each) => {
    const { path, message } = (each ?? {}) as { path?: unknown; message?: unknown };
    return typeof message !== 'string' || detail.includes(message)
      ? []
      : [`${typeof path === 'string' ? path : ''} ${message}`.trim()];
  });
  if (sentences.length === 0) return '';
  const shown = sentences.slice(0, SHOWN_ERRORS).join('; ');
  return `: ${shown}${sentences.length > SHOWN_ERRORS ? '; …' : ''}`;
}

/** Whether a caught value is a `LedgerError`, and, when a code is given, one with that code. */
export function isLedgerError(error: unknown, code?: LedgerErrorCode): error is LedgerError {
  return error instanceof LedgerError && (code === undefined || error.code === code);
}

/** The error that an answer of status 300 or more stands for. Reads the answer's body. */
export async function errorOfResponse(response: Response, request: string): Promise<LedgerError> {
  const text = await response.text();
  return new LedgerError(problemOf(text, response.status), {
    request,
    retryAfterMs: retryAfterOf(response.headers.get('retry-after')),
  });
}

function problemOf(text: string, status: number): Problem {
  const retryable = RETRYABLE_STATUSES.has(status);
  const sent = parseObject(text);
  // A page of a proxy could hold anything, so it is not repeated.
  if (typeof sent?.['code'] !== 'string')
    return { status, detail: `status ${status} without a problem document`, code: 'UNEXPECTED_ANSWER', retryable };
  return {
    ...sent,
    status,
    code: sent['code'],
    detail: typeof sent['detail'] === 'string' ? sent['detail'] : sent['code'],
    retryable: typeof sent['retryable'] === 'boolean' ? sent['retryable'] : retryable,
  };
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

/** `Retry-After` is a number of seconds or an HTTP date. */
function retryAfterOf(header: string | null): number | undefined {
  if (header === null) return undefined;
  const waitMs = /^\d+$/.test(header.trim()) ? Number(header) * 1_000 : Date.parse(header) - Date.now();
  return Number.isNaN(waitMs) ? undefined : Math.max(0, waitMs);
}
