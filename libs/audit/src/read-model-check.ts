import { setTimeout as sleep } from 'node:timers/promises';
import type { Binding, LedgerName, LedgerState } from '#domain';
import { canonicalJson } from '#ledger';
import { ReadModelError, type BindingText, type LedgerDocument, type ReadModel } from '#read-model';
import type { Breath } from './breath.js';
import { differenceOf, isTextOf } from './folded.js';
import type { FoldedBinding } from './folded-binding.js';
import type { LedgerChecker } from './ledger-checker.js';
import type { StreamFold } from './stream-fold.js';

export type ReadModelForAudit = Pick<ReadModel, 'ledgerDocument' | 'list' | 'listTexts' | 'findById'>;

export interface DifferingBinding {
  bindingId: string;
  why: string;
}

export interface ReadModelReport {
  /** The same as the events, in all that was compared. */
  ok: boolean;
  /** The revision at which it was compared: its own checkpoint when the comparison began. */
  checkpoint: number;
  /** Bindings that were found the same. */
  compared: number;
  /** At most 100. */
  differing: DifferingBinding[];
  /** What else is to be said: about the ledger's own document, or why not everything was compared. */
  notes: string[];
}

/** It is about to be projected. */
const LATER = Symbol('later');
/** Why a document differs, if it does. */
type Verdict = string | undefined | typeof LATER;

export const MAX_DIFFERING = 100;
const PAGE_BINDINGS = 250;
const PAGE_TEXTS = 1_000;
const WAIT_MS = 20;
/** How long documents that the projector is about to write are waited for, in all. */
const MAX_WAIT_MS = 5_000;

/**
 * Compares the documents of a ledger with the fold of its events at the document's checkpoint. Of a document that is newer by
 * the time it is read, the fold goes on to its revision, so that the two are compared at one moment whoever writes meanwhile.
 */
export class ReadModelCheck {
  private readonly report: ReadModelReport;
  private waitedMs = 0;
  /** Bindings of the fold whose verdict is known. */
  private seen = 0;

  constructor(
    private readonly ledger: LedgerName,
    private readonly readModel: ReadModelForAudit,
    private readonly checker: LedgerChecker,
    private readonly fold: StreamFold,
    private readonly headRevision: () => Promise<number>,
    private readonly breath: Breath,
  ) {
    this.report = { ok: true, checkpoint: checker.revision, compared: 0, differing: [], notes: [] };
  }

  /** The fold stands at the document's checkpoint. */
  async run(document: LedgerDocument | undefined): Promise<ReadModelReport> {
    const { report } = this;
    if (document !== undefined) report.notes.push(...differencesOfLedger(document, this.checker));
    report.ok = report.notes.length === 0;
    await this.compareListed();
    await this.compareUnseen();
    if (report.differing.length >= MAX_DIFFERING) report.notes.push(`there may be more that differ than ${MAX_DIFFERING}`);
    if (report.differing.length > 0) report.ok = false;
    return report;
  }

  private get enough(): boolean {
    return this.fold.fault !== undefined || this.report.differing.length >= MAX_DIFFERING;
  }

  private async compareListed(): Promise<void> {
    try {
      for (const unbound of [false, true]) {
        if (this.readModel.listTexts === undefined) await this.comparePages(unbound);
        else await this.compareTexts(unbound);
      }
    } catch (error) {
      if (error instanceof ReadModelError || this.breath.aborted) throw error;
      // What cannot be read is found one by one, by the ids that the events know.
      this.report.ok = false;
      this.report.notes.push(
        `the bindings cannot be listed (${messageOf(error)}): what the events do not know was not looked for`,
      );
    }
  }

  private async comparePages(unbound: boolean): Promise<void> {
    const filter = unbound ? { state: 'unbound' as const } : {};
    let cursor: string | undefined;
    do {
      const page = await this.readModel.list(this.ledger, filter, PAGE_BINDINGS, cursor);
      for (const document of page.items) await this.compareListedOne(document);
      cursor = page.nextCursor ?? undefined;
      await this.breath.take();
    } while (cursor !== undefined && !this.enough);
  }

  private async compareListedOne(document: Binding): Promise<void> {
    const folded = this.checker.bindings.get(document.id);
    if (folded?.seen === true) return;
    if (folded !== undefined && differenceOf(document, folded) === undefined) this.same(folded);
    else if (!this.enough) await this.compareOne(document.id);
    if (this.breath.due) await this.breath.take();
  }

  /** Most documents are what they should be to the letter; the others are read and compared member by member. */
  private async compareTexts(unbound: boolean): Promise<void> {
    for (let after = ''; !this.enough;) {
      const texts = await this.readModel.listTexts?.(this.ledger, unbound, after, PAGE_TEXTS);
      const last = texts?.at(-1);
      if (texts === undefined || last === undefined) return;
      for (const text of texts) if (!this.isSame(text) && !this.enough) await this.compareOne(text.id);
      after = last.id;
      if (this.breath.due) await this.breath.take();
    }
  }

  private isSame({ id, text }: BindingText): boolean {
    const folded = this.checker.bindings.get(id);
    if (folded === undefined) return false;
    if (!folded.seen && isTextOf(text, folded)) this.same(folded);
    return folded.seen;
  }

  /** Bindings that the listing did not have. */
  private async compareUnseen(): Promise<void> {
    const { bindings } = this.checker;
    if (this.seen === bindings.size) return;
    for (const [id, folded] of bindings.all()) {
      if (this.enough) return;
      if (!folded.seen) await this.compareOne(id);
      if (this.breath.due) await this.breath.take();
    }
  }

  private async compareOne(id: string): Promise<void> {
    for (;;) {
      const checkpoint = (await this.readModel.ledgerDocument(this.ledger))?.checkpoint ?? -1;
      const verdict = await this.verdictOn(id, checkpoint);
      if (this.fold.fault !== undefined) return;
      if (verdict !== LATER) return this.conclude(id, verdict);
      if (this.waitedMs >= MAX_WAIT_MS) {
        this.report.notes.push(`binding ${id} was not compared: the read model stands at revision ${checkpoint}`);
        return;
      }
      await sleep(WAIT_MS);
      this.waitedMs += WAIT_MS;
    }
  }

  private conclude(id: string, why: string | undefined): void {
    const folded = this.checker.bindings.get(id);
    if (why !== undefined) this.report.differing.push({ bindingId: id, why });
    else if (folded !== undefined) this.same(folded);
    if (folded !== undefined) this.see(folded);
  }

  private same(folded: FoldedBinding): void {
    this.see(folded);
    this.report.compared += 1;
  }

  private see(folded: FoldedBinding): void {
    if (!folded.seen) this.seen += 1;
    folded.seen = true;
  }

  /** `checkpoint` was read before. */
  private async verdictOn(id: string, checkpoint: number): Promise<Verdict> {
    const document = await this.documentOf(id);
    if (typeof document === 'string') return document;
    if (document === undefined) return this.verdictOnMissing(id, checkpoint);
    const { bindings, revision } = this.checker;
    if (document.revision > revision && document.revision <= (await this.headRevision())) await this.fold.to(document.revision);
    const folded = bindings.get(id);
    if (folded === undefined) return 'no event of the stream is about it';
    if (document.revision < folded.revision && folded.revision > checkpoint) return LATER;
    return differenceOf(document, folded);
  }

  private verdictOnMissing(id: string, checkpoint: number): Verdict {
    const folded = this.checker.bindings.get(id);
    if (folded === undefined) return undefined;
    return folded.revision <= checkpoint ? 'it is not in the read model' : LATER;
  }

  private async documentOf(id: string): Promise<Binding | undefined | string> {
    try {
      return await this.readModel.findById(this.ledger, id);
    } catch (error) {
      if (error instanceof ReadModelError) throw error;
      return `its document cannot be read: ${messageOf(error)}`;
    }
  }
}

/** The ledger's own document: hash and time of the event at the checkpoint, rules, state and counts. */
function differencesOfLedger(document: LedgerDocument, checker: LedgerChecker): string[] {
  const { revision, hash, at, state } = checker;
  const differences: string[] = [];
  if (document.hash !== hash) differences.push(`the read model has the hash ${document.hash} at revision ${revision}`);
  if (document.at !== at) differences.push(`the read model has the time ${document.at} at revision ${revision}`);
  for (const member of Object.keys(state) as (keyof LedgerState)[]) {
    const [theirs, ours] = [canonicalJson(document.state[member]), canonicalJson(state[member])];
    if (theirs !== ours) differences.push(`the read model has ${theirs} for the ledger's ${member}, the events say ${ours}`);
  }
  return differences;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
