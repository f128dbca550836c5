/** Who reads a ledger all the time, by every way there is, while it is written and rebuilt. */
import { setImmediate as breath } from 'node:timers/promises';
import type { LedgerName } from '#domain';
import type { ReadModel } from '#read-model';

export interface Watched {
  ledger: LedgerName;
  localModel: string;
  /** Records `r0`, `r1`, … are bound to `e0`, `e1`, … all the time; others come and go. */
  records: number;
  /**
   * Whether what one way of asking has shown, every other shows too. Where documents are written one by one, the way that answers for
   * several keys at one revision knows all of a batch before the others do, so each is held against itself.
   */
  waysAgree: boolean;
}

const TOGETHER = 5;

/** Looks up what is bound, each time by another way, until it is told to end, and says what went backwards. */
export async function watch(reader: ReadModel, running: () => boolean, watched: Watched): Promise<string[]> {
  const { ledger, localModel, records } = watched;
  const seen = new Forwards(watched.waysAgree);
  for (let looks = 0; running(); looks += 1) {
    const number = looks % records;
    seen.see('by itself', `e${number}`, (await reader.findByExternalId(ledger, `e${number}`))?.version);
    const ids = Array.from({ length: TOGETHER }, (_, n) => `e${(number + n) % records}`);
    const { bindings, revision } = await reader.findByExternalIds(ledger, ids);
    seen.at(revision);
    for (const id of ids) seen.see('together', id, bindings.find(({ externalId }) => externalId === id)?.version);
    const { items } = await reader.list(ledger, {}, 100);
    const lasting = items.filter(({ recordId }) => /^r\d/.test(recordId));
    if (lasting.length !== records) seen.wrong.push(`${lasting.length} bindings are listed`);
    for (const { externalId, version } of lasting) seen.see('listed', externalId as string, version);
    const [ofRecord] = await reader.findOfLocalRecord(localModel, `r${number}`, true);
    seen.see('of its record', `e${number}`, ofRecord?.version);
    await breath();
  }
  return seen.wrong;
}

class Forwards {
  readonly wrong: string[] = [];
  private readonly versions = new Map<string, number>();
  private revision = -1;

  constructor(private readonly waysAgree: boolean) {}

  at(revision: number): void {
    if (revision < this.revision) this.wrong.push(`revision ${revision} after ${this.revision}`);
    this.revision = revision;
  }

  see(way: string, externalId: string, version: number | undefined): void {
    const of = this.waysAgree ? externalId : `${externalId} ${way}`;
    const before = this.versions.get(of) ?? 1;
    if ((version ?? 0) < before) this.wrong.push(`${of}: ${version ?? 'gone'} after ${before}`);
    this.versions.set(of, version ?? 0);
  }
}
