/** A wait that can be ended early. */
export class Wakeup {
  private waking: (() => void) | undefined;

  wake(): void {
    this.waking?.();
  }

  wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.waking = undefined;
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.waking = wake;
    });
  }
}
