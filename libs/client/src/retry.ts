/** When a failed call is tried again: bounded, with full jitter, and as the server asked for. */
import { sleep, type Deadline } from './deadline.js';
import type { LedgerError } from './errors.js';

export interface RetryOptions {
  /** Tries of a call in all; default 5. */
  attempts?: number;
  /** The wait before retry n is drawn from 0 … `baseDelayMs × 2ⁿ⁻¹`, after what `Retry-After` asks for; default 200. */
  baseDelayMs?: number;
  /** Upper end of what is drawn from; default 10,000. */
  maxDelayMs?: number;
  /** Told before each wait. What it throws ends the call. */
  onRetry?: (retry: RetryNotice) => void;
}

export interface RetryNotice {
  /** The try that failed, from 1. */
  attempt: number;
  delayMs: number;
  error: LedgerError;
  /** Such as `POST /v1/backends`. */
  request: string;
}

/** A server that asks for a longer pause is not waited for. */
export const MAX_RETRY_AFTER_MS = 300_000;
const DEFAULTS = { attempts: 5, baseDelayMs: 200, maxDelayMs: 10_000 };

export class RetryPolicy {
  readonly attempts: number;
  readonly #options: RetryOptions & typeof DEFAULTS;

  constructor(options: RetryOptions | false = {}) {
    const given = options === false ? { attempts: 1 } : options;
    this.#options = {
      ...given,
      attempts: given.attempts ?? DEFAULTS.attempts,
      baseDelayMs: given.baseDelayMs ?? DEFAULTS.baseDelayMs,
      maxDelayMs: given.maxDelayMs ?? DEFAULTS.maxDelayMs,
    };
    this.attempts = this.#options.attempts;
  }

  /** Waits before the next try. @throws the error itself when there is to be none. */
  async pause(error: LedgerError, attempt: number, request: string, deadline: Deadline, attempts = this.attempts): Promise<void> {
    const delayMs = this.delayMs(error, attempt);
    const tooLong = delayMs > deadline.remainingMs || (error.retryAfterMs ?? 0) > MAX_RETRY_AFTER_MS;
    if (!error.retryable || attempt >= attempts || tooLong) throw error;
    this.#options.onRetry?.({ attempt, delayMs, error, request });
    try {
      await sleep(delayMs, deadline.signal);
    } catch {
      throw deadline.callerAborted ? deadline.callerReason : error;
    }
  }

  /** How long to wait after the nth failure in a row. */
  delayMs(error: LedgerError, attempt: number): number {
    return (error.retryAfterMs ?? 0) + this.#jitterMs(attempt);
  }

  #jitterMs(attempt: number): number {
    const { baseDelayMs, maxDelayMs } = this.#options;
    return Math.random() * Math.min(maxDelayMs, baseDelayMs * 2 ** (attempt - 1));
  }
}
