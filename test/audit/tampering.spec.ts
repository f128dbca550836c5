/** Whoever has the files can change them. Each change is found, and named by where it is. */
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { VerifyOptions, VerifyReport } from '#audit';
import { isRefusal } from '#domain';
import { openAudit, type OpenedAudit } from '#runtime';
import { openDatabase } from '#sqlite';
import { AUDITED, AUDITED_NAME, hashIn, Rows, writeAudited, type Row } from '../support/audit/audited-folder.js';
import { temporaryFolders } from '../support/temporary-folders.js';

const newFolder = temporaryFolders();
let original: string;
let events: Row[];
let folder: string;
let rows: Rows;
let opened: OpenedAudit;

beforeAll(async () => {
  original = newFolder();
  await writeAudited(original);
  const before = new Rows(original);
  events = before.all();
  before.close();
});
beforeEach(async () => {
  folder = newFolder();
  cpSync(original, folder, { recursive: true });
  rows = new Rows(folder);
  opened = await openAudit({ data: folder });
});
afterEach(async () => {
  rows.close();
  await opened.close();
  rmSync(folder, { recursive: true, force: true });
});
afterAll(() => rmSync(original, { recursive: true, force: true }));

async function verify(options: VerifyOptions = {}): Promise<VerifyReport> {
  const report = await opened.audit.verify(AUDITED, options);
  if (isRefusal(report)) throw new Error(`refused ${report.refused}: ${report.detail}`);
  return report;
}

const digestAt = (revision: number) => ({ revision, hash: hashIn(events[revision] as Row) });
const head = () => events.length - 1;

describe('a ledger that nobody touched', () => {
  it('is what it was, and so is its read model', async () => {
    const last = events.at(-1) as Row;
    expect(events.length).toBeGreaterThan(14);
    expect(new Set(events.map(({ type }) => type)).size).toBeGreaterThanOrEqual(11);
    expect(await verify({ digest: digestAt(5) })).toEqual({
      ok: true,
      ledger: AUDITED_NAME,
      checkedRevisions: events.length,
      digest: { revision: last.revision, hash: hashIn(last), at: expect.any(String) },
      readModel: { ok: true, checkpoint: last.revision, compared: 5, differing: [], notes: [] },
    });
  });
});

describe('a byte that is flipped', () => {
  const FIELDS = ['data', 'metadata', 'type', 'id'] as const;
  /** Every byte of some events, so that all members, quotes, commas and brackets have their turn, and some bytes of all. */
  const STEP = 11;

  it.each(FIELDS)('in the %s of any event is found, and named', async (field) => {
    let flips = 0;
    for (const event of events) {
      const bytes = Buffer.from(event[field]);
      for (let at = event.revision % STEP; at < bytes.length; at += STEP) {
        const flipped = Buffer.from(bytes);
        flipped[at] = (flipped[at] as number) ^ 1;
        rows.set(event.revision, field, flipped.toString());
        const { ok, firstBad } = await verify();
        expect([ok, firstBad?.revision, flipped.toString()]).toEqual([false, event.revision, flipped.toString()]);
        expect(firstBad?.why).toMatch(/hash|cannot be read|no JSON object/);
        flips += 1;
      }
      rows.set(event.revision, field, event[field]);
    }
    expect((await verify()).ok).toBe(true);
    expect(flips).toBeGreaterThan(events.length);
  });

  it('in a hash is found at that event, which is named', async () => {
    for (const event of events) {
      const hash = hashIn(event);
      rows.set(
        event.revision,
        'metadata',
        event.metadata.replace(
          hash,
          hash.replace(/^./, (digit) => (digit === '0' ? '1' : '0')),
        ),
      );
      expect((await verify()).firstBad).toEqual({
        revision: event.revision,
        eventId: event.id,
        why: expect.stringContaining('its hash does not follow from its content and the event before'),
      });
      rows.set(event.revision, 'metadata', event.metadata);
    }
  });
});

describe('an event', () => {
  it('that is dropped is missed at its revision', async () => {
    for (const { revision } of events.slice(0, -1)) {
      rows.remove(revision);
      const why = `the event is missing: revision ${revision + 1} comes next`;
      expect((await verify()).firstBad).toEqual({ revision, eventId: null, why });
      rows.insert(events[revision] as Row);
    }
    expect((await verify()).ok).toBe(true);
  });

  it('that is dropped, with those behind it moved up, is found where the next one stands', async () => {
    rows.remove(4);
    rows.shift(4, -1);
    expect((await verify()).firstBad).toMatchObject({ revision: 4, eventId: events[5]?.id });
  });

  it('that is inserted is found, also when its hash is right: the next one no longer follows', async () => {
    rows.shift(4, 1);
    rows.insert({ ...(events[4] as Row), revision: 5 });
    expect((await verify()).firstBad).toMatchObject({ revision: 5, eventId: events[4]?.id });
    rows.remove(5);
    const { data, metadata } = events[5] as Row;
    rows.insert({ revision: 5, id: '019570b8-5e00-7000-8000-000000000001', type: 'LedgerResumed', data, metadata });
    const whole = rows.all();
    rows.rehash(5);
    for (const row of whole.slice(6)) rows.set(row.revision, 'metadata', row.metadata);
    expect((await verify()).firstBad).toMatchObject({ revision: 6, eventId: events[5]?.id });
  });

  it('that changes places with its neighbour is found at the first of the two', async () => {
    const [first, second] = [events[6] as Row, events[7] as Row];
    for (const field of ['id', 'type', 'data', 'metadata'] as const) {
      rows.set(6, field, second[field]);
      rows.set(7, field, first[field]);
    }
    expect((await verify()).firstBad).toMatchObject({ revision: 6, eventId: second.id });
  });

  it('that was changed with a right hash of its own is found at the next event', async () => {
    const { data } = events[3] as Row;
    rows.set(3, 'data', data.replace('Großhandel', 'Kleinhandel'));
    const kept = rows.all();
    rows.rehash(3);
    for (const row of kept.slice(4)) rows.set(row.revision, 'metadata', row.metadata);
    expect((await verify()).firstBad).toMatchObject({ revision: 4, eventId: events[4]?.id });
  });
});

describe('events that are cut off at the end', () => {
  it('are missed by the read model that has applied them', async () => {
    rows.remove(head() - 2, head());
    expect((await verify()).firstBad).toEqual({
      revision: head() - 2,
      eventId: null,
      why: `the stream ends at revision ${head() - 3}, but the read model has applied revision ${head()}: events were cut off`,
    });
  });

  it('are missed by a digest kept earlier, and by nothing else when the read model is gone too', async () => {
    rows.remove(head() - 2, head());
    await opened.close();
    for (const end of ['', '-wal', '-shm']) rmSync(join(folder, `read-model.sqlite${end}`), { force: true });
    opened = await openAudit({ data: folder });
    expect(await verify()).toMatchObject({ ok: true, checkedRevisions: head() - 2 });
    const why = `the stream ends at revision ${head() - 3}, but the digest kept is of revision ${head()}: events were cut off`;
    expect((await verify({ digest: digestAt(head()) })).firstBad).toEqual({ revision: head() - 2, eventId: null, why });
    expect((await verify({ digest: digestAt(head()), onlyAfter: true })).firstBad).toMatchObject({ revision: head() - 2 });
    expect((await verify({ digest: digestAt(head() - 3) })).ok).toBe(true);
  });
});

describe('a member that an event has twice', () => {
  it.each([
    ['data', '{"recordId":"other",', '"recordId"'],
    ['data', '{"r\\u0065cordId":"other",', '"recordId"'],
    ['metadata', '{ "actor":"nobody",', '"actor"'],
  ] as const)('in its %s is found, though parsing passes over it: %s', async (field, begin, member) => {
    const { [field]: text } = events[2] as Row;
    rows.set(2, field, `${begin}${text.slice(1)}`);
    const why = `its text has the member ${member} twice`;
    expect((await verify()).firstBad).toEqual({ revision: 2, eventId: events[2]?.id, why });
  });
});

describe('a chain that was made anew from a changed event on', () => {
  beforeEach(() => {
    rows.set(3, 'data', (events[3] as Row).data.replace('Großhandel', 'Kleinhandel'));
    rows.set(9, 'metadata', (events[9] as Row).metadata.replace('"job"', '"nobody"'));
    rows.rehash(3);
  });

  it('is another than that of a digest kept earlier', async () => {
    expect((await verify({ digest: digestAt(2) })).firstBad).not.toMatchObject({ why: expect.stringContaining('digest') });
    const { firstBad } = await verify({ digest: digestAt(4) });
    expect(firstBad).toMatchObject({ revision: 4, eventId: events[4]?.id, why: expect.stringContaining('digest kept') });
  });

  it('is found by any of several digests, also when the newest was taken afterwards', async () => {
    const newest = { revision: head(), hash: hashIn(rows.all()[head()] as Row) };
    expect((await verify({ digests: [newest] })).firstBad).not.toMatchObject({ why: expect.stringContaining('digest') });
    for (const digests of [
      [digestAt(4), newest],
      [newest, digestAt(4)],
      [newest, digestAt(head()), digestAt(4)],
    ])
      expect((await verify({ digests })).firstBad).toMatchObject({ revision: 4, why: expect.stringContaining('digest kept') });
    expect((await verify({ digest: digestAt(1), digests: [newest, digestAt(7)], onlyAfter: true })).firstBad).toMatchObject({
      revision: 7,
    });
  });

  it('is found after a digest, without looking at what is before it', async () => {
    const { ok, firstBad } = await verify({ digest: digestAt(6), onlyAfter: true });
    expect([ok, firstBad]).toEqual([false, { revision: 6, eventId: events[6]?.id, why: expect.stringContaining('digest kept') }]);
    const before = digestAt(1);
    expect(await verify({ digest: before, onlyAfter: true })).toMatchObject({ ok: true, checkedRevisions: events.length - 1 });
  });
});

describe('a read model that was edited', () => {
  const edit = (sql: string) => {
    const db = openDatabase(join(folder, 'read-model.sqlite'));
    db.exec(sql);
    db.close();
  };
  const idOf = (recordId: string) => {
    const db = openDatabase(join(folder, 'read-model.sqlite'));
    const { id } = db
      .prepare<{ id: string }>('SELECT id FROM bindings WHERE record_id = ? ORDER BY number DESC')
      .get(recordId) as {
      id: string;
    };
    db.close();
    return id;
  };

  const COLUMNS: [column: string, value: string, named: RegExp][] = [
    ['record_id', "'9'", /recordId is "9", the events say "8"/],
    ['external_id', "'x'", /externalId is "x", the events say "Großhandel"/],
    ['sync_date', "'2026-01-05T00:00:00.000Z'", /syncDate is .*, the events say null/],
    ['data', `'{"a":1}'`, /data is/],
    ['state', "'pending'", /state is "pending", the events say "bound"/],
    ['version', '7', /version is 7, the events say 1/],
    ['revision', '2', /revision is 2/],
    ['revision', '99999', /revision is 99999/],
    ['created_at', "'2026-01-05T00:00:00.000Z'", /createdAt is/],
    ['updated_at', "'2026-01-05T00:00:00.000Z'", /updatedAt is/],
    ['data', "'{'", /its document cannot be read/],
  ];

  it.each(COLUMNS)('in %s of a binding (%s) is found, and the binding named', async (column, value, named) => {
    const bindingId = idOf('8');
    edit(`UPDATE bindings SET ${column} = ${value} WHERE id = '${bindingId}'`);
    const { ok, firstBad, readModel } = await verify();
    expect([ok, firstBad, readModel?.ok]).toEqual([false, undefined, false]);
    expect(readModel?.differing).toEqual([{ bindingId, why: expect.stringMatching(named) }]);
  });

  it.each(['unbound_at', 'cause', 'reason'])('in %s of an unbound binding is found, and the binding named', async (column) => {
    edit(`UPDATE bindings SET ${column} = 'requested' WHERE cause = 'missingInBackend'`);
    expect((await verify()).readModel?.differing).toEqual([
      { bindingId: expect.any(String), why: expect.stringContaining('is "requested"') },
    ]);
  });

  it('by a binding that is deleted, or made up, is found, and the binding named', async () => {
    const bindingId = idOf('10');
    edit(`DELETE FROM bindings WHERE id = '${bindingId}'`);
    edit(`INSERT INTO bindings SELECT number + 100, ledger, unbound, 'made-up', 'r', 'e', sync_date, data, state, version, revision,
      created_at, updated_at, unbound_at, cause, reason, created_revision, external_hash FROM bindings WHERE record_id = '8'`);
    expect((await verify()).readModel?.differing).toEqual([
      { bindingId: 'made-up', why: 'no event of the stream is about it' },
      { bindingId, why: 'it is not in the read model' },
    ]);
  });

  it.each([
    ['state', `replace(state, '"bound":2', '"bound":3')`, 'counts'],
    ['state', `replace(state, '"cardinality":"one"', '"cardinality":"many"')`, 'rules'],
    ['hash', `'${'0'.repeat(64)}'`, 'hash'],
    ['at', "'2026-01-05T00:00:00.000Z'", 'time'],
  ])('in %s of the ledger (%s) is found, and named', async (column, value, named) => {
    edit(`UPDATE ledgers SET ${column} = ${value}`);
    const { ok, readModel } = await verify();
    expect([ok, readModel?.ok, readModel?.notes]).toEqual([false, false, [expect.stringContaining(named)]]);
  });
});
