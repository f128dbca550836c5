import { NO_FAULTS } from './simulation/faults.js';
import type { Plan } from './plan.js';

/** A shorter plan is tried in the same order of turns, and in these others. */
const SCHEDULES = 10;
const MAX_TRIES = 1_500;

/** Leaves steps and faults out of a plan that fails, as long as it still fails. */
export async function shrink(plan: Plan, fails: (plan: Plan) => Promise<boolean>): Promise<Plan> {
  let tries = 0;
  let shortest = plan;
  const keepIfFailing = async (candidate: Plan): Promise<boolean> => {
    for (let other = 0; other < SCHEDULES && tries < MAX_TRIES; other += 1) {
      tries += 1;
      const changed = { ...candidate, schedule: candidate.schedule + other };
      if (!(await fails(changed))) continue;
      shortest = changed;
      return true;
    }
    return false;
  };
  await withoutSteps(() => shortest, keepIfFailing);
  for (const fault of Object.keys(NO_FAULTS)) await keepIfFailing({ ...shortest, rates: { ...shortest.rates, [fault]: 0 } });
  await keepIfFailing({ ...shortest, clockOffsetsMs: shortest.clockOffsetsMs.map(() => 0) });
  await withoutSteps(() => shortest, keepIfFailing);
  return shortest;
}

/** Half of the steps at once, then a quarter, and so on down to each by itself. */
async function withoutSteps(shortest: () => Plan, keepIfFailing: (candidate: Plan) => Promise<boolean>): Promise<void> {
  for (let size = Math.ceil(shortest().steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < shortest().steps.length;) {
      const { steps } = shortest();
      const kept = [...steps.slice(0, from), ...steps.slice(from + size)];
      if (!(await keepIfFailing({ ...shortest(), steps: kept }))) from += size;
    }
  }
}
