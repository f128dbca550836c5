/** Puts a ledger together from its configuration: stores, writer, projector, backends and catalog. */
import { isRefusal, ledgerKey, refuse, type LedgerName, type Refusal } from '#domain';
import { EventStoreError, type EventStore } from '#event-store';
import { openSqliteEventStore } from '#event-store/sqlite';
import {
  BindingLedger,
  ControlPlane,
  DEFAULT_LIMITS,
  KeyRing,
  ProjectionProgress,
  readLedgerEvent,
  StreamNames,
  type BackendService,
  type CatalogService,
  type LedgerQueries,
  type Resumption,
} from '#ledger';
import type { ReadModel } from '#read-model';
import { openSqliteReadModel, READ_MODEL_FILE } from '#read-model/sqlite';
import type { Vault } from '#vault';
import { openSqliteVault } from '#vault/sqlite';
import { CatchUp } from './catch-up.js';
import { checkConfig, DEFAULT_DATA_FOLDER, LedgerConfigError, type LedgerConfig } from './config.js';
import { projectInThread, projectInWorker, type Projection } from './projection.js';

export * from './config.js';

export interface LedgerHealth {
  /** False when commands or answers cannot be relied on; `reasons` says why. */
  ready: boolean;
  reasons: string[];
}

/** A ledger that is open: what the faces of the program work with. */
export interface OpenedLedger {
  ledger: BindingLedger;
  queries: LedgerQueries;
  catalog: CatalogService;
  backends: BackendService;
  store: EventStore;
  readModel: ReadModel;
  streams: StreamNames;
  progress: ProjectionProgress;
  /** Ledgers of a local model on all backends, from the streams. */
  ledgersOfLocalModel(localModel: string): Promise<LedgerName[]>;
  /** Settles when what a crash interrupted has been completed, as far as it can be. */
  resumed: Promise<Resumption>;
  health(): Promise<LedgerHealth>;
  /** Takes no more commands, finishes those it took, and closes everything, in order. */
  close(): Promise<void>;
}

const MEMORY = ':memory:';

/** @throws {LedgerConfigError | EventStoreError} with a message for the operator. */
export async function openLedger(config: LedgerConfig): Promise<OpenedLedger> {
  checkConfig(config);
  const stores = await openEmbedded(config);
  try {
    return await assemble(config, stores);
  } catch (error) {
    await closeAll([stores.readModel, stores.vault, stores.store]);
    throw error;
  }
}

interface Stores {
  store: EventStore;
  readModel: ReadModel;
  vault: Vault;
}

async function openEmbedded({ data = DEFAULT_DATA_FOLDER, threads }: LedgerConfig): Promise<Stores> {
  const appendIn = threads === 'none' ? 'thread' : 'worker';
  const store = await openSqliteEventStore({ folder: data, appendIn });
  const opened: { close(): Promise<void> }[] = [store];
  try {
    const vault = await openSqliteVault({ folder: data });
    opened.unshift(vault);
    const readModel = await openSqliteReadModel(data === MEMORY ? { memory: true } : { folder: data });
    return { store, readModel, vault };
  } catch (error) {
    await closeAll(opened);
    throw error;
  }
}

async function assemble(config: LedgerConfig, { store, readModel, vault }: Stores): Promise<OpenedLedger> {
  const { data = DEFAULT_DATA_FOLDER } = config;
  const streams = new StreamNames(config.streamPrefix);
  await checkReadModel(store, readModel, streams, data);
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
  const catchUp = new CatchUp(readModel, await store.endPosition());
  const ledger = (amender.ledger = new BindingLedger({
    store,
    readModel,
    streams,
    progress,
    open: backends.registerLedger,
    notYet: () => catchUp.refusal,
    check: (name) => checkLedger(name, backends, catalog),
    problemsOf: plane.schemas.problemsOfData,
    limits,
    observer: config.observer,
  }));
  const inThread = data === MEMORY || config.threads === 'none';
  const projection = inThread
    ? projectInThread({ store, readModel, streams, progress }, limits.projectionEvents)
    : projectInWorker({ folder: data, prefix: streams.prefix, maxEvents: limits.projectionEvents }, progress);
  await catchUp.begin(() => projection.troubles().some(({ passing }) => passing !== true));
  const resumed = plane.resumeFanOuts();
  let closing: Promise<void> | undefined;
  return {
    ledger,
    queries: ledger.queries,
    catalog,
    backends,
    store,
    readModel,
    streams,
    progress,
    ledgersOfLocalModel: (localModel) => plane.ledgersOfLocalModel(localModel),
    resumed,
    health: () => healthOf({ store, readModel }, ledger, projection, catchUp),
    close: () => (closing ??= catchUp.stop().then(() => closeInOrder(ledger, resumed, projection, [readModel, vault, store]))),
  };
}

/** First those who write, then those who follow, then the stores themselves. */
async function closeInOrder(
  ledger: BindingLedger,
  resumed: Promise<unknown>,
  projection: Projection,
  stores: { close(): Promise<void> }[],
): Promise<void> {
  await ledger.close();
  await resumed;
  await projection.stop();
  await closeAll(stores);
}

async function closeAll(closable: { close(): Promise<void> }[]): Promise<void> {
  for (const each of closable) await each.close();
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

/** The hash at each checkpoint must be that of the event there: otherwise one of the two files was restored or exchanged. */
async function checkReadModel(store: EventStore, readModel: ReadModel, streams: StreamNames, data: string): Promise<void> {
  for (const { ledger, checkpoint, hash } of await readModel.ledgerDocuments()) {
    if (checkpoint < 0) continue;
    const [event] = await store.readStream(streams.ledger(ledger), { after: checkpoint - 1, limit: 1 });
    if (event !== undefined && readLedgerEvent(event).metadata.hash === hash) continue;
    throw new EventStoreError(
      'UNAVAILABLE',
      `The read model in ${data} does not belong to its events (ledger ${ledgerKey(ledger)} differs at revision ${checkpoint}): ` +
        `delete ${READ_MODEL_FILE}, which is made anew from the events at the next start`,
    );
  }
}

async function healthOf(
  { store, readModel }: Pick<Stores, 'store' | 'readModel'>,
  ledger: BindingLedger,
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
  for (const { ledger: of, reason } of ledger.writerTroubles()) reasons.push(`ledger ${ledgerKey(of)}: ${reason}`);
  for (const { stream, revision, reason } of projection.troubles())
    reasons.push(stream === '' ? `projection: ${reason}` : `projection of ${stream}@${revision}: ${reason}`);
  return { ready: reasons.length === 0, reasons };
}
