/** The model finds out when a rule is not kept: each of them is switched off in a copy of the program, which must then fail. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Mutants, type Found } from './mutants.js';
import { MUTATIONS, nameOf } from './mutations/index.js';

/** Those who run at the same time; each is a process of its own. */
const AT_ONCE = 2;
/** What is found is found within so many seeds; the program as it is passes all of them. */
const MAX_SEEDS = 6_000;
const SEEDS_UNCHANGED = 50;

describe('the model without a rule', () => {
  const mutants = new Mutants();
  const found = new Map<string, Found | undefined>();

  beforeAll(async () => {
    const queue = [...MUTATIONS];
    const work = async (): Promise<void> => {
      for (let mutation = queue.shift(); mutation !== undefined; mutation = queue.shift()) {
        found.set(nameOf(mutation), await mutants.seek(mutation.edits, MAX_SEEDS, mutation.theme));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  }, 900_000);

  afterAll(() => mutants.remove());

  it.each(MUTATIONS.map(nameOf))('fails: %s', (name) => {
    const failing = found.get(name);
    expect(failing, `nothing wrong was found in ${MAX_SEEDS} seeds`).toBeDefined();
    console.log(`seed ${failing?.seed}: ${failing?.problem.slice(0, 200)}`);
  });

  it('passes with all rules', async () => {
    const themes = [...new Set(MUTATIONS.map(({ theme }) => theme))];
    expect(await Promise.all(themes.map((theme) => mutants.seek([], SEEDS_UNCHANGED, theme)))).toEqual(
      themes.map(() => undefined),
    );
  });
});
