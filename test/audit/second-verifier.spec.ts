/** Two verifiers that share no code agree: on the test vectors, and on whatever is broken in them. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { verifyExport, type FileLine } from '#audit';
import { JsonSchemas } from '#ledger';
import { writtenToday } from '../golden/written-today.js';
import { temporaryFolders } from '../support/temporary-folders.js';

const VECTORS = join(import.meta.dirname, '../../docs/test-vectors');
const SECOND = join(import.meta.dirname, '../second-verifier/verify-export.mjs');
const file = join(VECTORS, 'exported-ledger.ndjson');
const newFolder = temporaryFolders();
const lines = readFileSync(file, 'utf8').trimEnd().split('\n');

interface Case {
  what: string;
  remove?: number;
  copy?: number;
  behind?: number;
  line?: number;
  from?: string;
  to?: string;
  firstBad: number;
}
const { cases } = JSON.parse(readFileSync(join(VECTORS, 'broken-exports.json'), 'utf8')) as { cases: Case[] };

function brokenBy({ remove, copy, behind, line, from = '', to = '' }: Case): string[] {
  if (remove !== undefined) return lines.toSpliced(remove - 1, 1);
  if (copy !== undefined) return lines.toSpliced(behind as number, 0, lines[copy - 1] as string);
  const before = lines[(line as number) - 1] as string;
  return lines.with((line as number) - 1, before.replace(from, to));
}

async function* linesOf(text: readonly string[]): AsyncGenerator<FileLine> {
  for (const [index, line] of text.entries()) yield { number: index + 1, text: line };
}

const first = async (text: readonly string[]) => (await verifyExport(linesOf(text), new JsonSchemas().problemsOfData)).report;

function second(text: readonly string[]): {
  code: number | null;
  said: { ok: boolean; line?: number; revision?: number; hash?: string };
} {
  const path = join(newFolder(), 'ledger.ndjson');
  writeFileSync(path, text.map((line) => `${line}\n`).join(''));
  const { status, stdout, stderr } = spawnSync(process.execPath, [SECOND, path], { encoding: 'utf8' });
  if (stdout === '') throw new Error(stderr);
  return { code: status, said: JSON.parse(stdout) as { ok: boolean } };
}

describe('the exported ledger of the test vectors', () => {
  it('is what this program writes', async () => {
    const events = await writtenToday();
    const stored = events.map(({ revision, id, type, data, metadata }) => ({ revision, id, type, data, metadata }));
    expect(lines.slice(1, -1).map((line) => JSON.parse(line) as unknown)).toEqual(JSON.parse(JSON.stringify(stored)));
  });

  it('is found good by both', async () => {
    const { ok, digest } = await first(lines);
    expect(ok).toBe(true);
    expect(second(lines)).toEqual({ code: 0, said: { ok: true, revision: digest.revision, hash: digest.hash } });
  });

  it.each(cases)('is found broken by both, at the same line, when $what', async (each) => {
    const text = brokenBy(each);
    expect(text).not.toEqual(lines);
    expect((await first(text)).firstBad?.line).toBe(each.firstBad);
    expect(second(text)).toMatchObject({ code: 1, said: { ok: false, line: each.firstBad } });
  });
});

describe('the chain of the test vectors', () => {
  it('is found good by the second verifier, numbers and letters that are easily written otherwise included', () => {
    const { events } = JSON.parse(readFileSync(join(VECTORS, 'hash-chain.json'), 'utf8')) as {
      events: { revision: number; id: string; type: string; data: object; metadata: { at: string }; hash: string }[];
    };
    const last = events.at(-1) as (typeof events)[number];
    const digest = { ledger: 'shop/shop.partner', revision: last.revision, hash: last.hash, at: last.metadata.at };
    const text = [
      lines[0] as string,
      ...events.map(({ revision, id, type, data, metadata, hash }) =>
        JSON.stringify({ revision, id, type, data, metadata: { ...metadata, hash } }),
      ),
      JSON.stringify({ digest }),
    ];
    expect(second(text)).toEqual({ code: 0, said: { ok: true, revision: last.revision, hash: last.hash } });
  });
});

it('the second verifier imports nothing of the program, and is short', () => {
  const text = readFileSync(SECOND, 'utf8');
  const imports = [...text.matchAll(/^import .* from '([^']+)'/gm)].map(([, name]) => name);
  expect(imports).toEqual(['node:crypto', 'node:fs']);
  expect(text.split('\n').length).toBeLessThanOrEqual(120);
});
