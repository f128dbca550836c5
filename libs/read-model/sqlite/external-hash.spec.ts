import { expect, it } from 'vitest';
import type { Binding } from '#domain';
import { migrate, openDatabase, type SqlValue } from '#sqlite';
import { AppliedLedger, byId } from '../../../test/support/read-model/applied-ledger.js';
import { ExternalHashes, FIRST_PERIOD_REVISIONS } from './external-hash.js';
import { openSqliteReadModel } from './index.js';
import { READ_MODEL_SCHEMA } from './schema.js';
import { prepareStatements, type Statements } from './statements.js';

it('finds external ids that bindings got at any time in the life of a large ledger', async () => {
  const read = await openSqliteReadModel({ memory: true });
  const ledger = await AppliedLedger.open({ write: read, read });
  await ledger.apply();
  const bound: Binding[] = [];
  const last = FIRST_PERIOD_REVISIONS * 2 ** 10;
  for (let revision = FIRST_PERIOD_REVISIONS; revision <= last; revision *= 2) {
    // The last event of a period, and the first of the next.
    await ledger.skipTo(revision - 2);
    for (const side of ['before', 'behind']) bound.push(ledger.bind(`${side} ${revision}`, `e ${side} ${revision}`));
    await ledger.apply();
  }
  const [first, second] = bound as [Binding, Binding];
  // One goes to another period, the other is bound anew in another.
  ledger.do({ op: 'bind', bindingId: first.id, externalId: 'replaced', ifBound: 'replace' });
  ledger.do({ op: 'unbind', bindingId: second.id });
  ledger.bind('anew', second.externalId as string);
  await ledger.apply();
  expect(await read.findByExternalId(ledger.name, first.externalId as string)).toBeUndefined();
  for (const binding of ledger.live()) {
    const externalId = binding.externalId as string;
    expect(await read.findByExternalId(ledger.name, externalId)).toEqual(binding);
    expect((await read.list(ledger.name, { externalId }, 10)).items).toEqual([binding]);
    expect((await read.history(ledger.name, { externalId }, -1, 10)).revisions).toContain(binding.revision);
    const keys = { recordIds: [], externalIds: [externalId], bindingIds: [], scopedKeys: [] };
    expect((await read.readForDecision(ledger.name, keys)).bindings).toEqual([binding]);
  }
  const all = ledger.live().map(({ externalId }) => externalId as string);
  expect(byId((await read.findByExternalIds(ledger.name, all)).bindings)).toEqual(byId(ledger.live()));
  await read.close();
});

it('finds a binding that gets its place in a later period while it is looked for', async () => {
  const read = await openSqliteReadModel({ memory: true });
  const ledger = await AppliedLedger.open({ write: read, read });
  const { id } = ledger.bind('1', 'e');
  await ledger.apply();
  await ledger.skipTo(FIRST_PERIOD_REVISIONS);
  const { statements } = read as unknown as { statements: Statements };
  const get = statements.liveByExternalId.get.bind(statements.liveByExternalId);
  let looks = 0;
  statements.liveByExternalId = Object.create(statements.liveByExternalId, {
    get: { value: (...of: SqlValue[]) => lookAndMove(...of) },
  }) as Statements['liveByExternalId'];
  const lookAndMove: typeof get = (...of) => {
    const row = get(...of);
    looks += 1;
    if (looks === 1) {
      ledger.do({ op: 'move', fromRecordId: '1', toRecordId: '2' });
      void ledger.apply();
    }
    return row;
  };
  expect(await read.findByExternalId(ledger.name, 'e')).toMatchObject({ id, recordId: '1' });
  expect(await read.findByExternalId(ledger.name, 'e')).toMatchObject({ id, recordId: '2' });
  // In the first period, then in the first and the second.
  expect(looks).toBe(3);
  await read.close();
});

it('finds an external id that is bound at the begin of a period while it is looked for', () => {
  const db = openDatabase(':memory:');
  migrate(db, READ_MODEL_SCHEMA);
  const hashes = new ExternalHashes(prepareStatements(db));
  // There is no such ledger yet: whatever is applied meanwhile is of the first periods.
  expect(hashes.ofAny(['e'], 1)).toEqual([hashes.of('e', 0)]);
  const insert =
    db.prepare(`INSERT INTO ledgers (number, role, name, backend, model, generation, checkpoint, hash, at, indexes, state)
    VALUES (?, 'current', ?, '', '', '', ?, '', '', '[]', '')`);
  insert.run(1, 'one', FIRST_PERIOD_REVISIONS - 1);
  expect(hashes.ofAny(['e'], 1)).toContain(hashes.of('e', FIRST_PERIOD_REVISIONS));
  insert.run(2, 'two', FIRST_PERIOD_REVISIONS * 8 - 1);
  const later = [0, 1, 2, 3, 4, 5, 6, 7, 8].map((times) => hashes.of('e', FIRST_PERIOD_REVISIONS * times));
  expect(hashes.ofAny(['e'], 2).sort()).toEqual([...new Set(later)].sort());
  db.close();
});
