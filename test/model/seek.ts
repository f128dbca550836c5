/** Run by itself: `seek.js <first seed> <seeds> [theme]` runs seeds until one fails, and prints which and why as JSON, or `{}`. */
import { planOf, type Theme } from './plan.js';
import { run } from './run.js';

const [first, seeds] = process.argv.slice(2, 4).map(Number) as [number, number];
const theme = process.argv[4] as Theme | undefined;
let found = {};
let running = first;
// A broken invariant that ends the process is what was looked for, too.
process.once('uncaughtException', ({ message: problem }) => {
  process.stdout.write(JSON.stringify({ seed: running, tried: running - first + 1, problem }));
  process.exit();
});
for (let seed = first; seed < first + seeds; seed += 1) {
  running = seed;
  const [problem] = (await run(planOf(seed, theme))).problems;
  if (problem === undefined) continue;
  found = { seed, tried: seed - first + 1, problem };
  break;
}
process.stdout.write(JSON.stringify(found));
