/** For auditors: digests to keep, verification, ledgers as files. */
import type { Command } from 'commander';
import { configOf, openAuditor, type Auditor } from '../audit/auditor.js';
import { exportLedger, importLedger, verifyFile } from '../audit/ledger-files.js';
import { verify, type VerifyOptions } from '../audit/verify.js';
import { EXIT, UsageError } from '../exit-codes.js';
import { isLedgerError } from '#client';
import { globalsOf, leaf } from '../leaf.js';
import { Output } from '../output.js';
import { assertLedger, placeOf } from '../session.js';
import { untilInterrupted } from '../interruption.js';

type Work<O> = (output: Output, args: string[], options: O, signal: AbortSignal) => Promise<number>;

export function addAuditCommands(program: Command): void {
  leaf(program, 'digests', 'the digests of all ledgers, to keep elsewhere').action(
    audited<object>(async (auditor, output) => {
      await output.rows(auditor.digests(), [
        ['ledger', ({ ledger }) => ledger],
        ['revision', ({ revision }) => revision],
        ['hash', ({ hash }) => hash],
        ['at', ({ at }) => at],
      ]);
      return EXIT.ok;
    }),
  );
  leaf(
    program,
    'verify [backend] [model]',
    'recompute a ledger from its events, or all ledgers; without a server the folder may be in use',
  )
    .option('--digest <json|@file>', 'it must agree with this digest that was kept, or those of a file')
    .option('--only-after', 'believe the digest, and recompute only the chain after it')
    .action(audited<VerifyOptions>(verify));
  leaf(program, 'export-ledger <backend> <model>', 'write a whole ledger: its events as they are stored, and its digest')
    .option('--out <file>', 'the file to write; it appears when it is complete')
    .action(
      audited<{ out?: string }>((auditor, output, [backend = '', model = ''], { out }, signal) =>
        exportLedger(auditor, output, { backend, model }, out, signal),
      ),
    );
  addFileCommands(program);
}

function addFileCommands(program: Command): void {
  program
    .command('verify-export <file>')
    .description('verify an exported ledger with nothing but the file ("-": standard input)')
    .option('--digest <json|@file>', 'it must agree with this digest that was kept')
    .option('--json', 'for scripts: JSON on standard output')
    .action(
      interruptible<{ digest?: string }>((output, [file = ''], { digest }, signal) => verifyFile(output, file, digest, signal)),
    );
  leaf(program, 'import-ledger <file>', 'put an exported ledger into the stores, as it was; its backend and model must be there')
    .option('--resume', 'go on with an import of this file that was stopped')
    .action(
      interruptible<{ resume?: true; url?: string; data?: string }>(
        async (output, [file = ''], { resume, ...globals }, signal) => {
          const place = placeOf(globals, process.env);
          if (place.url !== undefined)
            throw new UsageError(
              'import-ledger works on the stores themselves: name a data folder with --data, or the stores by their variables',
            );
          assertLedger(place.folder, await configOf(place.folder));
          return withAdvice(output, () => importLedger(output, file, place.folder, { resume: resume === true, signal }));
        },
      ),
    );
}

const MISSING: ReadonlySet<string> = new Set(['BACKEND_NOT_FOUND', 'MODEL_NOT_FOUND', 'BACKEND_TYPE_NOT_FOUND']);

/** A file has the events of its ledger alone: what they refer to is somebody's to register. */
async function withAdvice(output: Output, work: () => Promise<number>): Promise<number> {
  try {
    return await work();
  } catch (error) {
    if (isLedgerError(error) && MISSING.has(error.code) && !output.json)
      output.note('register its type, model and backend under the same names first (docs/cli.md, Ledgers as files)');
    throw error;
  }
}

function audited<O>(
  work: (auditor: Auditor, output: Output, args: string[], options: O, signal: AbortSignal) => Promise<number>,
): (...given: unknown[]) => Promise<void> {
  return interruptible<O>(async (output, args, options, signal) => {
    const auditor = await openAuditor(options as object, output);
    try {
      return await work(auditor, output, args, options, signal);
    } finally {
      await auditor.close();
    }
  });
}

/** Ends in order on Ctrl-C. The global options stand among the command's own. */
function interruptible<O>(work: Work<O>): (...given: unknown[]) => Promise<void> {
  return async (...given) => {
    const command = given.at(-1) as Command;
    const args = given.slice(0, -2).filter((argument) => argument !== undefined) as string[];
    const globals = globalsOf(command);
    const output = new Output(globals.json === true);
    await untilInterrupted(async (signal) => {
      try {
        process.exitCode = await work(output, args, { ...(given.at(-2) as O), ...globals }, signal);
      } catch (error) {
        if (!signal.aborted) throw error;
        output.note('stopped');
        process.exitCode = EXIT.interrupted;
      }
    });
  };
}
