import { cpSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { isRefusal, type LedgerName } from '#domain';
import type { DifferencesReport } from '#ledger';
import { openDatabase } from '#sqlite';
import {
  AUDITED,
  AUDITED_NAME,
  doAll,
  done,
  openAudited,
  Rows,
  writeAudited,
} from '../../../test/support/audit/audited-folder.js';
import { editRows } from '../../../test/support/read-model/edited-rows.js';
import { temporaryFolders } from '../../../test/support/temporary-folders.js';
import { openRebuilder, type RebuildReport, type Rebuilder, type Rebuilt } from './index.js';

const newFolder = temporaryFolders();
let original: string;
beforeAll(async () => {
  original = newFolder();
  await writeAudited(original);
});

/** The same folder again, to do things to. */
function copied(): string {
  const folder = newFolder();
  cpSync(original, folder, { recursive: true });
  return folder;
}

async function within<T>(folder: string, work: (rebuilder: Rebuilder) => Promise<T>): Promise<T> {
  const rebuilder = await openRebuilder({ data: folder, threads: 'none' });
  try {
    return await work(rebuilder);
  } finally {
    await rebuilder.close();
  }
}

const watch = () => ({ signal: new AbortController().signal, progress: () => undefined });

async function run<T extends RebuildReport>(folder: string, dryRun: boolean, ledger: LedgerName = AUDITED): Promise<T> {
  const report = await within(folder, (rebuilder) => rebuilder.rebuild(ledger, dryRun, watch()));
  if (isRefusal(report)) throw new Error(report.detail);
  return report as T;
}

const compare = (folder: string) => run<DifferencesReport>(folder, true);
const rebuild = (folder: string) => run<Rebuilt>(folder, false);

function count(folder: string, sql: string): unknown {
  const db = openDatabase(join(folder, 'read-model.sqlite'), { readOnly: true });
  try {
    return db.prepare<{ n: unknown }>(sql).get()?.n;
  } finally {
    db.close();
  }
}

describe('a dry run', () => {
  it('finds nothing in a read model that is as the events say, and changes nothing', async () => {
    const folder = copied();
    expect(await compare(folder)).toEqual({
      ledger: AUDITED_NAME,
      ok: true,
      revision: 15,
      compared: 5,
      differing: 0,
      differences: [],
    });
    expect(count(folder, 'SELECT count(*) n FROM ledgers')).toBe(1);
  });

  it('names each row that was edited, by binding and field', async () => {
    const folder = copied();
    let [gone, told] = ['', ''];
    editRows(folder, (edit) => {
      edit(`UPDATE bindings SET external_id = 'other', data = '{"x":1}' WHERE record_id = '8'`);
      edit(`UPDATE bindings SET state = 'unbound', unbound = 1 WHERE record_id = '10'`);
      edit(`DELETE FROM bindings WHERE record_id = '7'`);
      edit(`DELETE FROM history WHERE revision = 4`);
      edit(`UPDATE ledgers SET state = json_set(state, '$.counts.bound', 99)`);
    });
    const { ok, differing, differences } = await compare(folder);
    const of = (recordId: string) => count(folder, `SELECT id n FROM bindings WHERE record_id = '${recordId}'`);
    [gone, told] = [of('8') as string, of('10') as string];
    expect([ok, differing]).toEqual([false, differences.length]);
    const found = differences.map(({ bindingId, field, readModel, events }) => [bindingId, field, readModel, events]);
    expect(found).toEqual(
      expect.arrayContaining([
        [null, 'counts', expect.stringContaining('"bound":99'), expect.stringContaining('"bound":2')],
        [gone, 'externalId', '"other"', '"Großhandel"'],
        [gone, 'data', '{"x":1}', '{}'],
        [told, 'state', '"unbound"', '"pending"'],
        [expect.any(String), 'binding', null, expect.stringContaining('"recordId":"7"')],
        [expect.any(String), 'history', expect.any(String), expect.stringMatching(/\b4\b/)],
      ]),
    );
  });

  it('finds bindings that no event made, and a ledger that is lost', async () => {
    const folder = copied();
    editRows(folder, (edit) => {
      edit(`INSERT INTO bindings SELECT 999, ledger, unbound, 'made-up', 'x', 'y', sync_date, data, state, version, revision,
            created_at, updated_at, unbound_at, cause, reason, created_revision, external_hash FROM bindings WHERE record_id = '8'`);
    });
    const { differences } = await compare(folder);
    expect(differences).toContainEqual({
      bindingId: 'made-up',
      field: 'binding',
      readModel: expect.stringContaining('"externalId":"y"'),
      events: null,
    });
    editRows(folder, (edit) => edit('DELETE FROM ledgers'));
    expect((await compare(folder)).differences).toEqual([
      { bindingId: null, field: 'checkpoint', readModel: null, events: '15' },
    ]);
  });
});

describe('a rebuild of a folder that nobody has open', () => {
  it('makes the documents as the events say, in a generation of their own, and leaves no row of the former one', async () => {
    const folder = copied();
    const before = count(folder, 'SELECT generation n FROM ledgers');
    editRows(folder, (edit) => {
      edit(`UPDATE bindings SET external_id = 'other' WHERE record_id = '8'`);
      edit(`DELETE FROM history WHERE binding = (SELECT number FROM bindings WHERE record_id = '7')`);
      edit(`DELETE FROM bindings WHERE record_id = '7'`);
    });
    const { revision, generation } = await rebuild(folder);
    expect([revision, generation === before]).toEqual([15, false]);
    expect(await compare(folder)).toMatchObject({ ok: true, compared: 5 });
    expect(count(folder, 'SELECT count(*) n FROM ledgers')).toBe(1);
    for (const table of ['bindings', 'history', 'idempotency', 'binding_fields'])
      expect(count(folder, `SELECT count(DISTINCT ledger) n FROM ${table}`)).toBeLessThanOrEqual(1);
    expect(count(folder, 'SELECT count(*) n FROM bindings')).toBe(5);
  });

  it('goes on with what an interrupted one had built', async () => {
    const folder = copied();
    const stop = new AbortController();
    const seen: number[] = [];
    const progress = ({ revision }: { revision: number }) => {
      seen.push(revision);
      if (revision >= 6) stop.abort();
    };
    const rebuilder = await openRebuilder({ data: folder, threads: 'none', limits: { projectionEvents: 3 } });
    await expect(rebuilder.rebuild(AUDITED, false, { signal: stop.signal, progress })).rejects.toThrow(/abort/);
    await rebuilder.close();
    expect(seen.at(-1)).toBe(8);
    expect(count(folder, `SELECT checkpoint n FROM ledgers WHERE role = 'building'`)).toBe(11);
    const again: number[] = [];
    await within(folder, (opened) =>
      opened.rebuild(AUDITED, false, { signal: new AbortController().signal, progress: ({ revision }) => again.push(revision) }),
    );
    expect(again).toEqual([-1, 15]);
    expect(await compare(folder)).toMatchObject({ ok: true });
  });

  it('is refused for a ledger that is not there, and while a program has the folder', async () => {
    const folder = copied();
    const refused = within(folder, (rebuilder) => rebuilder.rebuild({ backend: 'no', model: 'no' }, false, watch()));
    expect(await refused).toMatchObject({ refused: 'BACKEND_NOT_FOUND' });
    const opened = await openAudited(folder);
    await expect(openRebuilder({ data: folder, threads: 'none' })).rejects.toMatchObject({ code: 'IN_USE' });
    await opened.close();
  });
});

describe('a read model that belongs to other events', () => {
  it('is repaired where it differs, though no ledger starts on it, when the events were restored from before', async () => {
    const folder = copied();
    const rows = new Rows(folder);
    rows.remove(9, 15);
    rows.db.exec(
      "DELETE FROM events WHERE position > (SELECT max(position) FROM events WHERE stream IN (SELECT no FROM streams WHERE name LIKE 'ledger-%'))",
    );
    rows.close();
    await expect(openAudited(folder)).rejects.toThrow(/ledger rebuild --data/);
    expect(await within(folder, (rebuilder) => rebuilder.ledgers(false))).toEqual([AUDITED]);
    expect(await compare(folder)).toMatchObject({ ok: false });
    expect(await rebuild(folder)).toMatchObject({ revision: 8 });
    const opened = await openAudited(folder);
    await doAll(opened, [{ op: 'bind', recordId: 'new', externalId: 'new' }]);
    done({ ...(await opened.queries.await(AUDITED, { atLeast: 'head', timeoutMs: 30_000 })) });
    expect(await opened.readModel.ledgerDocument(AUDITED)).toMatchObject({ checkpoint: 9 });
    await opened.close();
    expect(await compare(folder)).toMatchObject({ ok: true, revision: 9 });
  });

  it('is repaired when it lies beside the events of another store, and forgets ledgers that are not there', async () => {
    const folder = newFolder();
    await writeAudited(folder);
    for (const file of readdirSync(folder).filter((name) => name.startsWith('read-model.sqlite'))) rmSync(join(folder, file));
    for (const file of readdirSync(original).filter((name) => name.startsWith('read-model.sqlite')))
      cpSync(join(original, file), join(folder, file));
    editRows(folder, (edit) =>
      edit(`INSERT INTO ledgers SELECT 77, role, 'gone/gone.m', 'gone', 'gone.m', local_model, generation, checkpoint, hash, at, indexes, state
            FROM ledgers`),
    );
    await expect(openAudited(folder)).rejects.toThrow(/does not belong to the events/);
    const ledgers = await within(folder, (rebuilder) => rebuilder.ledgers(false));
    expect(ledgers).toEqual([{ backend: 'gone', model: 'gone.m' }, AUDITED]);
    for (const ledger of ledgers) await run(folder, false, ledger);
    await (await openAudited(folder)).close();
    expect(await compare(folder)).toMatchObject({ ok: true, revision: 15 });
  });
});
