/**
 * kill -9 of a durable subscriber between handling and checkpoint, at every named point, many times over: nothing is lost, and
 * nothing comes out of order. KILLS is how many there are at each point (8).
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Program, type Ending } from '../support/program.js';

const POINTS = ['in-handler', 'handled', 'parked-written', 'checkpoint-saved', 'parked-deleted'];
const KILLS_AT_EACH = Number(process.env['KILLS'] ?? 8);
const program = join(import.meta.dirname, 'subscriber-process.mjs');
/** Reached with every event. */
const MOST_HANDLED = new Set(['in-handler', 'handled']);
const POISON = new Set(['e3', 'e7']);

let folder = '';
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ledger-subscriber-'));
  writeFileSync(join(folder, 'handled.txt'), '');
  expect(await new Program(program, folder, 'seed').ended).toMatchObject({ code: 0, stderr: '' });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Line {
  backend: string;
  revision: number;
  externalId: string;
  version: number;
}

function handled(): Line[] {
  const lines = readFileSync(join(folder, 'handled.txt'), 'utf8').trimEnd().split('\n');
  return lines.map((line) => {
    const [backend = '', revision, externalId = '', version] = line.split(' ');
    return { backend, revision: Number(revision), externalId, version: Number(version) };
  });
}

it('loses nothing and keeps every order, wherever it is killed', async () => {
  const endings: (Ending & { point: string; nth: number })[] = [];
  for (let kill = 0; kill < KILLS_AT_EACH; kill += 1)
    for (const point of POINTS) {
      const nth = 1 + (MOST_HANDLED.has(point) ? 7 * kill : kill % 2);
      const args = ['run', point, String(nth), String(endings.length)];
      endings.push({ point, nth, ...(await new Program(program, folder, ...args).ended) });
    }
  expect(endings.filter(({ code, signal }) => code !== 0 && signal !== 'SIGKILL')).toEqual([]);
  for (const point of POINTS)
    expect(endings.filter((each) => each.point === point && each.signal === 'SIGKILL').length, point).toBeGreaterThanOrEqual(
      KILLS_AT_EACH / 2,
    );
  // Poison was never handled, however often it was met.
  expect(handled().filter(({ externalId }) => POISON.has(externalId))).toEqual([]);
  expect(await new Program(program, folder, 'finish').ended).toMatchObject({ code: 0, stderr: '' });

  const lines = handled();
  process.stderr.write(
    `${endings.filter(({ signal }) => signal === 'SIGKILL').length} kills; ${lines.length} lines of ${3 * 20 * endings.length} events\n`,
  );
  for (const backend of ['shop-1', 'shop-2', 'shop-3']) {
    const own = lines.filter((line) => line.backend === backend);
    // Every event of every binding: 20 bindings with a version for each run.
    expect(new Set(own.map(({ externalId, version }) => `${externalId}@${version}`)).size).toBe(20 * endings.length);
    // Of what was not parked, none comes before all those before it have come: after a kill it goes back, never ahead.
    const steady = own.filter(({ externalId }) => !POISON.has(externalId));
    const order = [...new Set(steady.map(({ revision }) => revision))].sort((a, b) => a - b);
    let next = 0;
    for (const { revision } of steady) {
      const at = order.indexOf(revision);
      expect(at, `${backend}@${revision}`).toBeLessThanOrEqual(next);
      next = Math.max(next, at + 1);
    }
    // And the order of a binding holds for what was parked as well.
    for (const externalId of POISON) {
      const versions = own.filter((line) => line.externalId === externalId).map(({ version }) => version);
      expect(versions).toEqual([...versions].sort((a, b) => a - b));
    }
  }
});
