import { BroadcastChannel } from 'node:worker_threads';

/** How often a follower looks although nobody told it that something was written: another process may have. */
export const POLL_INTERVAL_MS = 250;

/**
 * Tells followers that the store may have grown. Whoever commits to a file says so to all threads of the process that follow
 * the same file; other processes are noticed by the polling.
 */
export class ChangeSignal {
  readonly #file: string | undefined;
  readonly #waiting = new Set<() => void>();
  #channel: BroadcastChannel | undefined;
  #version = 0;
  #closed = false;

  /** Without a file nobody but this object's owner writes. */
  constructor(file?: string) {
    this.#file = file;
  }

  /** Listens from now on. The answer, taken before a read, makes sure that what is written after the read is not missed. */
  watch(): number {
    this.#open();
    return this.#version;
  }

  /** Something was written by the owner of this object. */
  announce(): void {
    this.#open()?.postMessage(null);
    this.#notify();
  }

  #notify(): void {
    this.#version += 1;
    for (const wake of this.#waiting) wake();
  }

  /** Waits for a notification that is newer than `version` (from `watch`), for the next look at the file, or for the abort. */
  async wait(version: number, signal: AbortSignal): Promise<void> {
    if (version !== this.#version || signal.aborted) return;
    await new Promise<void>((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      const timer = this.#file === undefined ? undefined : setTimeout(wake, POLL_INTERVAL_MS).unref();
      this.#waiting.add(wake);
      signal.addEventListener('abort', wake);
    });
  }

  close(): void {
    this.#closed = true;
    this.#channel?.close();
    this.#channel = undefined;
    this.#notify();
  }

  #open(): BroadcastChannel | undefined {
    if (this.#channel === undefined && this.#file !== undefined && !this.#closed) {
      this.#channel = new BroadcastChannel(`binding-ledger:${this.#file}`);
      this.#channel.onmessage = () => this.#notify();
      this.#channel.unref();
    }
    return this.#channel;
  }
}
