import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { MAX_PAGE_EVENTS, NO_STREAM, type EventStore } from '#event-store';
import { append, event, many, nameOf, readWhole } from '../../../test/support/event-store/events.js';
import { temporaryFolders } from '../../../test/support/temporary-folders.js';
import { Transpiled } from '../../../test/support/transpiled.js';
import { LEDGER_FILE, openSqliteEventStore } from './index.js';
import { MAX_WAITING_APPENDS, MAX_WAITING_BYTES, MAX_WORKER_RESTARTS } from './worker-appender.js';

const newFolder = temporaryFolders();
const transpiled = new Transpiled(['libs/event-store/sqlite/append-worker.ts']);
const appendWorker = transpiled.url('libs/event-store/sqlite/append-worker.ts');
afterAll(() => transpiled.remove());

/** The real worker, which dies before or after it executes a group where a file of that name says so: once, or always. */
const mortalWorker = transpiled.write(
  'mortal-worker.js',
  `import { existsSync, readFileSync, unlinkSync } from 'node:fs';
   import { workerData } from 'node:worker_threads';
   import { AppendLog } from ${JSON.stringify(transpiled.url('libs/event-store/sqlite/append-log.ts').href)};
   const dieIf = (when) => {
     const marker = workerData.file + '.' + when;
     if (!existsSync(marker)) return;
     if (readFileSync(marker, 'utf8') === 'once') unlinkSync(marker);
     process.exit(1);
   };
   const appendGroup = AppendLog.prototype.appendGroup;
   AppendLog.prototype.appendGroup = function (jobs) {
     dieIf('before');
     const answers = appendGroup.call(this, jobs);
     dieIf('after');
     return answers;
   };
   await import(${JSON.stringify(appendWorker.href)});`,
);

async function openMortal() {
  const folder = newFolder();
  const store = await openSqliteEventStore({ folder, appendWorker: pathToFileURL(mortalWorker) });
  const die = (when: 'before' | 'after', often: 'once' | 'always') =>
    writeFileSync(join(folder, `${LEDGER_FILE}.${when}`), often);
  return { store, die };
}

const codeOf = (append: Promise<unknown>) =>
  append.then(
    () => 'ok',
    (error: { code: string }) => error.code,
  );
const countOf = async (store: EventStore, stream: string) => (await readWhole(store, stream)).length;

describe('a worker that dies', () => {
  it.each(['before', 'after'] as const)(
    '%s the commit leaves the outcome unknown, and the same append again finds out',
    async (when) => {
      const { store, die } = await openMortal();
      const [stream, batch] = [nameOf('mortal'), many(3)];
      await append(store, stream, NO_STREAM, many(2));
      die(when, 'once');
      await expect(store.append(stream, 1, batch)).rejects.toMatchObject({ name: 'EventStoreError', code: 'OUTCOME_UNKNOWN' });
      expect(await countOf(store, stream)).toBe(when === 'before' ? 2 : 5);
      expect(await store.append(stream, 1, batch)).toMatchObject({ ok: true, revision: 4 });
      expect(await countOf(store, stream)).toBe(5);
      await store.ping();
      await store.close();
    },
  );

  it('answers everybody who waits for it', async () => {
    const { store, die } = await openMortal();
    die('before', 'once');
    const streams = Array.from({ length: 30 }, (_, index) => nameOf(`queued${index}`));
    const batches = streams.map(() => many(2));
    const appendAll = () =>
      Promise.all(streams.map((stream, index) => codeOf(store.append(stream, NO_STREAM, batches[index] ?? []))));
    expect(new Set(await appendAll())).toEqual(new Set(['OUTCOME_UNKNOWN']));
    expect(new Set(await appendAll())).toEqual(new Set(['ok']));
    for (const stream of streams) expect(await countOf(store, stream)).toBe(2);
    await store.close();
  });

  it('again and again is not started for ever: the store says that it is unavailable', async () => {
    const { store, die } = await openMortal();
    await append(store, 'before', NO_STREAM, many(1));
    die('before', 'always');
    const codes: string[] = [];
    for (let attempt = 0; attempt < MAX_WORKER_RESTARTS + 2; attempt += 1)
      codes.push(await codeOf(store.append('a', NO_STREAM, many(1))));
    expect(codes.slice(-2)).toEqual(['OUTCOME_UNKNOWN', 'UNAVAILABLE']);
    await expect(store.ping()).rejects.toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('ended') });
    expect(await countOf(store, 'before')).toBe(1);
    await store.close();
  });
});

describe('a worker that cannot start', () => {
  it.each([
    ['throws', 'throw new Error("no such luck")', /no such luck/],
    ['ends', 'process.exit(0)', /ended/],
  ])('because it %s is an error, and the folder is free again', async (name, program, message) => {
    const folder = newFolder();
    const broken = pathToFileURL(transpiled.write(`worker-that-${name}.js`, program));
    await expect(openSqliteEventStore({ folder, appendWorker: broken })).rejects.toMatchObject({ code: 'UNAVAILABLE', message });
    await (await openSqliteEventStore({ folder, appendWorker })).close();
  });

  it('because it is not there is an error that says what to do', async () => {
    const missing = new URL('./nowhere.js', import.meta.url);
    const opening = openSqliteEventStore({ folder: newFolder(), appendWorker: missing });
    await expect(opening).rejects.toMatchObject({ code: 'UNAVAILABLE', message: expect.stringMatching(/nowhere\.js.*build/) });
  });
});

describe('the queue', () => {
  it('is bounded in appends, and refuses for certain', async () => {
    const store = await openSqliteEventStore({ folder: newFolder(), appendWorker });
    const stream = nameOf('crowd');
    const codes = Array.from({ length: MAX_WAITING_APPENDS + 1 }, (_, index) =>
      codeOf(store.append(`${stream}${index}`, NO_STREAM, many(1))),
    );
    const answered = await Promise.all(codes);
    expect(answered.slice(0, -1).every((code) => code === 'ok')).toBe(true);
    expect(answered.at(-1)).toBe('UNAVAILABLE');
    expect(await store.headRevision(`${stream}${MAX_WAITING_APPENDS}`)).toBe(NO_STREAM);
    expect(await codeOf(store.append(stream, NO_STREAM, many(1)))).toBe('ok');
    await store.close();
  });

  it('is bounded in bytes', async () => {
    const store = await openSqliteEventStore({ folder: newFolder(), appendWorker });
    const large = event('Large', { filler: 'x'.repeat(1_000_000) });
    const fitting = Math.floor(MAX_WAITING_BYTES / 1_000_100);
    const answered = await Promise.all(
      Array.from({ length: fitting + 2 }, (_, index) => codeOf(store.append(`large${index}`, NO_STREAM, [large]))),
    );
    expect(answered.filter((code) => code === 'ok').length).toBeGreaterThanOrEqual(fitting - 1);
    expect(answered.at(-1)).toBe('UNAVAILABLE');
    expect(await codeOf(store.append('afterwards', NO_STREAM, [large]))).toBe('ok');
    await store.close();
  });

  it('is executed in the order of the calls', async () => {
    const store = await openSqliteEventStore({ folder: newFolder(), appendWorker });
    const stream = nameOf('order');
    const batches = Array.from({ length: 200 }, () => many(3));
    const results = await Promise.all(batches.map((batch, index) => store.append(stream, index * 3 - 1, batch)));
    expect(results.map((result) => result.ok && result.revision)).toEqual(batches.map((_, index) => index * 3 + 2));
    const events = await store.readStream(stream, { limit: MAX_PAGE_EVENTS });
    expect(events.map(({ id }) => id)).toEqual(batches.flat().map(({ id }) => id));
    await store.close();
  });
});
