import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { NO_STREAM, START } from '#event-store';
import { openDatabase, setPragma } from '#sqlite';
import { append, many, nameOf, range, readToEnd, readWhole, revisionsOf } from '../../../test/support/event-store/events.js';
import { Follower } from '../../../test/support/event-store/follower.js';
import { Program } from '../../../test/support/program.js';
import { temporaryFolders } from '../../../test/support/temporary-folders.js';
import { Transpiled } from '../../../test/support/transpiled.js';
import { LEDGER_FILE, openSqliteEventStore } from './index.js';

const newFolder = temporaryFolders();
const transpiled = new Transpiled(['libs/event-store/sqlite/index.ts', 'libs/event-store/sqlite/append-worker.ts']);
afterAll(() => transpiled.remove());

const openInThread = (folder: string) => openSqliteEventStore({ folder, appendIn: 'thread' });

/** Opens the folder as a server does, and appends ten events at a time to "a", saying what is acknowledged, until it is killed. */
const writer = transpiled.write(
  'writer.js',
  `import { randomUUID } from 'node:crypto';
   import { openSqliteEventStore } from '#event-store/sqlite';
   const store = await openSqliteEventStore({ folder: process.argv[2] }).catch((error) => {
     console.log(error.name + ' ' + error.code + ': ' + error.message);
     process.exit(3);
   });
   for (let revision = await store.headRevision('a'); ; ) {
     const batch = Array.from({ length: 10 }, (_, i) => ({ id: randomUUID(), type: 'T', data: { n: revision + 1 + i }, metadata: {} }));
     ({ revision } = await store.append('a', revision, batch));
     console.log(revision);
   }`,
);

describe('a second process', () => {
  it('that opens the folder gets one clear error, and the first goes on', async () => {
    const folder = newFolder();
    const first = new Program(writer, folder);
    await first.line();
    const second = new Program(writer, folder);
    expect(await second.rest()).toEqual([expect.stringMatching(/^EventStoreError IN_USE: .* is in use: stop what has it open/)]);
    expect(await second.ended).toEqual({ code: 3, signal: null, stderr: '' });
    await expect(openInThread(folder)).rejects.toMatchObject({
      name: 'EventStoreError',
      code: 'IN_USE',
      message: expect.stringContaining(folder),
    });
    await first.line();
    await first.kill();
  });

  it('may read along, and sees what the first appends', async () => {
    const folder = newFolder();
    const first = new Program(writer, folder);
    await first.line();
    const reading = await openSqliteEventStore({ folder, readOnly: true });
    const follower = new Follower(reading, { streamPrefixes: [''], after: START });
    await follower.until(() => follower.caughtUp);
    const events = await follower.take(follower.events.length + 100);
    expect(revisionsOf(events)).toEqual(range(0, events.length - 1));
    await reading.close();
    await first.kill();
  });
});

describe('a process that is killed', () => {
  it('loses nothing that was acknowledged, and the folder opens again', async () => {
    const folder = newFolder();
    let head = -1;
    for (const acknowledgements of [1, 17, 40]) {
      const program = new Program(writer, folder);
      for (let count = 0; count < acknowledgements; count += 1) head = Number(await program.line());
      await program.kill();
      const unread = (await program.rest()).map(Number);
      const acknowledged = unread.at(-1) ?? head;
      const store = await openInThread(folder);
      head = await store.headRevision('a');
      // What was written but not acknowledged yet may be there too, but only as a whole append.
      expect(head).toBeGreaterThanOrEqual(acknowledged);
      expect((head + 1) % 10).toBe(0);
      const { events } = await readToEnd(store, 'a', START);
      expect(events.map(({ data }) => data['n'])).toEqual(range(0, head));
      await store.close();
    }
  });
});

describe('a folder', () => {
  it('opened again has the same events at the same places', async () => {
    const folder = join(newFolder(), 'made', 'for', 'it');
    const [one, stream] = [await openInThread(folder), nameOf('kept')];
    await append(one, stream, NO_STREAM, many(3));
    const before = await readWhole(one, stream);
    await one.close();
    const two = await openSqliteEventStore({ folder, appendWorker: transpiled.url('libs/event-store/sqlite/append-worker.ts') });
    expect(await readWhole(two, stream)).toEqual(before);
    const next = await append(two, stream, 2, many(1));
    expect(next.position > (before.at(-1)?.position ?? '')).toBe(true);
    await two.close();
  });

  it('that a newer version wrote is refused with a message that says so, and is not touched', async () => {
    const folder = newFolder();
    await (await openInThread(folder)).close();
    const db = openDatabase(join(folder, LEDGER_FILE));
    setPragma(db, 'user_version', 99);
    db.close();
    const refusal = { code: 'UNAVAILABLE', message: expect.stringMatching(/schema version 99.*newer version/) };
    await expect(openInThread(folder)).rejects.toMatchObject(refusal);
    // Not IN_USE: a store that could not be opened holds nothing.
    await expect(openInThread(folder)).rejects.toMatchObject(refusal);
    await expect(openSqliteEventStore({ folder, readOnly: true })).rejects.toMatchObject(refusal);
  });

  it('whose file is no database is refused with a message that names it', async () => {
    const folder = newFolder();
    writeFileSync(join(folder, LEDGER_FILE), 'nonsense '.repeat(1_000));
    const message = expect.stringContaining(join(folder, LEDGER_FILE));
    await expect(openInThread(folder)).rejects.toMatchObject({ name: 'EventStoreError', code: 'UNAVAILABLE', message });
  });

  it('that cannot be a folder is refused', async () => {
    const file = join(newFolder(), 'file');
    writeFileSync(file, '');
    await expect(openInThread(file)).rejects.toMatchObject({ name: 'EventStoreError', code: 'UNAVAILABLE' });
  });
});

describe('a store opened for reading', () => {
  it('refuses appends, takes no lock, and reads what the writing one appends', async () => {
    const folder = newFolder();
    await expect(openSqliteEventStore({ folder, readOnly: true })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(existsSync(join(folder, LEDGER_FILE))).toBe(false);
    const writing = await openInThread(folder);
    const reading = await openSqliteEventStore({ folder, readOnly: true });
    await append(writing, 'a', NO_STREAM, many(2));
    expect(revisionsOf(await readWhole(reading, 'a'))).toEqual([0, 1]);
    await expect(reading.append('a', 1, many(1))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('reading only'),
    });
    await reading.ping();
    await writing.close();
    expect(await reading.headRevision('a')).toBe(1);
    await reading.close();
  });

  it('opens a folder that nobody writes', async () => {
    const folder = newFolder();
    const writing = await openInThread(folder);
    await append(writing, 'a', NO_STREAM, many(2));
    await writing.close();
    const reading = await openSqliteEventStore({ folder, readOnly: true });
    expect(await reading.headRevision('a')).toBe(1);
    await reading.close();
  });
});

it('the clock of the store stamps what is appended, and a repeat is answered with the first stamp', async () => {
  let now = Date.UTC(2025, 2, 3, 12);
  const store = await openSqliteEventStore({ folder: ':memory:', clock: () => now });
  const batch = many(2);
  expect(await store.append('a', NO_STREAM, batch)).toMatchObject({ storedAt: '2025-03-03T12:00:00.000Z' });
  now += 1_500;
  expect(await store.append('a', NO_STREAM, batch)).toMatchObject({ storedAt: '2025-03-03T12:00:00.000Z' });
  expect(await store.append('a', 1, many(1))).toMatchObject({ storedAt: '2025-03-03T12:00:01.500Z' });
  expect((await readWhole(store, 'a')).map(({ storedAt }) => storedAt.slice(17))).toEqual(['00.000Z', '00.000Z', '01.500Z']);
  await store.close();
});
