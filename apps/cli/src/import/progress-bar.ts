/** A bar on a terminal's standard error; nothing anywhere else. */
import { SingleBar } from 'cli-progress';

export interface ProgressBar {
  update(bytes: number, lines: number, refused: number): void;
  stop(): void;
}

const SILENT: ProgressBar = { update: () => {}, stop: () => {} };
const FORMAT = '{bar} {percentage}% | {lines} lines, {refused} refused | {eta_formatted} left';
const REDRAWS_A_SECOND = 8;

export function progressBar(totalBytes: number | undefined, stream: NodeJS.WriteStream = process.stderr): ProgressBar {
  if (totalBytes === undefined || !stream.isTTY) return SILENT;
  const bar = new SingleBar({
    stream,
    format: FORMAT,
    fps: REDRAWS_A_SECOND,
    hideCursor: true,
    clearOnComplete: true,
    gracefulExit: false,
  });
  bar.start(totalBytes, 0, { lines: 0, refused: 0 });
  return {
    update: (bytes, lines, refused) => bar.update(Math.min(bytes, totalBytes), { lines, refused }),
    stop: () => bar.stop(),
  };
}
