import { test } from 'vitest';
import { writeFileSync } from 'node:fs';
import { Transpiled } from '../../support/transpiled.js';
test('emit', () => {
  const t = new Transpiled(['test/model/run.ts', 'test/model/plan.ts']);
  t.write('main.js', `
import { planOf } from './test/model/plan.js';
import { run } from './test/model/run.js';
const from = Number(process.argv[2]), count = Number(process.argv[3]);
const started = performance.now(); let steps = 0, failed = 0;
for (let seed = from; seed < from + count; seed++) { const r = await run(planOf(seed)); steps += r.steps; if (r.problems.length) { failed++; if (failed < 6) console.log(seed, r.problems[0].slice(0, 1500)); } }
console.log(failed, 'failed', count, 'seeds', steps, 'steps', Math.round(performance.now() - started), 'ms', process.cpuUsage().user / 1000, 'cpu ms');
`);
  writeFileSync('/tmp/emitted', t.folder);
});
