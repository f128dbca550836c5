/** The end of a run: running handlers finish, and what they did is saved. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Lanes } from './lanes.js';
import type { SaveSchedule } from './save-schedule.js';

const LONGEST_LOOK_MS = 250;
const RETRY_MS = 100;
/** What handlers get whose signal has just told them that the shutdown is over. */
const LAST_WORD_MS = 25;

export interface SettleTools {
  lanes: Lanes;
  schedule: SaveSchedule;
  shutdownMs: number;
  closing: AbortSignal;
  cut: AbortController;
  /** Another instance has the lease: nothing is saved any more. */
  isLost(): boolean;
  /** While handlers finish the lease is kept. */
  renew(): Promise<unknown>;
  /** False: it is to be tried again. */
  saveLast(): Promise<boolean>;
}

/** Running handlers finish, the lease is kept meanwhile, and what they did is saved. A shutdown waits only so long. */
export async function settle(tools: SettleTools): Promise<void> {
  const { lanes, schedule, shutdownMs, cut } = tools;
  const overdue = shutdownWatch(tools);
  for (let idle = lanes.idle(); lanes.busy > 0;) {
    await Promise.race([idle, sleep(Math.min(schedule.heartbeatMs, shutdownMs, LONGEST_LOOK_MS))]);
    if (lanes.busy === 0) break;
    if (overdue()) {
      if (cut.signal.aborted) break;
      cut.abort(new Error('the shutdown is over'));
      await Promise.race([idle, sleep(LAST_WORD_MS)]);
    }
    if (!tools.isLost() && schedule.heartbeatIsDue) await tools.renew();
  }
  while (!tools.isLost() && !(await tools.saveLast())) {
    if (overdue()) break;
    await sleep(RETRY_MS);
  }
}

function shutdownWatch({ closing, shutdownMs }: SettleTools): () => boolean {
  let since: number | undefined;
  return () => {
    if (!closing.aborted) return false;
    since ??= performance.now();
    return performance.now() - since > shutdownMs;
  };
}
