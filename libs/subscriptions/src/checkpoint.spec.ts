/** The checkpoint, whatever the order in which things are done. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CheckpointTracker, type InFlight } from './checkpoint.js';
import { Lanes } from './lanes.js';

const textOf = (position: number): string => String(position).padStart(6, '0');

describe('the checkpoint', () => {
  it('is the highest position below which everything is done, after every step of any schedule', () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.record({ kind: fc.constant('begin' as const), gap: fc.integer({ min: 1, max: 5 }) }) },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant('finish' as const), which: fc.nat() }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('pass' as const), gap: fc.integer({ min: 0, max: 5 }) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const tracker = new CheckpointTracker(textOf(0));
        const open: { position: number; entry: InFlight }[] = [];
        const begun: number[] = [];
        let last = 0;
        for (const each of steps) {
          if (each.kind === 'finish') {
            const [chosen] = open.length === 0 ? [] : open.splice(each.which % open.length, 1);
            if (chosen !== undefined) tracker.finish(chosen.entry);
          } else {
            last += each.gap;
            if (each.kind === 'begin') begun.push(last);
            if (each.kind === 'begin') open.push({ position: last, entry: tracker.begin(textOf(last)) });
            else tracker.passed(textOf(last));
          }
          // The model: everything that was handed out or looked at, up to just before the lowest that is open.
          const lowest = Math.min(...open.map(({ position }) => position));
          expect(Number(tracker.checkpoint)).toBeLessThan(lowest);
          if (open.length === 0) expect(tracker.checkpoint).toBe(textOf(last));
          expect(tracker.inFlight).toBe(begun.filter((position) => position > Number(tracker.checkpoint)).length);
        }
        for (const { entry } of open) tracker.finish(entry);
        expect([tracker.checkpoint, tracker.inFlight]).toEqual([textOf(last), 0]);
      }),
      { numRuns: 500 },
    );
  });

  it('never goes back, and refuses what comes out of order', () => {
    const tracker = new CheckpointTracker('5');
    expect(() => tracker.begin('5')).toThrow(/does not come after/);
    expect(() => tracker.passed('4')).toThrow(/does not come after/);
    tracker.passed('5');
    const [six, seven] = [tracker.begin('6'), tracker.begin('7')];
    tracker.finish(seven);
    expect(tracker.checkpoint).toBe('5');
    tracker.passed('9');
    tracker.finish(six);
    tracker.finish(six);
    expect(tracker.checkpoint).toBe('9');
  });
});

describe('what nobody wants', () => {
  it('takes no room while something is in flight, however much it is', () => {
    const tracker = new CheckpointTracker(textOf(0));
    const [slow, quick] = [tracker.begin(textOf(1)), tracker.begin(textOf(2))];
    for (let position = 3; position < 2_000; position += 1) tracker.passed(textOf(position));
    tracker.finish(quick);
    for (let position = 2_000; position < 5_000; position += 1) tracker.passed(textOf(position));
    expect([tracker.inFlight, tracker.checkpoint]).toEqual([2, textOf(0)]);
    tracker.finish(slow);
    expect([tracker.inFlight, tracker.checkpoint]).toEqual([0, textOf(4_999)]);
  });
});

describe('lanes', () => {
  it('under any schedule do the work of each in order, never twice at once, and no more than allowed over all', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(fc.nat({ max: 4 }), { maxLength: 60 }),
        fc.integer({ min: 1, max: 3 }),
        async (scheduler, works, concurrency) => {
          const broken: unknown[] = [];
          const lanes = new Lanes(concurrency, (error) => broken.push(error));
          const tracker = new CheckpointTracker(textOf(0));
          const [running, finished] = [new Set<number>(), new Map<number, number[]>()];
          works.forEach((lane, index) => {
            const entry = tracker.begin(textOf(index + 1));
            lanes.push(String(lane), () =>
              lanes.inTurn(async () => {
                expect(running.has(lane)).toBe(false);
                running.add(lane);
                expect(running.size).toBeLessThanOrEqual(concurrency);
                await scheduler.schedule(Promise.resolve());
                running.delete(lane);
                finished.set(lane, [...(finished.get(lane) ?? []), index]);
                tracker.finish(entry);
              }),
            );
          });
          await scheduler.waitIdle();
          await lanes.idle();
          expect(broken).toEqual([]);
          for (const [lane, done] of finished) expect(done).toEqual(works.flatMap((of, index) => (of === lane ? [index] : [])));
          expect(tracker.checkpoint).toBe(textOf(works.length));
        },
      ),
      { numRuns: 200 },
    );
  });

  it('tell what work threw, and begin nothing after it', async () => {
    const broken: unknown[] = [];
    const lanes = new Lanes(1, (error) => broken.push(error));
    const done: string[] = [];
    const failure = new Error('a bug');
    lanes.push('a', () => Promise.reject(failure));
    lanes.push('a', async () => void done.push('a'));
    await lanes.idle();
    lanes.push('b', async () => void done.push('b'));
    await lanes.idle();
    expect([broken, done]).toEqual([[failure], []]);
  });
});
