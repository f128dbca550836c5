/** A ledger as a file: verified with nothing but the file, and put back elsewhere with the same hash. */
import { existsSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { verifyExport, type ExportReport, type FileLine, type ImportResult } from '#audit';
import { isRefusal } from '#domain';
import { importInto, openAudit } from '#runtime';
import {
  AUDITED,
  AUDITED_NAME,
  AUDITED_STREAM,
  defineAudited,
  doAll,
  hashIn,
  openAudited,
  Rows,
  writeAudited,
  type Row,
} from '../support/audit/audited-folder.js';
import { temporaryFolders } from '../support/temporary-folders.js';

const newFolder = temporaryFolders();
let original: string;
let lines: string[];
let events: Row[];

beforeAll(async () => {
  original = newFolder();
  await writeAudited(original);
  lines = await exported(original);
  const rows = new Rows(original);
  events = rows.all();
  rows.close();
});

async function exported(folder: string): Promise<string[]> {
  const { audit, close } = await openAudit({ data: folder });
  try {
    const pages = await audit.export(AUDITED);
    if (isRefusal(pages)) throw new Error(pages.detail);
    const all: string[] = [];
    for await (const page of pages) all.push(...page.map((line) => JSON.stringify(line)));
    return all;
  } finally {
    await close();
  }
}

async function* fileOf(text: readonly string[]): AsyncGenerator<FileLine> {
  for (const [index, line] of text.entries()) yield { number: index + 1, text: line };
}

async function verified(text: readonly string[], digest?: { revision: number; hash: string }): Promise<ExportReport> {
  return (await verifyExport(fileOf(text), () => [], { digestsOf: () => (digest === undefined ? [] : [digest]) })).report;
}

const changed = (at: number, change: (line: string) => string) => lines.with(at, change(lines[at] as string));
const last = () => events.length - 1;
const digestAt = (revision: number) => ({ revision, hash: hashIn(events[revision] as Row) });

describe('an exported ledger', () => {
  it('has a header, the events as they are stored, and the digest', () => {
    expect(lines).toHaveLength(events.length + 2);
    expect(JSON.parse(lines[0] as string)).toEqual({
      format: 'binding-ledger-export',
      formatVersion: 1,
      ...AUDITED,
      exportedAt: expect.any(String),
    });
    const stored = events.map(({ data, metadata, ...row }) => ({
      ...row,
      data: JSON.parse(data),
      metadata: JSON.parse(metadata),
    }));
    expect(lines.slice(1, -1).map((line) => JSON.parse(line) as unknown)).toEqual(stored);
    expect(JSON.parse(lines.at(-1) as string)).toEqual({
      digest: { ledger: AUDITED_NAME, ...digestAt(last()), at: expect.any(String) },
    });
  });

  it('verifies by itself, and against digests kept earlier', async () => {
    const report = await verified(lines);
    expect(report).toMatchObject({ ok: true, ledger: AUDITED_NAME, checkedRevisions: events.length, digest: digestAt(last()) });
    for (const revision of [0, 7, last()]) expect((await verified(lines, digestAt(revision))).ok).toBe(true);
    expect((await verified(lines, { revision: 7, hash: '0'.repeat(64) })).firstBad).toMatchObject({ line: 9, revision: 7 });
    expect((await verified(lines, { revision: 99, hash: '0'.repeat(64) })).firstBad?.why).toMatch(
      /^the file ends at revision \d+, but the digest kept is of revision 99/,
    );
  });

  it('of an empty ledger verifies too', async () => {
    const empty = [lines[0] as string, JSON.stringify({ digest: { ledger: AUDITED_NAME, revision: -1, hash: '', at: '' } })];
    expect(await verified(empty)).toMatchObject({ ok: true, checkedRevisions: 0 });
  });

  const flip = (line: string, at: number) => {
    const bytes = Buffer.from(line);
    bytes[at] = (bytes[at] as number) ^ 1;
    return bytes.toString();
  };

  it('with any byte of an event or of its digest flipped is found, and the line named', async () => {
    for (let at = 1; at < lines.length; at += 1) {
      const length = Buffer.byteLength(lines[at] as string);
      for (let byte = at % 13; byte < length; byte += 13) {
        const { ok, firstBad } = await verified(changed(at, (line) => flip(line, byte)));
        expect([ok, firstBad?.line, at, byte]).toEqual([false, at + 1, at, byte]);
      }
    }
  });

  const BROKEN: [what: string, text: () => string[], bad: object][] = [
    ['is empty', () => [], { line: 0, why: 'the file ends without its digest: it was cut off' }],
    ['has no header', () => lines.slice(1), { line: 1, why: 'the first line is not the header of an exported ledger' }],
    ['has a newer format', () => changed(0, (line) => line.replace('"formatVersion":1', '"formatVersion":2')), { line: 1 }],
    ['is of another ledger', () => changed(0, (line) => line.replace('"backend":"shop"', '"backend":"shap"')), { line: 18 }],
    ['was cut off', () => lines.slice(0, 9), { line: 9, revision: 8, why: 'the file ends without its digest: it was cut off' }],
    ['lacks its last event', () => lines.toSpliced(-2, 1), { line: 17, why: expect.stringContaining('events are missing') }],
    ['lacks an event', () => lines.toSpliced(5, 1), { line: 6, revision: 4, why: 'the event of revision 4 is missing' }],
    ['has an event twice', () => lines.toSpliced(5, 0, lines[4] as string), { line: 6, revision: 4 }],
    ['has two events exchanged', () => lines.with(5, lines[6] as string).with(6, lines[5] as string), { line: 6, revision: 4 }],
    ['goes on after its digest', () => [...lines, lines[3] as string], { line: 19, why: 'there are lines after the digest' }],
    [
      'has a member twice',
      () => changed(3, (line) => line.replace('"data":{', '"data":{"recordId":"other",')),
      { line: 4, why: 'the line has the member "recordId" twice' },
    ],
    ['says more of an event than there is', () => changed(3, (line) => line.replace('{', '{"note":"approved",')), { line: 4 }],
    ['has a line that is no JSON', () => changed(3, () => '{'), { line: 4, why: 'the line is no JSON object' }],
  ];
  it.each(BROKEN)('that %s is found broken', async (_, text, bad) => {
    const { ok, firstBad } = await verified(text());
    expect([ok, firstBad]).toEqual([false, expect.objectContaining(bad)]);
  });
});

describe('an import', () => {
  async function importing(
    folder: string,
    { text = lines, resume = false, stopAfter = Infinity }: { text?: string[]; resume?: boolean; stopAfter?: number } = {},
  ): Promise<ImportResult> {
    const opened = await openAudited(folder);
    let [passes, read] = [0, 0];
    async function* open(): AsyncGenerator<FileLine> {
      passes += 1;
      for await (const line of fileOf(text)) {
        // As a kill would: what was appended stands there, nothing else.
        if (passes === 2 && (read += 1) > stopAfter) throw new Error('stopped');
        yield line;
      }
    }
    try {
      return await importInto(opened, { open, resume });
    } finally {
      await opened.close();
    }
  }

  async function ready(): Promise<string> {
    const folder = newFolder();
    const opened = await openAudited(folder);
    await defineAudited(opened);
    // As the original: its model was changed once, its backend was paused and resumed.
    await opened.backends.pause(AUDITED.backend, { actor: 'a', correlationId: 'c' });
    await opened.backends.resume(AUDITED.backend, { actor: 'a', correlationId: 'c' });
    await opened.catalog.defineModel(
      { model: AUDITED.model, backendType: 'shop', localModel: 'partner', indexes: ['website'] },
      { actor: 'a', correlationId: 'c' },
    );
    await opened.close();
    return folder;
  }

  async function pauseAndResume({ backends }: Awaited<ReturnType<typeof openAudited>>): Promise<void> {
    const context = { actor: 'a', correlationId: 'c' };
    await backends.pause(AUDITED.backend, context);
    await backends.resume(AUDITED.backend, context);
  }

  async function rowsOf(folder: string): Promise<Row[]> {
    const rows = new Rows(folder);
    const all = rows.all();
    rows.close();
    return all;
  }

  it('into an empty ledger gives the same events and the same hash, and answers from them', async () => {
    const folder = await ready();
    expect(await importing(folder)).toMatchObject({ imported: { ok: true, digest: digestAt(last()) }, appended: events.length });
    const parsed = (rows: Row[]) =>
      rows.map((row) => ({ ...row, data: JSON.parse(row.data), metadata: JSON.parse(row.metadata) }));
    expect(parsed(await rowsOf(folder))).toEqual(parsed(events));
    const opened = await openAudited(folder);
    expect(await opened.queries.toInternal(AUDITED, 'Großhandel', { atLeast: 'head' })).toMatchObject({ recordId: '8' });
    await doAll(opened, [{ op: 'bind', recordId: 'new', externalId: 'new' }]);
    await opened.queries.await(AUDITED, { atLeast: 'head' });
    expect(await opened.audit.verify(AUDITED, { digest: digestAt(last()) })).toMatchObject({ ok: true, readModel: { ok: true } });
    await opened.close();
    // The next line of the chain is another, of course.
    expect((await exported(folder)).slice(1, -2)).toEqual(lines.slice(1, -1));
  });

  it('of a broken file writes nothing', async () => {
    const folder = await ready();
    const text = changed(lines.length - 2, (line) => line.replace('"pending"', '"bound"'));
    expect(await importing(folder, { text })).toEqual({ broken: expect.objectContaining({ ok: false }) });
    expect(await rowsOf(folder)).toEqual([]);
  });

  it('into a ledger that has something else is refused', async () => {
    const folder = await ready();
    const opened = await openAudited(folder);
    await doAll(opened, [{ op: 'bind', recordId: '1' }]);
    await opened.close();
    const before = await rowsOf(folder);
    for (const resume of [false, true])
      expect(await importing(folder, { resume })).toMatchObject({
        refused: 'MALFORMED',
        detail: expect.stringContaining('needs an empty ledger'),
      });
    expect(await rowsOf(folder)).toEqual(before);
  });

  it('without backend and model is refused, and into ones that are behind its events', async () => {
    const folder = newFolder();
    expect(await importing(folder)).toMatchObject({ refused: 'BACKEND_NOT_FOUND' });
    const opened = await openAudited(folder);
    await defineAudited(opened);
    await opened.close();
    expect(await importing(folder)).toMatchObject({ refused: 'MALFORMED', detail: expect.stringContaining('of its backend') });
    expect(await rowsOf(folder)).toEqual([]);
  });

  it.each([
    ['of another local model', { localModel: 'other' }, {}, 'local model'],
    ['of no local model', { localModel: null }, {}, 'local model'],
    ['that allows one binding a record, where the file may have several', {}, { cardinality: 'many' }, 'cardinality'],
    ['with a schema that the file was not held to', { dataSchema: { required: ['group'] } }, {}, 'data schema'],
  ] as const)('under a model %s is refused: it could not be verified afterwards', async (_, here, there, what) => {
    const context = { actor: 'a', correlationId: 'c' };
    const define = async (folder: string, rules: object) => {
      const opened = await openAudited(folder);
      await opened.catalog.defineType({ type: 'shop' }, context);
      await opened.catalog.defineModel({ model: AUDITED.model, backendType: 'shop', localModel: 'partner', ...rules }, context);
      await opened.backends.register({ id: AUDITED.backend, type: 'shop', location: 'https://shop.example.org' }, context);
      return opened;
    };
    const [from, to] = [newFolder(), newFolder()];
    const original = await define(from, there);
    await doAll(original, [{ op: 'bind', recordId: '1', externalId: 'A' }]);
    await original.close();
    await (await define(to, here)).close();
    const text = await exported(from);
    expect(await importing(to, { text })).toMatchObject({ refused: 'MALFORMED', detail: expect.stringContaining(what) });
    expect(await rowsOf(to)).toEqual([]);
  });

  it('that was stopped leaves the first events, and goes on from there with resume only', async () => {
    const many = newFolder();
    await writeAudited(many);
    const grown = await openAudited(many);
    const binds = Array.from({ length: 1_200 }, (_, n) => ({ op: 'bind', recordId: `n${n}`, externalId: `x${n}` }) as const);
    await doAll(grown, binds.slice(0, 600));
    await pauseAndResume(grown);
    await doAll(grown, binds.slice(600));
    await grown.close();
    const text = await exported(many);
    const folder = await ready();
    const ahead = await openAudited(folder);
    await pauseAndResume(ahead);
    await ahead.close();
    await expect(importing(folder, { text, stopAfter: 700 })).rejects.toThrow('stopped');
    // A start in between carries nothing to it of what its backend said meanwhile.
    const between = await openAudited(folder);
    expect((await between.resumed).unfinished).toEqual([]);
    await between.close();
    expect(await rowsOf(folder)).toHaveLength(500);
    expect(await importing(folder, { text })).toMatchObject({
      refused: 'MALFORMED',
      detail: expect.stringContaining('--resume'),
    });
    expect(await importing(folder, { text, resume: true })).toMatchObject({ appended: text.length - 2 - 500 });
    expect((await exported(folder)).slice(1)).toEqual(text.slice(1));
    expect(await importing(folder, { text, resume: true })).toMatchObject({ appended: 0 });
  });
});

it('the stream of the tests is the one that is audited', async () => {
  expect(AUDITED_STREAM).toBe(`ledger-${AUDITED_NAME}`);
  expect(existsSync(original)).toBe(true);
});
