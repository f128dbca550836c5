/**
 * A ledger as lines of JSON: a header, its events as they are stored, and its digest. `verifyExport` needs nothing but the lines;
 * `docs/test-vectors` has some, for whoever writes another verifier.
 */
import { ledgerKey, parseName, type LedgerName } from '#domain';
import type { EventStore } from '#event-store';
import type { StreamNames } from '#ledger';
import type { ProblemsOf } from './binding-checker.js';
import { Breath } from './breath.js';
import { LedgerChecker } from './ledger-checker.js';
import { KnownDigests } from './known-digests.js';
import { memberTwice } from './member-twice.js';
import { isObject, show, textOf, type Fault, type KnownDigest, type StoredEvent } from './stored-event.js';

export const EXPORT_FORMAT = 'binding-ledger-export';
export const EXPORT_VERSION = 1;
const EVENT_MEMBERS: ReadonlySet<string> = new Set(['revision', 'id', 'type', 'data', 'metadata']);
/** As long as a line may be: more than the largest append. */
export const MAX_EXPORT_LINE_BYTES = 2_097_152;
/** Few enough that a page of events with large data is no burden. */
const PAGE_EVENTS = 256;

export interface ExportHeader {
  format: typeof EXPORT_FORMAT;
  formatVersion: typeof EXPORT_VERSION;
  backend: string;
  model: string;
  exportedAt: string;
}

export interface ExportEnd {
  digest: KnownDigest & { ledger: string; at: string };
}

export type ExportLine = ExportHeader | StoredEvent | ExportEnd;

/** Up to the newest event as of the call: a ledger that grows all the time has an end too. */
export async function* exportLedger(
  { store, streams }: { store: Pick<EventStore, 'readStream' | 'headRevision'>; streams: Pick<StreamNames, 'ledger'> },
  { backend, model }: LedgerName,
  now: () => Date = () => new Date(),
): AsyncGenerator<ExportLine[]> {
  const stream = streams.ledger({ backend, model });
  const head = await store.headRevision(stream);
  const exportedAt = now().toISOString();
  yield [{ format: EXPORT_FORMAT, formatVersion: EXPORT_VERSION, backend, model, exportedAt }];
  const end = { ledger: ledgerKey({ backend, model }), revision: -1, hash: '', at: '' };
  while (end.revision < head) {
    const page = await store.readStream(stream, {
      after: end.revision,
      limit: Math.min(PAGE_EVENTS, head - end.revision),
    });
    const last = page.at(-1);
    if (last === undefined) throw new Error(`${stream} ends at revision ${end.revision}, where it had ${head}`);
    end.revision = last.revision;
    [end.hash, end.at] = [textOf(last.metadata['hash']), textOf(last.metadata['at'])];
    yield page.map(({ revision, id, type, data, metadata }) => ({ revision, id, type, data, metadata }));
  }
  yield [{ digest: end }];
}

/** A line of a file; `fault` says why it has no text. */
export interface FileLine {
  number: number;
  text: string;
  fault?: string;
}

export interface ExportReport {
  ok: boolean;
  /** `null` when the file has no header. */
  ledger: string | null;
  checkedRevisions: number;
  digest: KnownDigest & { at: string };
  /** The first line that is not what it was. */
  firstBad?: Omit<Fault, 'revision'> & { line: number; revision: number | null };
}

/** What is read of a file while it is verified: for whoever does something with its events afterwards. */
export interface VerifiedExport {
  report: ExportReport;
  header: ExportHeader | undefined;
  checker: LedgerChecker;
}

export interface VerifyExportOptions {
  /** What the ledger that the header names was at some revisions, kept elsewhere. */
  digestsOf?: (ledger: string) => readonly KnownDigest[];
  signal?: AbortSignal;
  progress?(line: number): void;
}

/** Verifies a file from its first line to its last, with nothing but the file. */
export async function verifyExport(
  lines: AsyncIterable<FileLine>,
  problemsOf: ProblemsOf,
  { digestsOf = () => [], signal, progress }: VerifyExportOptions = {},
): Promise<VerifiedExport> {
  const file = new ExportFile(new LedgerChecker(problemsOf), digestsOf);
  const breath = new Breath(signal);
  for await (const line of lines) {
    file.take(line);
    if (file.bad !== undefined) break;
    if (!breath.due) continue;
    progress?.(line.number);
    await breath.take();
  }
  return file.finish();
}

/** The state of a file that is read line by line. */
class ExportFile {
  bad: ExportReport['firstBad'];
  private header: ExportHeader | undefined;
  private ended = false;
  private lines = 0;
  private digests = new KnownDigests([]);

  constructor(
    private readonly checker: LedgerChecker,
    private readonly digestsOf: (ledger: string) => readonly KnownDigest[],
  ) {}

  take({ number, text, fault }: FileLine): void {
    this.lines = number;
    const value = fault === undefined ? parsed(text) : undefined;
    if (!isObject(value)) return this.refuse(fault ?? 'the line is no JSON object');
    const twice = JSON.stringify(value) === text ? undefined : memberTwice(text);
    if (twice !== undefined) return this.refuse(`the line has the member ${show(twice)} twice`);
    if (this.ended) return this.refuse('there are lines after the digest');
    if (this.header === undefined) return this.takeHeader(value);
    if ('digest' in value) return this.takeEnd(value['digest']);
    this.takeEvent(value);
  }

  finish(): VerifiedExport {
    const { revision, hash, at } = this.checker;
    if (this.bad === undefined && !this.ended) this.refuse('the file ends without its digest: it was cut off', revision + 1);
    const short = this.digests.problemOfEnd(revision, 'the file');
    if (short !== undefined) this.refuse(short, revision + 1);
    const { header } = this;
    const report: ExportReport = {
      ok: this.bad === undefined,
      ledger: header === undefined ? null : ledgerKey(header),
      checkedRevisions: revision + 1,
      digest: { revision, hash, at },
    };
    if (this.bad !== undefined) report.firstBad = this.bad;
    return { report, header, checker: this.checker };
  }

  private takeHeader(value: Record<string, unknown>): void {
    const { format, formatVersion, backend, model } = value;
    if (format !== EXPORT_FORMAT) return this.refuse('the first line is not the header of an exported ledger');
    if (formatVersion !== EXPORT_VERSION)
      return this.refuse(`version ${JSON.stringify(formatVersion)} of the format is not known to this version`);
    if (parseName(backend).problem !== undefined || parseName(model).problem !== undefined)
      return this.refuse('the header names no ledger');
    this.header = value as unknown as ExportHeader;
    this.digests = new KnownDigests(this.digestsOf(ledgerKey(this.header)));
  }

  private takeEvent(value: Record<string, unknown>): void {
    const { revision, id, type } = value;
    const next = this.checker.revision + 1;
    if (typeof id !== 'string' || typeof type !== 'string' || !Number.isSafeInteger(revision))
      return this.refuse('the line is no event', next);
    const unknown = Object.keys(value).find((member) => !EVENT_MEMBERS.has(member));
    if (unknown !== undefined) return this.refuse(`the line has ${show(unknown)}, which no event has`, next, id);
    if ((revision as number) > next) return this.refuse(`the event of revision ${next} is missing`, next);
    const why = this.checker.check(value as unknown as StoredEvent);
    if (why !== undefined) return this.refuse(why, next, id);
    const other = this.digests.problemAt(next, this.checker.hash);
    if (other !== undefined) this.refuse(other, next, id);
  }

  private takeEnd(end: unknown): void {
    this.ended = true;
    const { revision, hash, at } = this.checker;
    const ledger = ledgerKey(this.header as ExportHeader);
    const known = isObject(end) ? end : {};
    if (known['ledger'] !== ledger) return this.refuse('the digest is of another ledger than the header');
    const same = known['revision'] === revision && known['hash'] === hash && known['at'] === at;
    if (!same) this.refuse(`the digest is not that of the last event, revision ${revision}: events are missing or were changed`);
  }

  private refuse(why: string, revision: number | null = null, eventId: string | null = null): void {
    this.bad ??= { line: this.lines, revision, eventId, why };
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
