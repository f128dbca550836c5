/**
 * The pages that a web site has for the countries of a shop, and how far they follow the ledger. Both stand in one file that is replaced as
 * a whole: after a crash they still belong together, so that no event is lost and none counts twice.
 */
import { readFile, rename, writeFile } from 'node:fs/promises';
import type { BindingEvent } from '#client';

interface Kept {
  position: string;
  /** Country by the code under which the shop has it. */
  pages: Record<string, string>;
}

export class CountryPages {
  private constructor(
    private readonly file: string,
    private kept: Kept,
  ) {}

  /** What was kept, or, the first time, nothing yet: everything from the start is to come. */
  static async open(file: string): Promise<CountryPages> {
    const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    return new CountryPages(file, text === undefined ? empty() : (JSON.parse(text) as Kept));
  }

  get position(): string {
    return this.kept.position;
  }

  /** Code and country, by code. */
  get all(): [string, string][] {
    return Object.entries(this.kept.pages).toSorted(([a], [b]) => (a < b ? -1 : 1));
  }

  /** Every event says who holds what after it, so the page is set right whatever happened. */
  apply({ type, recordId, externalId, previousExternalId }: BindingEvent): void {
    const { pages } = this.kept;
    if (previousExternalId !== undefined && previousExternalId !== null) delete pages[previousExternalId];
    if (externalId === null) return;
    if (type === 'BindingRemoved') delete pages[externalId];
    else pages[externalId] = recordId;
  }

  /** Everything up to this position has been applied. */
  async save(position: string): Promise<void> {
    this.kept.position = position;
    await writeFile(`${this.file}.new`, JSON.stringify(this.kept));
    await rename(`${this.file}.new`, this.file);
  }

  /** Another ledger than before: what is kept means nothing there. */
  async beginAnew(): Promise<void> {
    this.kept = empty();
    await this.save(this.kept.position);
  }
}

function empty(): Kept {
  return { position: 'start', pages: {} };
}
