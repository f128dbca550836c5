import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ProjectionPace } from './projection-pace.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Whether it rests after so many events, at this moment. */
async function rests(pace: ProjectionPace, events = 1, restMs = 5): Promise<boolean> {
  let rested = false;
  void pace.rest(events).then(() => (rested = true));
  await vi.advanceTimersByTimeAsync(0);
  const atOnce = rested;
  await vi.advanceTimersByTimeAsync(restMs);
  expect(rested).toBe(true);
  return !atOnce;
}

it('rests a few milliseconds after events that came one by one, and not after many', async () => {
  const pace = new ProjectionPace();
  expect(await rests(pace, 1)).toBe(true);
  expect(await rests(pace, 63)).toBe(true);
  expect(await rests(pace, 64)).toBe(false);
});

it('rests longer where events come in bulk, and not when many came together or a query waits', async () => {
  const pace = new ProjectionPace(4_096);
  expect(await rests(pace, 1)).toBe(true);
  expect(await rests(pace, 64, 25)).toBe(true);
  expect(await rests(pace, 4_095, 25)).toBe(true);
  expect(await rests(pace, 4_096)).toBe(false);
  pace.hurry();
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
