/** Refusals as problem details (RFC 9457), and as errors of the lines of a bulk stream. */
import { isRefusal, type Problem } from '#domain';
import { PROBLEM_KINDS, type ProblemCode } from './problem-codes.js';

/** A refusal of the ledger, or of this face of it. */
export interface Refused {
  refused: ProblemCode;
  detail: string;
  holder?: object;
  candidates?: object[];
  errors?: Problem[];
  details?: Record<string, unknown>;
}

export interface ProblemDocument {
  type: string;
  title: string;
  status: number;
  detail: string;
  /** Absent only where HTTP itself says it all: a fault of the server. */
  code?: ProblemCode;
  retryable: boolean;
  [member: string]: unknown;
}

export interface LineError {
  code: ProblemCode;
  detail: string;
  retryable: boolean;
  [member: string]: unknown;
}

export function problemOf({ refused, details, ...rest }: Refused): ProblemDocument {
  const { status, title, retryable } = PROBLEM_KINDS[refused];
  return { ...details, ...rest, type: `/errors/${refused}`, title, status, code: refused, retryable };
}

export function lineErrorOf({ refused, details, ...rest }: Refused): LineError {
  return { code: refused, ...rest, ...details, retryable: PROBLEM_KINDS[refused].retryable };
}

/** Carries a refusal out of a controller to the filter that answers it. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';

  constructor(readonly refusal: Refused) {
    super(refusal.refused);
  }
}

export function refusedError(code: ProblemCode, detail: string, more: Omit<Refused, 'refused' | 'detail'> = {}): RefusedError {
  return new RefusedError({ refused: code, detail, ...more });
}

/** The answer, if it is one. @throws {RefusedError} for a refusal. */
export function orThrow<T extends object>(answer: T): Exclude<T, { refused: ProblemCode }> {
  if (isRefusal(answer)) throw new RefusedError(answer);
  return answer as Exclude<T, { refused: ProblemCode }>;
}
