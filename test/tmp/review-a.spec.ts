import { expect, it } from 'vitest';
import { openSqliteEventStore } from '#event-store/sqlite';
import { EventStoreError, type EventStore } from '#event-store';
import { openSqliteReadModel } from '#read-model/sqlite';
import { BindingLedger, ProjectionProgress, StreamNames } from '#ledger';

it('a head that cannot be confirmed while the next batch is prepared', async () => {
  const real = await openSqliteEventStore({ folder: ':memory:', appendIn: 'thread' });
  const readModel = await openSqliteReadModel({ memory: true });
  let failing = false;
  const store = new Proxy(real, {
    get(target, name) {
      if (name === 'headRevision' && failing) return async () => { throw new EventStoreError('UNAVAILABLE', 'gone'); };
      const value = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  }) as EventStore;
  const ledger = new BindingLedger({
    store, readModel, streams: new StreamNames(''), progress: new ProjectionProgress(readModel),
    open: async () => ({ rules: { localModel: 'p', cardinality: 'one', dataSchema: null, indexes: [] }, backendRevision: 0, modelRevision: 0 }),
    check: async () => undefined, problemsOf: () => [],
  });
  const seen: unknown[] = [];
  const on = (e: unknown) => seen.push(e);
  process.on('unhandledRejection', on);
  const name = { backend: 'shop', model: 'shop.product' };
  const ctx = { actor: 'a', correlationId: 'c' };
  await ledger.execute(name, { op: 'bind', recordId: '1', externalId: 'x' }, ctx);
  failing = true;
  const unbinds = (p: string) => Array.from({ length: 300 }, (_, i) => ({ command: { op: 'unbind' as const, recordId: `${p}${i}` }, context: ctx }));
  const answers = await Promise.all([ledger.executeAll(name, unbinds('a')), ledger.executeAll(name, unbinds('b')), ledger.executeAll(name, unbinds('c'))]);
  console.log(answers.map((a) => JSON.stringify(a[0])));
  await new Promise((r) => setTimeout(r, 50));
  process.off('unhandledRejection', on);
  console.log('unhandled', seen.length, String(seen[0]));
  await ledger.close();
});
