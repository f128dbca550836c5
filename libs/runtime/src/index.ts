/** Puts a ledger together from its configuration: stores, writer, projector, backends and catalog. */
import { LedgerAudit } from '#audit';
import { isRefusal, ledgerKey, refuse, type LedgerName, type Refusal } from '#domain';
import type { EventStore } from '#event-store';
import {
  BindingLedger,
  ControlPlane,
  DEFAULT_LIMITS,
  KeyRing,
  PastQueries,
  ProjectionProgress,
  StreamNames,
  type BackendService,
  type CatalogService,
  type LedgerQueries,
  type PastTools,
  type Resumption,
} from '#ledger';
import type { ReadModel } from '#read-model';
import { SubscriberOperations } from '#subscriptions';
import type { Vault } from '#vault';
import { CatchUp } from './catch-up.js';
import { checkReadModel } from './check-read-model.js';
import { checkConfig, LedgerConfigError, type LedgerConfig } from './config.js';
import { projectInThread, projectInWorker, type Projection } from './projection.js';
import { Rebuilds } from './rebuilds.js';
import { closeAll, openStores, type OpenStores, type Stores } from './stores.js';

export * from './audit.js';
export * from './config.js';
export type { RebuildProgress, RebuildReport, Rebuilt } from './rebuild.js';
export * from './rebuilder.js';
export type { Rebuilds } from './rebuilds.js';
export type { Stores } from './stores.js';

/** The embedded read model takes so many times as many events at once: it writes fewer pages, and nobody sees half of them. */
const EMBEDDED_TAKES = 4;

export interface LedgerHealth {
  /** False when commands or answers cannot be relied on; `reasons` says why. */
  ready: boolean;
  reasons: string[];
}

/** A ledger that is open: what the faces of the program work with. */
export interface OpenedLedger {
  ledger: BindingLedger;
  queries: LedgerQueries;
  past: PastQueries;
  /** Verification, digests of all ledgers, and export. */
  audit: LedgerAudit;
  /** Makes the documents of a ledger anew, while it goes on. */
  rebuilds: Rebuilds;
  catalog: CatalogService;
  backends: BackendService;
  store: EventStore;
  readModel: ReadModel;
  vault: Vault;
  streams: StreamNames;
  progress: ProjectionProgress;
  /** Durable subscribers as operators see them, wherever they run. */
  subscribers: SubscriberOperations;
  /** Ledgers of a local model on all backends, from the streams. */
  ledgersOfLocalModel(localModel: string): Promise<LedgerName[]>;
  /** Settles when what a crash interrupted has been completed, as far as it can be. */
  resumed: Promise<Resumption>;
  health(): Promise<LedgerHealth>;
  /** Takes no more commands, finishes those it took, and closes everything, in order. */
  close(): Promise<void>;
}

/** @throws {LedgerConfigError | EventStoreError} with a message for the operator. */
export async function openLedger(config: LedgerConfig): Promise<OpenedLedger> {
  checkConfig(config);
  const stores = await openStores(config);
  try {
    return await assemble(config, stores);
  } catch (error) {
    await closeAll([stores.readModel, stores.vault, stores.store]);
    throw error;
  }
}

async function assemble(config: LedgerConfig, stores: OpenStores): Promise<OpenedLedger> {
  const { store, readModel, vault, elsewhere } = stores;
  const streams = new StreamNames(config.streamPrefix);
  await checkReadModel(stores, streams);
  const limits = { ...DEFAULT_LIMITS, ...config.limits };
  const progress = new ProjectionProgress(readModel);
  const amender: { ledger?: BindingLedger } = {};
  const plane = new ControlPlane({
    store,
    readModel,
    vault,
    keys: keysFrom(config.secretKey),
    streams,
    amender: { amend: (name, amend, context) => (amender.ledger as BindingLedger).amend(name, amend, context) },
  });
  const { catalog, backends } = plane;
  const check = (name: LedgerName) => checkLedger(name, backends, catalog);
  const catchUp = new CatchUp(readModel, store, streams.followed(), await store.endPosition());
  const ledger = (amender.ledger = new BindingLedger({
    store,
    readModel,
    streams,
    progress,
    open: backends.registerLedger,
    notYet: () => catchUp.refusal,
    check,
    problemsOf: plane.schemas.problemsOfData,
    limits,
    observer: config.observer,
  }));
  const maxEvents = limits.projectionEvents;
  const projection = projectionOf({ store, readModel, streams, progress }, elsewhere, maxEvents);
  await catchUp.begin(() => projection.troubles().some(({ passing }) => passing !== true));
  const resumed = plane.resumeFanOuts();
  const rebuilds = new Rebuilds({ store, readModel, streams, elsewhere, maxEvents, check, graceMs: config.generationGraceMs });
  rebuilds.resume();
  let closing: Promise<void> | undefined;
  return {
    ledger,
    queries: ledger.queries,
    past: pastOf({ store, readModel, streams }, ledger, plane),
    audit: auditOf({ store, readModel, streams }, plane),
    rebuilds,
    catalog,
    backends,
    store,
    readModel,
    vault,
    streams,
    progress,
    subscribers: new SubscriberOperations({ vault, store, streams, positions: ledger.queries.positions }),
    ledgersOfLocalModel: (localModel) => plane.ledgersOfLocalModel(localModel),
    resumed,
    health: () => healthOf({ store, readModel }, { ledger, plane }, projection, catchUp),
    close: () =>
      (closing ??= Promise.all([catchUp.stop(), rebuilds.stop()]).then(() =>
        closeInOrder({ ledger, progress }, resumed, projection, [readModel, vault, store]),
      )),
  };
}

function projectionOf(
  parts: Parameters<typeof projectInThread>[0],
  elsewhere: OpenStores['elsewhere'],
  maxEvents: number,
): Projection {
  if (elsewhere === undefined) return projectInThread(parts, maxEvents);
  const atOnce = 'mongodbUrl' in elsewhere ? maxEvents : maxEvents * EMBEDDED_TAKES;
  const projection = projectInWorker({ stores: elsewhere, prefix: parts.streams.prefix, maxEvents: atOnce }, parts.progress);
  parts.progress.hurry = projection.hurry;
  return projection;
}

function auditOf(parts: Pick<PastTools, 'store' | 'readModel' | 'streams'>, plane: ControlPlane): LedgerAudit {
  return new LedgerAudit({
    ...parts,
    problemsOf: plane.schemas.faultsOfData,
    ledgers: () => plane.ledgers(),
    check: (name) => checkLedger(name, plane.backends, plane.catalog),
  });
}

function pastOf(
  parts: Pick<PastTools, 'store' | 'readModel' | 'streams'>,
  { queries, limits }: BindingLedger,
  plane: ControlPlane,
): PastQueries {
  const { clockToleranceMs, commandTimeoutMs } = limits;
  return new PastQueries({
    ...parts,
    queries,
    ledgersOfLocalModel: (localModel) => plane.ledgersOfLocalModel(localModel, { retired: true }),
    clock: () => Date.now(),
    youngestMs: clockToleranceMs + commandTimeoutMs,
  });
}

/** First those who wait and those who write, then those who follow, then the stores themselves. */
async function closeInOrder(
  { ledger, progress }: Pick<OpenedLedger, 'ledger' | 'progress'>,
  resumed: Promise<unknown>,
  projection: Projection,
  stores: { close(): Promise<void> }[],
): Promise<void> {
  progress.close();
  await ledger.close();
  await resumed;
  await projection.stop();
  await closeAll(stores);
}

function keysFrom(secretKey: string | undefined): KeyRing {
  try {
    return KeyRing.parse(secretKey);
  } catch (error) {
    throw new LedgerConfigError(error instanceof Error ? error.message : String(error));
  }
}

async function checkLedger(
  { backend, model }: LedgerName,
  backends: BackendService,
  catalog: CatalogService,
): Promise<Refusal | undefined> {
  const [known, definition] = [await backends.get(backend), await catalog.model(model)];
  if (isRefusal(known)) return known;
  if (isRefusal(definition)) return definition;
  if (definition.backendType === known.type) return undefined;
  return refuse(
    'MODEL_BACKEND_MISMATCH',
    `model ${model} is for backends of type ${definition.backendType}; ${backend} is of type ${known.type}`,
  );
}

async function healthOf(
  { store, readModel }: Pick<Stores, 'store' | 'readModel'>,
  { ledger, plane }: { ledger: BindingLedger; plane: ControlPlane },
  projection: Projection,
  catchUp: CatchUp,
): Promise<LedgerHealth> {
  const reasons: string[] = catchUp.refusal === undefined ? [] : [catchUp.refusal.detail];
  for (const [name, part] of [
    ['event store', store],
    ['read model', readModel],
  ] as const) {
    await part
      .ping()
      .catch((error: unknown) => reasons.push(`${name}: ${error instanceof Error ? error.message : String(error)}`));
  }
  if (plane.trouble !== undefined) reasons.push(`backends and catalog: ${plane.trouble}`);
  for (const { ledger: of, reason } of ledger.writerTroubles()) reasons.push(`ledger ${ledgerKey(of)}: ${reason}`);
  for (const { stream, revision, reason } of projection.troubles())
    reasons.push(stream === '' ? `projection: ${reason}` : `projection of ${stream}@${revision}: ${reason}`);
  return { ready: reasons.length === 0, reasons };
}
