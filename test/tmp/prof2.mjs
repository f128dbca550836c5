import { rmSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { openLedger } from '../../dist/libs/runtime/src/index.js';
const LEDGER = { backend: 'shop', model: 'shop.product' };
const context = { actor: 'bench', correlationId: 'bench' };
rmSync('/tmp/p2', { recursive: true, force: true });
const opened = await openLedger({ data: '/tmp/p2' });
await opened.catalog.defineType({ type: 'shop' }, context);
await opened.catalog.defineModel({ model: LEDGER.model, backendType: 'shop', localModel: 'product' }, context);
await opened.backends.register({ id: LEDGER.backend, type: 'shop', location: 'https://shop.example' }, context);
const pair = (i) => [`product-${i}`, `sku-${(i * 7_919) % 1_000_003}-${i}`];
const session = new Session();
session.connect();
await session.post('Profiler.enable');
await session.post('Profiler.start');
const COUNT = 50000,
  BATCH = 500;
const t = performance.now(),
  c = process.cpuUsage();
const e0 = performance.eventLoopUtilization();
const answers = [];
for (let start = 0; start < COUNT; start += BATCH) {
  await opened.ledger.room(LEDGER);
  const requests = [];
  for (let i = start; i < start + BATCH; i += 1) {
    const [recordId, externalId] = pair(i);
    requests.push({ command: { op: 'bind', recordId, externalId, syncDate: '2026-01-01T00:00:00.000Z' }, context });
  }
  answers.push(opened.ledger.executeAll(LEDGER, requests));
}
await Promise.all(answers);
const ms = performance.now() - t;
const u = process.cpuUsage(c);
console.log(
  Math.round((COUNT / ms) * 1000),
  '/s cpu us/bind',
  (u.user + u.system) / COUNT,
  'elu',
  performance.eventLoopUtilization(e0).utilization,
);
const { profile: p } = await session.post('Profiler.stop');
const byId = new Map(p.nodes.map((n) => [n.id, n]));
const parent = new Map();
p.nodes.forEach((n) => n.children?.forEach((ch) => parent.set(ch, n.id)));
const incl = new Map(),
  self = new Map();
let tot = 0;
p.samples.forEach((s, i) => {
  const d = p.timeDeltas[i];
  tot += d;
  const seen = new Set();
  for (let id = s; id; id = parent.get(id)) {
    const n = byId.get(id);
    const k = n.callFrame.functionName + ' ' + n.callFrame.url.split('/').slice(-2).join('/') + ':' + n.callFrame.lineNumber;
    if (id === s) self.set(k, (self.get(k) || 0) + d);
    if (!seen.has(k)) {
      seen.add(k);
      incl.set(k, (incl.get(k) || 0) + d);
    }
  }
});
console.log('inclusive');
[...incl]
  .sort((a, b) => b[1] - a[1])
  .slice(0, 46)
  .forEach(([k, v]) =>
    console.log(
      ((v / tot) * 100).toFixed(1) + '%',
      (v / COUNT).toFixed(2) + 'us',
      k,
      'self',
      ((self.get(k) || 0) / COUNT).toFixed(2),
    ),
  );
await opened.close();
