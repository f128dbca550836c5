/** The built command line in an auditor's hands: beside a running server, on a folder that no server starts on, and with a file alone. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { AUDITED_NAME, defineAudited, doAll, openAudited, Rows } from '../support/audit/audited-folder.js';
import { runCommandLine as run, startCommandLine as start } from '../support/command-line.js';
import { temporaryFolders } from '../support/temporary-folders.js';

const LEDGER = ['shop', 'shop.partner'];
/** Enough that an import is killed before its end. */
const MANY = 6_000;
const LONG_MS = 120_000;

const json = (text: string) => JSON.parse(text) as Record<string, unknown>;
const newFolder = temporaryFolders();
let folder: string;

async function prepared(): Promise<string> {
  const made = newFolder();
  const opened = await openAudited(made);
  await defineAudited(opened);
  await opened.close();
  return made;
}

beforeAll(async () => {
  folder = await prepared();
  const opened = await openAudited(folder);
  await doAll(opened, [{ op: 'bind', recordId: '1', externalId: 'a' }]);
  const context = { actor: 'job', correlationId: 'c' };
  for (let n = 0; n < MANY; n += 500) {
    const binds = Array.from(
      { length: 500 },
      (_, i) => ({ op: 'bind', recordId: `n${n + i}`, externalId: `x${n + i}` }) as const,
    );
    await opened.ledger.executeAll(
      { backend: 'shop', model: 'shop.partner' },
      binds.map((command) => ({ command, context })),
    );
  }
  await opened.queries.await({ backend: 'shop', model: 'shop.partner' }, { atLeast: 'head', timeoutMs: 60_000 });
  await opened.close();
}, LONG_MS);

describe('an auditor', () => {
  it(
    'keeps digests, and verifies all ledgers by them while something else has the folder',
    async () => {
      const kept = join(newFolder(), 'kept.ndjson');
      writeFileSync(kept, (await run('--data', folder, 'digests', '--json')).out);
      const opened = await openAudited(folder);
      const { code, out } = await run('--data', folder, 'verify', '--digest', `@${kept}`, '--json');
      await opened.close();
      expect([code, json(out)]).toEqual([
        0,
        expect.objectContaining({ ok: true, ledger: AUDITED_NAME, checkedRevisions: MANY + 2 }),
      ]);
      const quick = await run('--data', folder, 'verify', ...LEDGER, '--digest', `@${kept}`, '--only-after');
      expect([quick.code, quick.out]).toEqual([0, expect.stringMatching(/result +it is what it was\ngood events +1\n/)]);
    },
    LONG_MS,
  );

  it(
    'is told of a ledger that is gone, and the others are verified all the same',
    async () => {
      const [old, gone] = [
        { ledger: AUDITED_NAME, revision: 1, hash: '0'.repeat(64) },
        { ledger: 'shop/gone', revision: 7, hash: '1'.repeat(64) },
      ];
      const { hash } = json((await run('--data', folder, 'digest', ...LEDGER, '--json')).out);
      const kept = join(newFolder(), 'kept.ndjson');
      writeFileSync(
        kept,
        [gone, { ledger: AUDITED_NAME, revision: MANY + 1, hash }].map((each) => JSON.stringify(each)).join('\n'),
      );
      const { code, out, err } = await run('--data', folder, 'verify', '--digest', `@${kept}`);
      expect(code).toBe(6);
      expect(out).toMatch(/there is no such ledger here, but the digest kept is of its revision 7/);
      expect(out).toMatch(/result +it is what it was/);
      expect(err).toMatch(/2 ledgers, 1 of them not what they were/);
      // Of several nights each counts: here the older one does not fit.
      writeFileSync(
        kept,
        [old, { ledger: AUDITED_NAME, revision: MANY + 1, hash }].map((each) => JSON.stringify(each)).join('\n'),
      );
      const both = await run('--data', folder, 'verify', '--digest', `@${kept}`);
      expect([both.code, both.out]).toEqual([6, expect.stringMatching(/first bad +revision 1,/)]);
    },
    LONG_MS,
  );

  it(
    'is told what was changed, on a folder that no server starts on any more',
    async () => {
      const rows = new Rows(folder);
      const [last] = rows.all().slice(-1);
      rows.set(last?.revision ?? -1, 'type', 'BindingPainted');
      try {
        expect((await run('--data', folder, 'status', ...LEDGER)).code).not.toBe(0);
        const { code, out } = await run('--data', folder, 'verify', ...LEDGER, '--json');
        expect([code, json(out)]).toEqual([
          6,
          expect.objectContaining({
            ok: false,
            firstBad: { revision: MANY + 1, eventId: last?.id, why: expect.stringContaining('hash') },
          }),
        ]);
      } finally {
        rows.set(last?.revision ?? -1, 'type', last?.type ?? '');
        rows.close();
      }
    },
    LONG_MS,
  );

  it(
    'is told of wrong use in one line',
    async () => {
      const wrong: [args: string[], code: number, says: RegExp][] = [
        [['--data', folder, 'verify', 'shop'], 2, /name a ledger by backend and model/],
        [['--data', folder, 'verify', ...LEDGER, '--only-after'], 2, /--only-after needs --digest/],
        [['--data', folder, 'verify', '--digest', `@${join(folder, 'missing')}`], 2, /missing cannot be read: ENOENT/],
        [['--data', folder, 'export-ledger', ...LEDGER, '--out', folder], 2, /is there and is no file/],
        [['--data', folder, 'verify', ...LEDGER, '--digest', '{}'], 2, /--digest: \{"ledger"/],
        [['--data', folder, 'verify', 'shop', 'none'], 3, /BACKEND_NOT_FOUND/],
        [['--data', join(folder, 'none'), 'verify'], 2, /there is no data folder/],
        [['verify-export', join(folder, 'none')], 1, /ENOENT/],
        [['import-ledger', 'x', '--url', 'http://127.0.0.1:9'], 2, /works on the stores themselves/],
      ];
      for (const [args, code, says] of wrong)
        expect(await run(...args)).toEqual({ code, out: '', err: expect.stringMatching(says) });
    },
    LONG_MS,
  );
});

describe('a ledger as a file', () => {
  it(
    'is exported, verified with nothing but the file, imported, killed on the way, and gone on with',
    async () => {
      const file = join(newFolder(), 'ledger.ndjson');
      expect((await run('--data', folder, 'export-ledger', ...LEDGER, '--out', file)).code).toBe(0);
      const digest = json((await run('--data', folder, 'digest', ...LEDGER, '--json')).out);
      const verified = await run('verify-export', file, '--json', '--digest', JSON.stringify(digest));
      expect([verified.code, json(verified.out)]).toEqual([0, expect.objectContaining({ ok: true, checkedRevisions: MANY + 2 })]);

      const target = await prepared();
      const importing = start('--data', target, 'import-ledger', file);
      const begun = new Rows(target);
      while (begun.all().length === 0) await pause(5);
      importing.kill();
      await importing.ended;
      const left = begun.all().length;
      begun.close();
      expect(left).toBeGreaterThan(0);
      if (left < MANY + 2) {
        const again = await run('--data', target, 'import-ledger', file);
        expect([again.code, again.err]).toEqual([4, expect.stringContaining('--resume')]);
      }
      const resumed = await run('--data', target, 'import-ledger', file, '--resume', '--json');
      expect([resumed.code, resumed.err]).toEqual([0, '']);
      expect(json(resumed.out)).toMatchObject({ ok: true, appended: MANY + 2 - left });
      expect(json((await run('--data', target, 'digest', ...LEDGER, '--json')).out)).toEqual(digest);

      writeFileSync(file, readFileSync(file, 'utf8').replace('"x77"', '"x78"'));
      expect((await run('verify-export', file)).code).toBe(6);
      const refused = await run('--data', await prepared(), 'import-ledger', file);
      expect([refused.code, refused.err]).toEqual([6, 'nothing was imported\n']);
    },
    LONG_MS,
  );
});
