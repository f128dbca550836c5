import {
  isRefusal,
  ledgerKey,
  refuse,
  type LedgerName,
  type RecordedLedgerEvent,
  type Refusal,
  type RequestContext,
} from '#domain';
import type { EventStore } from '#event-store';
import { appendResolved, canonicalJson, toNewEvent, type BackendService, type CatalogService, type StreamNames } from '#ledger';
import type { ProblemsOf } from './binding-checker.js';
import { verifyExport, type ExportReport, type FileLine, type VerifiedExport } from './export-file.js';
import type { StoredEvent } from './stored-event.js';

export interface ImportTools {
  store: EventStore;
  streams: StreamNames;
  backends: Pick<BackendService, 'get' | 'registerLedger' | 'checkLedger'>;
  catalog: Pick<CatalogService, 'model'>;
  problemsOf: ProblemsOf;
  clock(): number;
  random(): number;
  sleep(ms: number): Promise<void>;
}

export interface ImportOptions {
  /** Opens the file from its beginning; it is read twice. */
  open(): AsyncIterable<FileLine>;
  /** Go on with a ledger that has the first events of the file, as an import that was killed leaves it. */
  resume?: boolean;
  context: RequestContext;
  signal?: AbortSignal;
  /** Told of each line of either pass. */
  progress?(pass: 'verify' | 'import', line: number): void;
}

export type ImportResult = { imported: ExportReport; appended: number } | { broken: ExportReport } | Refusal;

const BATCH_EVENTS = 500;
const BATCH_BYTES = 900_000;
const APPEND_TIMEOUT_MS = 30_000;

/**
 * Puts the events of a file into an empty ledger, as they are, so that it has the same hash. Nothing is written before the whole
 * file is verified; then each batch is one append at the revision that it follows on. What is killed in between leaves the
 * first events of the file, which `resume` goes on from; with anything else in the ledger the import is refused.
 */
export async function importLedger(tools: ImportTools, options: ImportOptions): Promise<ImportResult> {
  const { open, signal, progress } = options;
  const verified = await verifyExport(open(), tools.problemsOf, { signal, progress: (line) => progress?.('verify', line) });
  const { header, report } = verified;
  if (!report.ok || header === undefined) return { broken: report };
  const ledger = { backend: header.backend, model: header.model };
  const missing = await tools.backends.checkLedger(ledger);
  if (missing !== undefined) return missing;
  const unfit = (await refusalOfRules(tools, ledger, verified)) ?? (await refusalOfCauses(tools, ledger, verified));
  const start = unfit ?? (await startOf(tools, ledger, options));
  if (isRefusal(start)) return start;
  const stopped = await appendAll(tools, ledger, start.revision, options);
  if (stopped !== undefined) return stopped;
  // At last, for what a backend and a model say is carried to the ledgers that are registered: it would get between the events.
  const registered = await tools.backends.registerLedger(ledger, options.context);
  if (isRefusal(registered)) return registered;
  return { imported: report, appended: report.digest.revision - start.revision };
}

/** When the ledger is registered, the model's rules become its own: what it has must keep to them, or it could never be verified again. */
async function refusalOfRules(
  { catalog }: Pick<ImportTools, 'catalog'>,
  { model }: LedgerName,
  { checker }: VerifiedExport,
): Promise<Refusal | undefined> {
  const here = await catalog.model(model);
  if (isRefusal(here)) return here;
  const { rules, opened } = checker.state;
  if (!opened) return undefined;
  const unlike = (what: string, inFile: unknown, advice: string) =>
    refuse(
      'MALFORMED',
      `the file's ledger has the ${what} ${JSON.stringify(inFile)}, the model ${model} here another: ${advice}`,
    );
  if (here.localModel !== rules.localModel)
    return unlike('local model', rules.localModel, 'a ledger keeps its own for ever, so the model must be defined with it');
  const later = 'define the model here as it was, import, and change it then, which is checked';
  if (here.cardinality === 'one' && rules.cardinality === 'many') return unlike('cardinality', 'many', later);
  if (here.dataSchema !== null && canonicalJson(here.dataSchema) !== canonicalJson(rules.dataSchema))
    return unlike('data schema', rules.dataSchema, later);
  return undefined;
}

/** The ledger must fit the backend and the models that are here: what these say next must be news to it. */
async function refusalOfCauses(
  { store, streams, backends }: ImportTools,
  ledger: LedgerName,
  { checker }: VerifiedExport,
): Promise<Refusal | undefined> {
  const backend = await backends.get(ledger.backend);
  if (isRefusal(backend)) return backend;
  // The registration of the ledger, which is still to come, is one revision more.
  const registrations = backend.models.includes(ledger.model) ? 0 : 1;
  const { backendRevision, modelRevision } = checker.state;
  const backendHead = (await store.headRevision(streams.backend(ledger.backend))) + registrations;
  const modelHead = await store.headRevision(streams.models());
  const late = [
    ...(backendRevision > backendHead ? [`revision ${backendRevision} of its backend, which is at ${backendHead} here`] : []),
    ...(modelRevision > modelHead ? [`revision ${modelRevision} of the models, which are at ${modelHead} here`] : []),
  ];
  if (late.length === 0) return undefined;
  return refuse('MALFORMED', `the ledger has followed ${late.join(', and ')}: it would take what they say next for old`);
}

/** Where the ledger stands: before its first event, or, to go on, at an event that the file has too. */
async function startOf(
  { store, streams }: ImportTools,
  ledger: LedgerName,
  { open, resume }: ImportOptions,
): Promise<{ revision: number } | Refusal> {
  const [head] = await store.readStream(streams.ledger(ledger), { direction: 'backwards', limit: 1 });
  if (head === undefined) return { revision: -1 };
  const same = await hasEvent(open(), head);
  const has = `${ledgerKey(ledger)} has ${head.revision + 1} events`;
  if (!same) return refuse('MALFORMED', `${has}, which are not the first of this file: an import needs an empty ledger`);
  return resume === true
    ? { revision: head.revision }
    : refuse('MALFORMED', `${has}, the first of this file: an import that was stopped goes on with --resume`);
}

async function hasEvent(lines: AsyncIterable<FileLine>, { revision, metadata }: StoredEvent): Promise<boolean> {
  for await (const { number, text } of lines) {
    // The first line is the header, and the events follow without a gap: the file was verified.
    if (number !== revision + 2) continue;
    const event = JSON.parse(text) as Partial<StoredEvent>;
    return event.metadata?.['hash'] === metadata['hash'];
  }
  return false;
}

async function appendAll(
  tools: ImportTools,
  ledger: LedgerName,
  after: number,
  { open, signal, progress }: ImportOptions,
): Promise<Refusal | undefined> {
  const stream = tools.streams.ledger(ledger);
  let [batch, bytes, revision]: [StoredEvent[], number, number] = [[], 0, after];
  const flush = async (): Promise<Refusal | undefined> => {
    if (batch.length === 0) return undefined;
    const events = (batch as unknown as RecordedLedgerEvent[]).map(toNewEvent);
    const result = await appendResolved(tools, stream, revision, events, tools.clock() + APPEND_TIMEOUT_MS);
    if (result.outcome === 'failed') return result.refusal;
    if (result.outcome === 'conflict')
      return refuse('BUSY', `somebody else writes to ${ledgerKey(ledger)}: the import stopped at revision ${revision}`);
    revision += batch.length;
    [batch, bytes] = [[], 0];
    return undefined;
  };
  for await (const { number, text } of open()) {
    const event = JSON.parse(text) as StoredEvent;
    if (number === 1 || event.revision === undefined || event.revision <= after) continue;
    if (batch.length === BATCH_EVENTS || bytes + text.length > BATCH_BYTES) {
      const stopped = await flush();
      if (stopped !== undefined) return stopped;
      signal?.throwIfAborted();
      progress?.('import', number);
    }
    batch.push(event);
    bytes += Buffer.byteLength(text);
  }
  return flush();
}
