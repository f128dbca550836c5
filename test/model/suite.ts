import { expect, it } from 'vitest';
import { coverageOf, EXPECTED_COVERAGE } from './coverage.js';
import { historyOf } from './history.js';
import { planOf } from './plan.js';
import { run } from './run.js';
import { shrink } from './shrink.js';

const SEEDS_AT_ONCE = 100;
/** Reading one failing history is enough work. */
const MAX_SHRUNK = 1;

/** Declares the tests of seeds, so many at once; what fails is shown with its shortest history. */
export function testSeeds(first: number, seeds: number): void {
  const last = first + seeds - 1;
  const covered = new Set<string>();
  for (let from = first; from <= last; from += SEEDS_AT_ONCE) {
    const to = Math.min(last, from + SEEDS_AT_ONCE - 1);
    it(`finds nothing wrong with seeds ${from} to ${to}`, async () => {
      const failed: number[] = [];
      for (let seed = from; seed <= to; seed += 1) {
        const done = await run(planOf(seed));
        for (const each of coverageOf(done)) covered.add(each);
        if (done.problems.length > 0) failed.push(seed);
      }
      for (const seed of failed.slice(0, MAX_SHRUNK)) await show(seed);
      expect(failed, 'seeds that failed; MODEL_SEED=<seed> runs one of them').toEqual([]);
    });
  }
  if (seeds < SEEDS_AT_ONCE) return;
  it('comes upon everything that it checks', () => {
    expect(EXPECTED_COVERAGE.filter((each) => !covered.has(each))).toEqual([]);
  });
}

async function show(seed: number): Promise<void> {
  const shortest = await shrink(planOf(seed), async (plan) => (await run(plan)).problems.length > 0);
  console.error(`The shortest history with a problem, from seed ${seed}:\n${historyOf(await run(shortest))}`);
}
