/** Exported ledgers: written, verified, imported. */
import { createReadStream, statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Readable } from 'node:stream';
import type { ExportReport, FileLine } from '#audit';
import type { LedgerName } from '#domain';
import { EXIT, UsageError } from '../exit-codes.js';
import { NewFile } from '../export.js';
import { readLines } from '../import/lines.js';
import { progressBar } from '../import/progress-bar.js';
import type { Output } from '../output.js';
import { orThrow, type Auditor } from './auditor.js';
import { keptDigests } from './kept-digests.js';

const LINES_TOGETHER = 200;

/** To standard output, or to a file that appears when it is complete. */
export async function exportLedger(
  auditor: Auditor,
  output: Output,
  ledger: LedgerName,
  out: string | undefined,
  signal: AbortSignal,
): Promise<number> {
  const file = out === undefined ? undefined : new NewFile(resolve(out));
  const write = (text: string) => (file === undefined ? output.write(text) : file.write(text));
  try {
    let [text, lines] = ['', 0];
    for await (const line of auditor.export(ledger, signal)) {
      text += `${JSON.stringify(line)}\n`;
      lines += 1;
      if (lines % LINES_TOGETHER !== 0) continue;
      await write(text);
      text = '';
    }
    await write(text);
    file?.finish();
    // Beside the events there are the header and the digest.
    if (out !== undefined) await output.answer({ file: resolve(out), events: lines - 2 }, { events: lines - 2, file: out });
    return EXIT.ok;
  } finally {
    file?.close();
  }
}

export async function verifyFile(output: Output, file: string, digest: string | undefined, signal: AbortSignal): Promise<number> {
  const [{ verifyExport, MAX_EXPORT_LINE_BYTES }, { JsonSchemas }] = await Promise.all([import('#audit'), import('#ledger')]);
  const kept = digest === undefined ? undefined : keptDigests(digest);
  const source = new FileSource(file, MAX_EXPORT_LINE_BYTES);
  const bar = progressBar(source.size, 'line {line}');
  try {
    const { report } = await verifyExport(source.lines(), new JsonSchemas().faultsOfData, {
      digestsOf: (ledger) => {
        if (kept !== undefined && !kept.has(ledger))
          throw new UsageError(`--digest: there is none of ${ledger}, which the file is of`);
        return kept?.get(ledger) ?? [];
      },
      signal,
      progress: (line) => bar.update(source.read, { line }),
    });
    bar.stop();
    await output.answer(report, membersOf(report));
    return report.ok ? EXIT.ok : EXIT.broken;
  } finally {
    bar.stop();
  }
}

export async function importLedger(
  output: Output,
  file: string,
  folder: string,
  { resume, signal }: { resume: boolean; signal: AbortSignal },
): Promise<number> {
  if (file === '-') throw new UsageError('a ledger is imported from a file, which is read twice');
  const [{ MAX_EXPORT_LINE_BYTES }, { configFromEnvironment, importInto, openLedger }] = await Promise.all([
    import('#audit'),
    import('#runtime'),
  ]);
  const source = new FileSource(file, MAX_EXPORT_LINE_BYTES);
  const opened = await openLedger(configFromEnvironment({ ...process.env, LEDGER_DATA: folder }));
  const bar = progressBar((source.size ?? 0) * 2, 'line {line}');
  try {
    const result = await importInto(opened, {
      open: () => source.lines(),
      resume,
      signal,
      progress: (pass, line) => bar.update(source.read + (pass === 'verify' ? 0 : (source.size ?? 0)), { line }),
    });
    bar.stop();
    if ('broken' in result) {
      await output.answer(result.broken, membersOf(result.broken));
      output.note('nothing was imported');
      return EXIT.broken;
    }
    const { imported, appended } = orThrow(result);
    await output.answer({ ...imported, appended }, { ...membersOf(imported), imported: appended });
    return EXIT.ok;
  } finally {
    bar.stop();
    await opened.close();
  }
}

/** A file as lines, as often as it is asked for; `-` is standard input, once. */
class FileSource {
  readonly size: number | undefined;
  /** Bytes that the last reading has come to. */
  read = 0;

  constructor(
    private readonly file: string,
    private readonly maxLineBytes: number,
  ) {
    this.size = file === '-' ? undefined : statSync(file).size;
  }

  async *lines(): AsyncGenerator<FileLine> {
    const input: Readable = this.file === '-' ? process.stdin : createReadStream(this.file);
    for await (const { number, text, fault, end } of readLines(input, this.maxLineBytes)) {
      this.read = end;
      yield fault === undefined ? { number, text } : { number, text, fault: `the line is ${fault}` };
    }
  }
}

function membersOf({ ok, ledger, checkedRevisions, digest, firstBad }: ExportReport): Record<string, unknown> {
  return {
    ledger: ledger ?? undefined,
    result: ok ? 'it is what it was' : ledger === null ? 'NOT an exported ledger' : 'NOT what it was',
    'good events': checkedRevisions,
    digest: `${digest.revision} ${digest.hash}`,
    'first bad': firstBad === undefined ? undefined : placeOf(firstBad),
    why: firstBad?.why,
  };
}

function placeOf({ line, revision, eventId }: NonNullable<ExportReport['firstBad']>): string {
  const event = eventId === null ? '' : `, event ${eventId}`;
  return revision === null ? `line ${line}` : `line ${line}, revision ${revision}${event}`;
}
