import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { changed } from './mutants.js';
import { MUTATIONS, nameOf } from './mutations/index.js';

const readme = readFileSync(join(import.meta.dirname, 'README.md'), 'utf8');

describe('the mutations', () => {
  it.each(MUTATIONS.map((mutation) => [nameOf(mutation), mutation] as const))(
    'changes the program where it keeps the rule: %s',
    (_, { edits }) => {
      expect(changed(edits).size).toBeGreaterThan(0);
    },
  );

  it('are told of in the README, each with the seeds that it takes', () => {
    const untold = MUTATIONS.filter(({ section, rule, without }) => !readme.includes(`| ${section} | ${rule} | ${without} | `));
    expect(untold.map(nameOf)).toEqual([]);
  });

  it('are of every rule that the design marks', () => {
    const marked = MUTATIONS.filter(({ marked: isMarked }) => isMarked === true).map(({ section }) => section);
    expect([...new Set(marked)].sort()).toEqual([2, 3, 4, 5, 6]);
  });
});
