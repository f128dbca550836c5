import type { HandlerContext } from './subscriber.js';

/** One call of a handler. Its signal is made when the handler asks for it, which most do not. */
export class Attempt implements HandlerContext {
  readonly startedAt = performance.now();
  private controller: AbortController | undefined;
  private reason: Error | undefined;

  constructor(
    readonly subscriber: string,
    readonly position: string,
    readonly attempt: number,
    readonly replayed: boolean,
    private readonly cut: AbortSignal,
    private readonly isOverdue: (message: string) => void,
  ) {}

  get signal(): AbortSignal {
    this.controller ??= new AbortController();
    if (this.cut.aborted) this.abort(this.cut.reason as Error);
    if (this.reason !== undefined) this.controller.abort(this.reason);
    return this.controller.signal;
  }

  abort(reason: Error): void {
    this.reason ??= reason;
    this.controller?.abort(this.reason);
  }

  /** Once; the handler is told, and so are operators. */
  overdue(timeoutMs: number): void {
    if (this.reason !== undefined) return;
    const message = `the handler has been running for more than ${timeoutMs} ms; its ledger waits for it`;
    this.abort(new Error(message));
    this.isOverdue(message);
  }
}

/** One clock for all attempts that run: a timer for each would cost more than many a handler. */
export class OverdueWatch {
  private readonly running = new Set<Attempt>();
  private timer: NodeJS.Timeout | undefined;
  private readonly everyMs: number;

  constructor(
    private readonly timeoutMs: number,
    cut: AbortSignal,
  ) {
    this.everyMs = Math.ceil(timeoutMs / 8);
    cut.addEventListener('abort', () => {
      for (const attempt of this.running) attempt.abort(cut.reason as Error);
    });
  }

  watch(attempt: Attempt): void {
    this.running.add(attempt);
    this.timer ??= setInterval(() => this.look(), this.everyMs).unref();
  }

  forget(attempt: Attempt): void {
    this.running.delete(attempt);
  }

  private look(): void {
    const since = performance.now() - this.timeoutMs;
    for (const attempt of this.running) if (attempt.startedAt <= since) attempt.overdue(this.timeoutMs);
    if (this.running.size > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }
}
