/**
 * The ledger under everything that can go wrong: its real writers, projectors and backend services over simulated stores, with a
 * scheduler that decides by a seed whose turn it is. See README.md beside this file.
 */
import { describe, expect, it } from 'vitest';
import { historyOf } from './history.js';
import { planOf } from './plan.js';
import { run } from './run.js';
import { shrink } from './shrink.js';
import { testSeeds } from './suite.js';

const SEEDS = 300;
const one = process.env['MODEL_SEED'];

describe('the model', () => {
  testSeeds(Number(one ?? 1), one === undefined ? Number(process.env['MODEL_SEEDS'] ?? SEEDS) : 1);

  it('comes to the same with the same seed', async () => {
    const [once, again] = [await run(planOf(7)), await run(planOf(7))];
    expect(historyOf(again)).toBe(historyOf(once));
    expect(again.steps).toBe(once.steps);
  });

  it('shrinks a history to what it fails by', async () => {
    const moves = async (plan: ReturnType<typeof planOf>) =>
      (await run(plan)).events.some(({ type }) => type === 'ExternalIdReplaced');
    let seed = 1;
    while (!(await moves(planOf(seed)))) seed += 1;
    const shortest = await shrink(planOf(seed), moves);
    expect(await moves(shortest)).toBe(true);
    expect(shortest.steps.length).toBeLessThanOrEqual(4);
  });
});
