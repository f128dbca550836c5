import { isRefusal, type Refusal, type RefusalCode } from '#domain';
import type { LocatedRefusal } from '#ledger';

/** `NO_LOCAL_MODEL`: `Binder.unwrapModel` of a model that binds no local model. */
export type LedgerErrorCode = RefusalCode | 'NO_LOCAL_MODEL';
/** As the HTTP API's problem documents have it: `holder`, `candidates`, `errors` and details stand beside the code. */
export type LedgerProblem = Omit<Refusal, 'refused' | 'details'> & { code: LedgerErrorCode; [member: string]: unknown };

const RETRYABLE: ReadonlySet<LedgerErrorCode> = new Set([
  'BACKEND_PAUSED',
  'BUSY',
  'NOT_YET_PROJECTED',
  'STORE_UNAVAILABLE',
  'OUTCOME_UNKNOWN',
]);

/** A refusal as the `Binder` throws it; the buses answer refusals as values. Named and shaped like the HTTP client's error. */
export class LedgerError extends Error {
  override readonly name = 'LedgerError';
  /** Whether the same request may succeed later. */
  readonly retryable: boolean;

  constructor(readonly problem: LedgerProblem) {
    super(`${problem.detail} (${problem.code})`);
    this.retryable = RETRYABLE.has(problem.code);
  }

  get code(): LedgerErrorCode {
    return this.problem.code;
  }

  get detail(): string {
    return this.problem.detail;
  }
}

/** Whether a caught value is a `LedgerError`, and, when a code is given, one with that code. */
export function isLedgerError(error: unknown, code?: LedgerErrorCode): error is LedgerError {
  return error instanceof LedgerError && (code === undefined || error.code === code);
}

/** The answer, if it is one. @throws {LedgerError} for a refusal. */
export function orThrow<T extends object>(answer: T): Exclude<T, Refusal | LocatedRefusal> {
  if (!isRefusal(answer)) return answer as Exclude<T, Refusal | LocatedRefusal>;
  const { refused, details, ...problem } = answer;
  throw new LedgerError({ ...details, ...problem, code: refused });
}
