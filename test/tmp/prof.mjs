import { openSqliteEventStore } from '../../dist/libs/event-store/sqlite/index.js';
import { openSqliteReadModel } from '../../dist/libs/read-model/sqlite/index.js';
import { BindingLedger } from '../../dist/libs/ledger/src/binding-ledger.js';
import { ProjectionProgress } from '../../dist/libs/ledger/src/progress.js';
import { StreamNames } from '../../dist/libs/ledger/src/streams.js';
import { Projector } from '../../dist/libs/ledger/src/projector.js';
const store = await openSqliteEventStore({ folder: ':memory:' });
const readModel = openSqliteReadModel({ memory: true });
const streams = new StreamNames();
const progress = new ProjectionProgress(readModel);
const ledger = new BindingLedger({ store, readModel, streams, progress, check: async () => undefined, problemsOf: () => [],
  open: async () => ({ rules: { localModel: 'x', cardinality: 'one', dataSchema: null, indexes: [] }, backendRevision: 0, modelRevision: 0 }) });
const ending = new AbortController();
const projector = new Projector({ store, readModel, streams, projectCatalog: async () => {}, applied: progress.report, troubled: (t) => console.log(t), clock: Date.now, sleep: async () => {}, maxEvents: 2000 });
const running = projector.run(ending.signal);
const name = { backend: 'shop', model: 'm' };
const context = { actor: 'a', correlationId: 'c' };
const n = 50000;
for (const round of [0, 1]) {
  const t = performance.now(), c = process.cpuUsage();
  const groups = [];
  for (let i = 0; i < n; i += 250) {
    await ledger.room(name);
    groups.push(ledger.executeAll(name, Array.from({ length: 250 }, (_, j) => ({ command: { op: 'bind', recordId: `p${round}-${i + j}`, externalId: `e${round}-${i + j}`, syncDate: '2026-01-01T00:00:00.000Z' }, context }))));
  }
  await Promise.all(groups);
  console.log('bind', Math.round(n / ((performance.now() - t) / 1000)), '/s', 'cpu us per', (process.cpuUsage(c).user + process.cpuUsage(c).system) / n);
  await ledger.queries.await(name, { atLeast: 'head', timeoutMs: 60000 });
  console.log('projected', Math.round(n / ((performance.now() - t) / 1000)), '/s');
}
ending.abort();
await running; await ledger.close(); await store.close(); await readModel.close();
