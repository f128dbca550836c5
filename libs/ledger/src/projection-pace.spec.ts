import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ProjectionPace } from './projection-pace.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Whether it rests after so many events, at this moment. */
async function rests(pace: ProjectionPace, events = 1): Promise<boolean> {
  let rested = false;
  const resting = pace.rest(events).then(() => (rested = true));
  await vi.advanceTimersByTimeAsync(0);
  const atOnce = rested;
  await vi.advanceTimersByTimeAsync(5);
  await resting;
  return !atOnce;
}

it('rests a few milliseconds after events that came one by one, and not after many', async () => {
  const pace = new ProjectionPace();
  expect(await rests(pace, 1)).toBe(true);
  expect(await rests(pace, 63)).toBe(true);
  expect(await rests(pace, 64)).toBe(false);
});

it('does not rest while a query waits, and ends the rest that it is in', async () => {
  const pace = new ProjectionPace();
  let rested = false;
  const resting = pace.rest(1).then(() => (rested = true));
  pace.hurry();
  await vi.advanceTimersByTimeAsync(0);
  expect(rested).toBe(true);
  await resting;
  expect(await rests(pace)).toBe(false);
  await vi.advanceTimersByTimeAsync(50);
  expect(await rests(pace)).toBe(true);
  expect(vi.getTimerCount()).toBe(0);
});
