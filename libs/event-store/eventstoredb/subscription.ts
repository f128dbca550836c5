import { setTimeout as sleep } from 'node:timers/promises';
import type { SubscriptionBatch } from '#event-store';
import { isDenied, isNotLeader, readFailure, Stalled } from './errors.js';
import type { Arrived, Live, LiveTimes } from './live.js';
import type { Source } from './sources.js';

/** At most this many events in one batch. */
const MAX_BATCH_EVENTS = 512;
const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 2_000;

/**
 * Follows a source for ever. A subscription that is dropped, or does not give what it should, is replaced by another one behind
 * the last event that was handed on; what lay in its buffer comes again from the store. What no repetition mends is thrown.
 */
export async function* follow(
  source: Source,
  times: LiveTimes,
  signal: AbortSignal,
): AsyncGenerator<SubscriptionBatch, void, undefined> {
  for (let failures = 0; !signal.aborted; failures += 1) {
    let live: Live | undefined;
    try {
      live = await source.begin();
      while (!signal.aborted) {
        const arrived = live.take(MAX_BATCH_EVENTS);
        if (arrived !== undefined) {
          failures = 0;
          yield batchOf(source, arrived);
        } else if (!(await live.more(times, signal)) && (await source.isBehind())) {
          throw new Stalled('the subscription gives nothing though there is more');
        }
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!mayPass(error)) throw readFailure(error);
    } finally {
      live?.stop();
    }
    await pause(failures, signal);
  }
}

function batchOf(source: Source, arrived: Arrived): SubscriptionBatch {
  source.advance(arrived);
  return { events: arrived.events, position: source.position, caughtUp: arrived.caughtUp };
}

/** A node that is away comes back; who is refused access, or follows a stream that was deleted for good, is to be told. */
function mayPass(error: unknown): boolean {
  return isNotLeader(error) || (!isDenied(error) && readFailure(error).code === 'UNAVAILABLE');
}

/** Longer after each failure, up to a bound, and never the same for two processes. */
async function pause(failures: number, signal: AbortSignal): Promise<void> {
  const ms = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(failures, 10)) * (0.5 + Math.random() / 2);
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
