import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { NO_STREAM } from '#event-store';
import { MEMORY, migrate, openDatabase, pragma, setPragma, SQLITE_BUSY, SQLITE_FULL } from '#sqlite';
import { FailingCommit } from '../../../test/support/event-store/failing-database.js';
import { event, many } from '../../../test/support/event-store/events.js';
import { temporaryFolders } from '../../../test/support/temporary-folders.js';
import { serializeAppend } from '../src/arguments.js';
import { AppendLog, type AppendJob } from './append-log.js';
import { EVENTS_SCHEMA } from './schema.js';

const newFolder = temporaryFolders();
/** The extended code of a flush that failed. */
const SQLITE_IOERR_FSYNC = 1_034;

function newLog() {
  const db = new FailingCommit(openDatabase(MEMORY));
  migrate(db, EVENTS_SCHEMA);
  const count = () => db.prepare<{ count: number }>('SELECT count(*) AS count FROM events').get()?.count;
  return { db, log: new AppendLog(db), count };
}

const job = (stream: string, expected: number, events = many(2)): AppendJob => ({
  stream,
  expected,
  storedAt: 1_700_000_000_000,
  ...serializeAppend(events),
});

describe('a group of appends', () => {
  it('is answered one by one, each on top of those before it', () => {
    const { db, log } = newLog();
    const first = job('a', NO_STREAM);
    const answers = log.appendGroup([first, job('b', NO_STREAM), job('a', 1), job('a', 1), first, job('b', 9)]);
    expect(answers).toMatchObject([
      { outcome: 'stands', revision: 1, position: 2 },
      { outcome: 'stands', revision: 1, position: 4 },
      { outcome: 'stands', revision: 3, position: 6 },
      { outcome: 'conflict', actual: 3 },
      { outcome: 'stands', revision: 1, position: 2 },
      { outcome: 'conflict', actual: 1 },
    ]);
    db.close();
  });

  it('of which one does not fit on the disk takes the others with it no more than it must', () => {
    const { db, log, count } = newLog();
    log.appendGroup([job('a', NO_STREAM)]);
    setPragma(db, 'max_page_count', Number(pragma(db, 'page_count')) + 20);
    const big = job('big', NO_STREAM, [event('Big', { filler: 'x'.repeat(500_000) })]);
    expect(log.appendGroup([job('a', 1), big, job('a', 3)])).toMatchObject([
      { outcome: 'stands', revision: 3 },
      { outcome: 'failed', code: 'UNAVAILABLE', message: expect.stringContaining('full') },
      { outcome: 'stands', revision: 5 },
    ]);
    expect(count()).toBe(6);
    setPragma(db, 'max_page_count', 10_000);
    expect(log.appendGroup([big])).toMatchObject([{ outcome: 'stands', revision: 0, position: 7 }]);
    db.close();
  });
});

it('an append that fails before the commit was certainly not written', () => {
  const { db, log, count } = newLog();
  db.exec(`CREATE TRIGGER refuse BEFORE INSERT ON events WHEN new.type = 'Refused' BEGIN SELECT raise(ABORT, 'refused'); END`);
  const refused = job('b', NO_STREAM, [event('Taken'), event('Refused')]);
  expect(log.appendGroup([job('a', NO_STREAM), refused, job('b', NO_STREAM)])).toMatchObject([
    { outcome: 'stands', revision: 1 },
    { outcome: 'failed', code: 'UNAVAILABLE', message: 'refused' },
    { outcome: 'stands', revision: 1 },
  ]);
  expect(count()).toBe(4);
  db.close();
});

describe('a commit that fails', () => {
  it.each([SQLITE_FULL, SQLITE_BUSY])('with result code %i wrote nothing', (errcode) => {
    const { db, log, count } = newLog();
    db.failNext = { errcode, committed: false };
    expect(log.appendGroup([job('a', NO_STREAM)])).toMatchObject([{ outcome: 'failed', code: 'UNAVAILABLE' }]);
    expect(count()).toBe(0);
    log.ping();
    expect(log.appendGroup([job('a', NO_STREAM)])).toMatchObject([{ outcome: 'stands' }]);
    db.close();
  });

  it.each([true, false])('in the flush may have written (it did: %s), and the same append again finds out', (committed) => {
    const { db, log, count } = newLog();
    const group = [job('a', NO_STREAM), job('b', NO_STREAM)];
    db.failNext = { errcode: SQLITE_IOERR_FSYNC, committed };
    const unknown = { outcome: 'failed', code: 'OUTCOME_UNKNOWN', message: 'disk I/O error' };
    expect(log.appendGroup(group)).toEqual([unknown, unknown]);
    expect(count()).toBe(committed ? 4 : 0);
    expect(log.appendGroup(group)).toMatchObject([{ outcome: 'stands' }, { outcome: 'stands' }]);
    expect(count()).toBe(4);
    db.close();
  });
});

it('a ping writes something after an append that failed, and only then: a full disk shows by nothing else', () => {
  const file = join(newFolder(), 'events.sqlite');
  const db = new FailingCommit(openDatabase(file));
  migrate(db, EVENTS_SCHEMA);
  const [log, onlooker] = [new AppendLog(db), openDatabase(file)];
  const written = () => pragma(onlooker, 'data_version');
  const before = written();
  log.ping();
  expect(written()).toBe(before);
  db.failNext = { errcode: SQLITE_FULL, committed: false };
  log.appendGroup([job('a', NO_STREAM)]);
  log.ping();
  const after = written();
  expect(after).not.toBe(before);
  log.ping();
  expect(written()).toBe(after);
  onlooker.close();
  db.close();
});
