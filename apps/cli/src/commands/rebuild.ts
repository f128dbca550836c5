/** `ledger rebuild`: the answers made anew from the events, by a server or on the stores themselves. */
import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import type { Difference, Differences, Rebuilt, RebuildProgress } from '#client';
import type { LedgerName } from '#domain';
import { configOf, orThrow } from '../audit/auditor.js';
import { EXIT, UsageError } from '../exit-codes.js';
import { progressBar, type ProgressBar } from '../import/progress-bar.js';
import { globalsOf, leaf } from '../leaf.js';
import { Output } from '../output.js';
import { openSession, placeOf, type GlobalOptions } from '../session.js';
import { untilInterrupted } from '../interruption.js';

interface RebuildOptions {
  ledger?: string;
  dryRun?: true;
}

interface Watched {
  signal: AbortSignal;
  progress(at: RebuildProgress): void;
}

/** Who rebuilds: a server, or this program on the stores. */
interface Worker {
  /** Those to do where none is named. */
  ledgers(dryRun: boolean): Promise<LedgerName[]>;
  run(ledger: LedgerName, dryRun: boolean, watched: Watched): Promise<Rebuilt | Differences>;
  close(): Promise<void>;
}

const SHOWN_DIFFERENCES = 20;
/** A rebuild says how far it is long before, unless another one is going on that must be waited for. */
const MAX_WAIT_MS = 60_000;

export function addRebuild(program: Command): void {
  leaf(
    program,
    'rebuild',
    'make the answers anew from the events, while the old ones go on answering; without a server nobody may have the folder open',
  )
    .option('--ledger <backend/model>', 'this ledger alone (default: those that belong to other events, or all)')
    .option('--dry-run', 'only say what differs; exit code 6 when something does')
    .action(async (options: RebuildOptions, command: Command) => {
      const globals = globalsOf(command);
      const output = new Output(globals.json === true);
      await untilInterrupted(async (signal) => {
        try {
          process.exitCode = await rebuild(globals, output, options, signal);
        } catch (error) {
          if (!signal.aborted) throw error;
          output.note('stopped; the next rebuild goes on from here');
          process.exitCode = EXIT.interrupted;
        }
      });
    });
}

async function rebuild(globals: GlobalOptions, output: Output, options: RebuildOptions, signal: AbortSignal): Promise<number> {
  const named = options.ledger === undefined ? undefined : ledgerOf(options.ledger);
  const dryRun = options.dryRun === true;
  const worker = await openWorker(globals, output);
  try {
    const ledgers = named === undefined ? await worker.ledgers(dryRun) : [named];
    let differing = 0;
    for (const ledger of ledgers) {
      const report = await rebuildOne(worker, output, ledger, dryRun, signal);
      if ('ok' in report && !report.ok) differing += 1;
    }
    if (!output.json && ledgers.length !== 1)
      output.note(`${ledgers.length} ledgers${dryRun ? `, ${differing} of them differ` : ''}`);
    return differing === 0 ? EXIT.ok : EXIT.broken;
  } finally {
    await worker.close();
  }
}

async function rebuildOne(
  worker: Worker,
  output: Output,
  ledger: LedgerName,
  dryRun: boolean,
  signal: AbortSignal,
): Promise<Rebuilt | Differences> {
  let bar: ProgressBar | undefined;
  const progress = ({ revision, headRevision }: RebuildProgress): void => {
    bar ??= progressBar(headRevision + 1, `${ledger.backend}/${ledger.model} {events} events`);
    bar.update(revision + 1, { events: revision + 1 });
  };
  try {
    const report = await worker.run(ledger, dryRun, { signal, progress });
    bar?.stop();
    await output.answer(report, membersOf(report));
    return report;
  } finally {
    bar?.stop();
  }
}

async function openWorker(globals: GlobalOptions, output: Output): Promise<Worker> {
  const place = placeOf(globals, process.env);
  if (place.url === undefined) return ofStores(place.folder);
  const { client, close } = await openSession(globals, output);
  return {
    async ledgers() {
      const found: LedgerName[] = [];
      for await (const { ledger } of client.digests()) found.push(ledgerOf(ledger));
      return found;
    },
    run: ({ backend, model }, dryRun, watched) => {
      const ledger = client.ledger(backend, model);
      const options = { ...watched, timeoutMs: MAX_WAIT_MS };
      return dryRun ? ledger.differences(options) : ledger.rebuild(options);
    },
    close,
  };
}

async function ofStores(folder: string): Promise<Worker> {
  const { openRebuilder } = await import('#runtime');
  const config = await configOf(folder);
  if (config.eventStoreUrl === undefined && !existsSync(folder)) throw new UsageError(`there is no data folder ${folder}`);
  const rebuilder = await openRebuilder(config);
  return {
    ledgers: (dryRun) => rebuilder.ledgers(dryRun),
    run: async (ledger, dryRun, watched) => orThrow(await rebuilder.rebuild(ledger, dryRun, watched)),
    close: () => rebuilder.close(),
  };
}

function ledgerOf(name: string): LedgerName {
  const [backend = '', model = '', ...more] = name.split('/');
  if (backend === '' || model === '' || more.length > 0) throw new UsageError('--ledger takes BACKEND/MODEL');
  return { backend, model };
}

function membersOf(report: Rebuilt | Differences): Record<string, unknown> {
  const { ledger, revision } = report;
  if (!('ok' in report)) return { ledger, rebuilt: `up to revision ${revision}`, generation: report.generation };
  const { ok, compared, differing, differences } = report;
  return {
    ledger,
    result: ok ? 'as the events say' : `NOT as the events say: ${differing} differences`,
    compared: `${compared} bindings, up to revision ${revision}`,
    ...Object.fromEntries(
      differences.slice(0, SHOWN_DIFFERENCES).map((each, index) => [`difference ${index + 1}`, sentenceOf(each)]),
    ),
    ...(differing > SHOWN_DIFFERENCES ? { '…': '--json lists the first hundred' } : {}),
  };
}

function sentenceOf({ bindingId, field, readModel, events }: Difference): string {
  const what = bindingId === null ? field : `${bindingId} ${field}`;
  return `${what}: ${readModel ?? 'missing'}, by the events ${events ?? 'missing'}`;
}
