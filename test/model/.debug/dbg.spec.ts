import { test } from 'vitest';
import { planOf } from '/work/main/test/model/plan.js';
import { run } from '/work/main/test/model/run.js';
test('dbg', async () => {
  const r = await run(planOf(Number(process.env['SEED'])));
  console.log(r.plan.limits, r.plan.clockOffsetsMs, r.plan.rates, r.problems.map((p) => p.slice(0, 600)).slice(0, 4));
  for (const a of r.attempts.slice(-Number(process.env['LAST'] ?? 30))) console.log(a.by, JSON.stringify(a.requests.map((x) => [x.context.correlationId, x.command])).slice(0, 300), a.calledHead, a.answeredHead, JSON.stringify(a.results)?.slice(0, 300));
  if (process.env['EVENTS']) for (const e of r.events) console.log(e.revision, e.id, e.type, JSON.stringify(e.data), JSON.stringify(e.metadata).slice(0, 200));
});
