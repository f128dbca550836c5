/**
 * Work that many want to do at once, a few in each turn of the event loop, in the order in which they asked: so that whatever else the
 * process has to do never waits for all of them.
 */
export class Turns {
  private waiting: (() => void)[] = [];
  private running = false;

  constructor(private readonly perTurn: number) {}

  /** Resolves when it is the caller's turn. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      if (this.running) return;
      this.running = true;
      setImmediate(() => this.run());
    });
  }

  private run(): void {
    for (const resolve of this.waiting.splice(0, this.perTurn)) resolve();
    this.running = this.waiting.length > 0;
    if (this.running) setImmediate(() => this.run());
  }
}
