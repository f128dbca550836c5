import { expect, test } from 'vitest';
import { planOf } from './plan.js';
import { run } from './run.js';

test('smoke', async () => {
  const started = performance.now();
  let steps = 0;
  const from = Number(process.env['FROM'] ?? 1);
  const count = Number(process.env['MODEL_SEEDS'] ?? 50);
  const failed = new Map<string, number[]>();
  for (let seed = from; seed < from + count; seed += 1) {
    const result = await run(planOf(seed));
    steps += result.steps;
    for (const problem of result.problems.slice(0, 1))
      failed.set(problem.slice(0, 1200), [...(failed.get(problem.slice(0, 1200)) ?? []), seed]);
  }
  console.log(
    [...failed]
      .slice(0, 8)
      .map(([p, s]) => `${s.join(',')}: ${p}`)
      .join('\n\n'),
  );
  console.log(`${failed.size} kinds; ${count} seeds, ${steps} steps, ${Math.round(performance.now() - started)} ms`);
  expect(failed.size).toBe(0);
}, 600_000);
