/** The built command line rebuilds: on a folder that nobody has open, on one that no server starts on, and by a running server. */
import { cpSync } from 'node:fs';
import { beforeAll, expect, it } from 'vitest';
import { AUDITED_NAME, Rows, writeAudited } from '../support/audit/audited-folder.js';
import { runCommandLine as run } from '../support/command-line.js';
import { editRows } from '../support/read-model/edited-rows.js';
import { ServerProcess } from '../support/server-process.js';
import { temporaryFolders } from '../support/temporary-folders.js';

const LONG_MS = 120_000;

const newFolder = temporaryFolders();
let original: string;
beforeAll(async () => {
  original = newFolder();
  await writeAudited(original);
}, LONG_MS);

function copied(): string {
  const folder = newFolder();
  cpSync(original, folder, { recursive: true });
  return folder;
}

it(
  'says what differs by its exit code and by name, and makes it as the events say',
  async () => {
    const folder = copied();
    editRows(folder, (edit) => edit(`UPDATE bindings SET external_id = 'other' WHERE record_id = '8'`));
    const dry = await run('--data', folder, 'rebuild', '--dry-run', '--ledger', AUDITED_NAME);
    expect([dry.code, dry.err]).toEqual([6, '']);
    expect(dry.out).toMatch(/1 differences[^]*externalId: "other", by the events "Großhandel"/);
    const rebuilt = await run('--data', folder, 'rebuild', '--json');
    expect([rebuilt.code, JSON.parse(rebuilt.out)]).toEqual([0, expect.objectContaining({ ledger: AUDITED_NAME, revision: 15 })]);
    const again = await run('--data', folder, 'rebuild', '--dry-run', '--json');
    expect([again.code, JSON.parse(again.out)]).toEqual([
      0,
      expect.objectContaining({ ok: true, differing: 0, differences: [] }),
    ]);
  },
  LONG_MS,
);

it(
  'repairs a folder on which nothing starts, which names it',
  async () => {
    const folder = copied();
    const rows = new Rows(folder);
    rows.remove(9, 15);
    rows.close();
    const refused = await run('--data', folder, 'backends', 'list');
    expect([refused.code, refused.err]).toEqual([5, expect.stringContaining(`"ledger rebuild --data ${folder}"`)]);
    expect((await run('--data', folder, 'rebuild')).code).toBe(0);
    expect((await run('--data', folder, 'backends', 'list')).code).toBe(0);
    expect((await run('--data', folder, 'rebuild', '--dry-run')).code).toBe(0);
  },
  LONG_MS,
);

it(
  'asks the server that has the folder',
  async () => {
    const folder = copied();
    const server = new ServerProcess(folder);
    await server.start();
    try {
      const taken = await run('--data', folder, 'rebuild');
      expect([taken.code, taken.err]).toEqual([5, expect.stringContaining('--url')]);
      const dry = await run('--url', server.url, 'rebuild', '--dry-run', '--json');
      expect([dry.code, JSON.parse(dry.out)]).toEqual([
        0,
        expect.objectContaining({ ledger: AUDITED_NAME, ok: true, compared: 5 }),
      ]);
      const unknown = await run('--url', server.url, 'rebuild', '--ledger', 'shop/no.model');
      expect([unknown.code, unknown.err]).toEqual([3, expect.stringContaining('MODEL_NOT_FOUND')]);
      expect((await run('--url', server.url, 'rebuild', '--ledger', 'shop')).code).toBe(2);
    } finally {
      await server.stop();
    }
  },
  LONG_MS,
);
