/** A bar on a terminal's standard error; nothing anywhere else. */
import { SingleBar } from 'cli-progress';

export interface ProgressBar {
  update(done: number, members: Record<string, number>): void;
  /** Shows what is waited for, until the next update. Without a bar: `undefined`. */
  waiting: ((text: string) => void) | undefined;
  stop(): void;
}

const SILENT: ProgressBar = { update: () => {}, waiting: undefined, stop: () => {} };
const REDRAWS_A_SECOND = 8;
/** The rate is that of the last so many milliseconds at most, so that a pause does not count for ever. */
const RATE_WINDOW_MS = 30_000;
const MAX_STATUS_LENGTH = 80;

/** @param members what stands beside the bar, such as `{lines} lines` */
export function progressBar(
  total: number | undefined,
  members: string,
  { stream = process.stderr, begun = 0 }: { stream?: NodeJS.WriteStream; begun?: number } = {},
): ProgressBar {
  if (total === undefined || !stream.isTTY) return SILENT;
  const bar = new SingleBar({
    stream,
    format: `{bar} {percentage}% | ${members} | {left}`,
    fps: REDRAWS_A_SECOND,
    hideCursor: true,
    clearOnComplete: true,
    gracefulExit: false,
  });
  const remaining = new Remaining(total, begun);
  let shown: Record<string, number> = Object.fromEntries([...members.matchAll(/\{(\w+)\}/g)].map(([, name]) => [name, 0]));
  let done = begun;
  bar.start(total, begun, { ...shown, left: '' });
  return {
    update: (now, of) => {
      done = Math.min(now, total);
      shown = of;
      bar.update(done, { ...of, left: remaining.text(done, performance.now()) });
    },
    waiting: (text) => bar.update(done, { ...shown, left: text.slice(0, MAX_STATUS_LENGTH) }),
    stop: () => bar.stop(),
  };
}

/** How long the rest takes, at the rate of the recent past. */
export class Remaining {
  #samples: { at: number; done: number }[] = [];

  constructor(
    private readonly total: number,
    private readonly begun: number,
  ) {}

  text(done: number, nowMs: number): string {
    const last = this.#samples.at(-1);
    // Once a second is often enough to know a rate by.
    if (last === undefined || nowMs - last.at >= 1_000)
      this.#samples.push({ at: nowMs, done: last === undefined ? this.begun : done });
    while (this.#samples.length > 2 && nowMs - (this.#samples[1]?.at ?? nowMs) >= RATE_WINDOW_MS) this.#samples.shift();
    const [first] = this.#samples;
    if (first === undefined || done <= first.done || nowMs <= first.at) return 'how long is not known yet';
    const seconds = Math.ceil(((this.total - done) * (nowMs - first.at)) / (done - first.done) / 1_000);
    return `${durationOf(seconds)} left`;
  }
}

function durationOf(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${seconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
