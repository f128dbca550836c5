/** What an auditor works with: the stores as they are, without anything that writes or projects, and without the checks of a start. */
import { importLedger, LedgerAudit, ledgersIn, type ImportOptions, type ImportResult } from '#audit';
import { ledgerKey, refuse } from '#domain';
import { JsonSchemas, StreamNames } from '#ledger';
import { checkConfig, DEFAULT_DATA_FOLDER, LedgerConfigError, type LedgerConfig } from './config.js';
import type { OpenedLedger } from './index.js';
import { closeAll, openElsewhere } from './stores.js';

export interface OpenedAudit {
  audit: LedgerAudit;
  close(): Promise<void>;
}

/**
 * Opens the stores for reading. A data folder may be in use by a server meanwhile, and what keeps a server from starting on it
 * does not keep an auditor from looking.
 */
export async function openAudit(config: LedgerConfig): Promise<OpenedAudit> {
  checkConfig(config);
  const { data = DEFAULT_DATA_FOLDER, eventStoreUrl, mongodbUrl, streamPrefix } = config;
  if (data === ':memory:') throw new LedgerConfigError('a ledger in memory belongs to its process: verify it there');
  const distributed = eventStoreUrl !== undefined && mongodbUrl !== undefined;
  const streams = new StreamNames(streamPrefix);
  const { store, readModel } = await openElsewhere(
    distributed ? { eventStoreUrl, mongodbUrl } : { folder: data },
    streams.prefix,
  );
  const ledgers = () => ledgersIn(store, streams);
  const audit = new LedgerAudit({
    store,
    readModel,
    streams,
    problemsOf: new JsonSchemas().faultsOfData,
    ledgers,
    check: async (ledger) => {
      const known = (await ledgers()).some((each) => ledgerKey(each) === ledgerKey(ledger));
      return known ? undefined : refuse('BACKEND_NOT_FOUND', `there is no ledger ${ledgerKey(ledger)} here`);
    },
  });
  return { audit, close: () => closeAll([readModel, store]) };
}

/** Imports a ledger into the stores that are open. */
export async function importInto(opened: OpenedLedger, options: Omit<ImportOptions, 'context'>): Promise<ImportResult> {
  const { store, streams, backends, catalog } = opened;
  // What an interrupted change still carries to ledgers comes first, and not between the events of this one.
  await opened.resumed;
  return importLedger(
    {
      store,
      streams,
      backends,
      catalog,
      problemsOf: new JsonSchemas().faultsOfData,
      clock: () => Date.now(),
      random: () => Math.random(),
      sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    },
    { ...options, context: { actor: 'import-ledger', correlationId: crypto.randomUUID() } },
  );
}
