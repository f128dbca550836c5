/** One lane per ledger: work of a lane is done in order and never overlaps; over all lanes only so much at once. */
export class Lanes {
  private readonly queues = new Map<string, (() => Promise<void>)[]>();
  private readonly waiting: (() => void)[] = [];
  private readonly idlers = new Set<() => void>();
  private free: number;
  private stopped = false;

  /** @param broken is told what a piece of work threw: work settles its own failures. */
  constructor(
    concurrency: number,
    private readonly broken: (error: unknown) => void,
  ) {
    this.free = concurrency;
  }

  /** Lanes that have work. */
  get busy(): number {
    return this.queues.size;
  }

  push(lane: string, work: () => Promise<void>): void {
    if (this.stopped) return;
    const queue = this.queues.get(lane);
    if (queue !== undefined) {
      queue.push(work);
      return;
    }
    const started = [work];
    this.queues.set(lane, started);
    void this.drain(lane, started);
  }

  /** Does something as one of those that may be done at once. */
  async inTurn<T>(act: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free -= 1;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    try {
      return await act();
    } finally {
      const next = this.waiting.shift();
      if (next === undefined) this.free += 1;
      else next();
    }
  }

  /** What has not begun is dropped. */
  stop(): void {
    this.stopped = true;
  }

  /** Resolves when no lane has work. */
  async idle(): Promise<void> {
    if (this.queues.size === 0) return;
    await new Promise<void>((resolve) => this.idlers.add(resolve));
  }

  private async drain(lane: string, queue: (() => Promise<void>)[]): Promise<void> {
    try {
      for (let work = queue.shift(); work !== undefined && !this.stopped; work = queue.shift()) await work();
    } catch (error) {
      this.stop();
      this.broken(error);
    } finally {
      this.queues.delete(lane);
      if (this.queues.size === 0) {
        for (const resolve of this.idlers) resolve();
        this.idlers.clear();
      }
    }
  }
}
