/** Ends what a call does: at its deadline, when the caller's signal aborts, or when it is over. */

/** Timers hold 31 bits; longer waits would fire at once. */
const MAX_TIMER_MS = 2_147_483_647;

export class Deadline {
  readonly #controller = new AbortController();
  readonly #caller: AbortSignal | undefined;
  readonly #endsAtMs: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #expired = false;

  constructor(timeoutMs: number, caller?: AbortSignal) {
    caller?.throwIfAborted();
    this.#caller = caller;
    this.#endsAtMs = performance.now() + timeoutMs;
    caller?.addEventListener('abort', this.#onCallerAbort, { once: true });
    if (timeoutMs <= MAX_TIMER_MS) this.#timer = setTimeout(() => this.#expire(), timeoutMs);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get expired(): boolean {
    return this.#expired;
  }

  get remainingMs(): number {
    return this.#endsAtMs - performance.now();
  }

  /** Sets a new deadline, from now. */
  arm(timeoutMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#expire(), timeoutMs);
  }

  /** Lifts the deadline; the caller's signal still counts. */
  disarm(): void {
    clearTimeout(this.#timer);
  }

  /** Releases timer and listener, and ends whatever still hangs on the signal. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#caller?.removeEventListener('abort', this.#onCallerAbort);
    this.#controller.abort();
  }

  /** Whether the caller's own signal ended the call, and why. */
  get callerAborted(): boolean {
    return this.#caller?.aborted ?? false;
  }

  get callerReason(): unknown {
    return this.#caller?.reason;
  }

  #expire(): void {
    this.#expired = true;
    this.#controller.abort();
  }

  readonly #onCallerAbort = (): void => this.#controller.abort(this.#caller?.reason);
}

/** Waits, or rejects as soon as the signal aborts. */
export function sleep(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    }, delayMs);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}
