/** Rebuilding on the stores themselves: a data folder that nobody has open, or the stores that servers are running on. */
import { ledgersIn } from '#audit';
import { ledgerKey, refuse, type LedgerName, type Refusal } from '#domain';
import { DEFAULT_LIMITS, StreamNames } from '#ledger';
import { isOfItsEvents } from './check-read-model.js';
import { checkConfig, DEFAULT_DATA_FOLDER, LedgerConfigError, type LedgerConfig } from './config.js';
import { GENERATION_GRACE_MS, runRebuild, type RebuildReport, type RebuildWatch } from './rebuild.js';
import { closeAll, openStores, type OpenStores } from './stores.js';

/** What `openRebuilder` opens: the stores, without a server's work on them. */
export class Rebuilder {
  private readonly streams: StreamNames;

  constructor(
    private readonly stores: OpenStores,
    private readonly config: LedgerConfig,
  ) {
    this.streams = new StreamNames(config.streamPrefix);
  }

  /**
   * The ledgers to rebuild when none is named: those whose documents are made of other events, and, where there are none, all.
   * A dry run looks at all.
   */
  async ledgers(dryRun: boolean): Promise<LedgerName[]> {
    const { foreign, all } = await this.look();
    return foreign.length === 0 || dryRun ? all : foreign;
  }

  async rebuild(ledger: LedgerName, dryRun: boolean, watch: RebuildWatch): Promise<RebuildReport | Refusal> {
    const { all, foreign, ahead } = await this.look();
    const key = ledgerKey(ledger);
    if (!all.some((each) => ledgerKey(each) === key)) return refuse('BACKEND_NOT_FOUND', `there is no ledger ${key} here`);
    // The catalog cannot be compared by a hash, so it is made anew with the first ledger that differs.
    if (!dryRun && (foreign.length > 0 || ahead)) await this.stores.readModel.forgetCatalog();
    const maxEvents = this.config.limits?.projectionEvents ?? DEFAULT_LIMITS.projectionEvents;
    const { store, readModel } = this.stores;
    // A data folder has one process at a time; servers may be running on stores elsewhere.
    const graceMs = this.config.eventStoreUrl === undefined ? 0 : GENERATION_GRACE_MS;
    const task = { ledger, dryRun, forgetsForeign: true, graceMs, maxEvents };
    return runRebuild({ store, readModel, streams: this.streams }, task, watch);
  }

  close(): Promise<void> {
    const { readModel, vault, store } = this.stores;
    return closeAll([readModel, vault, store]);
  }

  private async look(): Promise<{ all: LedgerName[]; foreign: LedgerName[]; ahead: boolean }> {
    const { store, readModel } = this.stores;
    const ahead = (await readModel.position()) > (await store.endPosition());
    const all = new Map((await ledgersIn(store, this.streams)).map((ledger) => [ledgerKey(ledger), ledger]));
    const foreign: LedgerName[] = [];
    for (const document of await readModel.ledgerDocuments()) {
      if (document.checkpoint >= 0) all.set(ledgerKey(document.ledger), document.ledger);
      if (!(await isOfItsEvents(store, this.streams, document))) foreign.push(document.ledger);
    }
    return { all: [...all.values()], foreign, ahead };
  }
}

/**
 * Opens the stores without the checks of a start: what keeps a server from starting may be what is to be rebuilt.
 * @throws {LedgerConfigError | EventStoreError} with a message for the operator; `IN_USE` for a folder that a server has open.
 */
export async function openRebuilder(config: LedgerConfig): Promise<Rebuilder> {
  checkConfig(config);
  if ((config.data ?? DEFAULT_DATA_FOLDER) === ':memory:')
    throw new LedgerConfigError('a ledger in memory belongs to its process: rebuild it there');
  return new Rebuilder(await openStores(config), config);
}
