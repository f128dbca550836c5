import { ledgerKey, type LedgerName } from '#domain';
import type { StreamNames } from '#ledger';
import type { LedgerDocument } from '#read-model';
import { Breath } from './breath.js';
import type { ProblemsOf } from './binding-checker.js';
import { ChainChecker } from './chain-checker.js';
import { LedgerChecker } from './ledger-checker.js';
import { ReadModelCheck, type ReadModelForAudit, type ReadModelReport } from './read-model-check.js';
import { KnownDigests } from './known-digests.js';
import type { EventChecker, Fault, KnownDigest } from './stored-event.js';
import { StreamFold, type StoreForAudit } from './stream-fold.js';

export interface VerifyTools {
  store: StoreForAudit;
  readModel: ReadModelForAudit;
  streams: Pick<StreamNames, 'ledger'>;
  problemsOf: ProblemsOf;
}

export interface VerifyOptions {
  /** What the ledger was once, kept elsewhere. */
  digest?: KnownDigest;
  /** The same of several revisions: each is compared. */
  digests?: readonly KnownDigest[];
  /** Believe the digest, and recompute only the chain after it: no rules are checked, and the read model is not compared. */
  onlyAfter?: boolean;
  signal?: AbortSignal;
  /** Told after each page of events. */
  progress?(at: VerifyProgress): void;
}

export interface VerifyProgress {
  checkedRevisions: number;
  headRevision: number;
}

export interface VerifyReport {
  ok: boolean;
  ledger: string;
  /** Events that were found good, beginning with the first (with `onlyAfter`: with that of the digest). */
  checkedRevisions: number;
  /** The newest event that was found good: a digest to keep, when `ok`. */
  digest: KnownDigest & { at?: string };
  firstBad?: Fault;
  /** Absent when it was not compared: `onlyAfter`, or a fault before its checkpoint. */
  readModel?: ReadModelReport;
}

/** Recomputes a ledger from its events as they are stored, and compares its read model with that. Ends at the stream's end as of the call. */
export async function verifyLedger(tools: VerifyTools, ledger: LedgerName, options: VerifyOptions = {}): Promise<VerifyReport> {
  return options.onlyAfter === true && options.digest !== undefined
    ? verifyAfter(tools, ledger, options.digest, options)
    : verifyWhole(tools, ledger, options);
}

async function verifyWhole(tools: VerifyTools, ledger: LedgerName, options: VerifyOptions): Promise<VerifyReport> {
  const { store, readModel, streams, problemsOf } = tools;
  const stream = streams.ledger(ledger);
  // In this order: the read model is never ahead of a stream that was read after it, unless events were cut off.
  const document = await readModel.ledgerDocument(ledger);
  const head = await store.headRevision(stream);
  const breath = new Breath(options.signal);
  const kept = keptDigests(options);
  const checker = new LedgerChecker(problemsOf, expectedOf(head, document));
  const fold = new StreamFold(store, stream, checker, breath, kept, progressTo(head, options));
  const checkpoint = document?.checkpoint ?? -1;
  let report: ReadModelReport | undefined;
  if (await fold.to(Math.min(checkpoint, head))) {
    if (checkpoint > head) fold.fault = cutOff(head, `the read model has applied revision ${checkpoint}`);
    else
      report = await new ReadModelCheck(ledger, readModel, checker, fold, () => store.headRevision(stream), breath).run(document);
  }
  await fold.to(head);
  requireEnd(fold, checker, kept);
  const digest = { revision: checker.revision, hash: checker.hash, at: checker.at };
  return reportOf(ledger, checker.revision + 1, digest, fold.fault, report);
}

async function verifyAfter(
  { store, streams }: VerifyTools,
  ledger: LedgerName,
  digest: KnownDigest,
  options: VerifyOptions,
): Promise<VerifyReport> {
  const stream = streams.ledger(ledger);
  const head = await store.headRevision(stream);
  const checker = new ChainChecker(digest);
  const kept = keptDigests(options);
  const fold = new StreamFold(store, stream, checker, new Breath(options.signal), kept, progressTo(head, options));
  const [event] = digest.revision < 0 ? [] : await store.readStream(stream, { after: digest.revision - 1, limit: 1 });
  if (digest.revision > head) fold.fault = cutOff(head, `the digest kept is of revision ${digest.revision}`);
  else if (digest.revision >= 0 && event?.metadata['hash'] !== digest.hash) {
    const why = `the digest kept of this revision is ${digest.hash}, which is not the event's hash`;
    fold.fault = { revision: digest.revision, eventId: event?.id ?? null, why };
  }
  await fold.to(head);
  requireEnd(fold, checker, kept);
  const checked = fold.fault !== undefined && checker.revision === digest.revision ? 0 : checker.revision - digest.revision + 1;
  return reportOf(ledger, checked, { revision: checker.revision, hash: checker.hash }, fold.fault, undefined);
}

/** What the document says is not believed further than the stream is long. */
function expectedOf(head: number, document: LedgerDocument | undefined): { events: number; bindings: number } {
  const { pending, bound, unbound } = document?.state.counts ?? { pending: 0, bound: 0, unbound: 0 };
  const bindings = Math.trunc(Number(pending + bound + unbound));
  return { events: head + 1, bindings: bindings > 0 ? Math.min(bindings, head + 1) : 0 };
}

function progressTo(headRevision: number, { progress }: VerifyOptions): (revision: number) => void {
  return (revision) => progress?.({ checkedRevisions: revision + 1, headRevision });
}

function keptDigests({ digest, digests = [] }: VerifyOptions): KnownDigests {
  return new KnownDigests(digest === undefined ? digests : [digest, ...digests]);
}

/** The stream of digests that were kept reaches at least to the newest of them. */
function requireEnd(fold: StreamFold, checker: EventChecker, kept: KnownDigests): void {
  const why = kept.problemOfEnd(checker.revision, 'the stream');
  if (fold.fault === undefined && why !== undefined) fold.fault = { revision: checker.revision + 1, eventId: null, why };
}

function cutOff(head: number, evidence: string): Fault {
  return { revision: head + 1, eventId: null, why: `the stream ends at revision ${head}, but ${evidence}: events were cut off` };
}

function reportOf(
  ledger: LedgerName,
  checkedRevisions: number,
  digest: VerifyReport['digest'],
  firstBad: Fault | undefined,
  readModel: ReadModelReport | undefined,
): VerifyReport {
  const ok = firstBad === undefined && readModel?.ok !== false;
  const report: VerifyReport = { ok, ledger: ledgerKey(ledger), checkedRevisions, digest };
  if (firstBad !== undefined) report.firstBad = firstBad;
  if (readModel !== undefined) report.readModel = readModel;
  return report;
}
