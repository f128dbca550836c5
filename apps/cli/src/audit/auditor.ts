/** Who answers an auditor: a server elsewhere, or the stores themselves, read beside whatever else is open on them. */
import { existsSync } from 'node:fs';
import {
  LedgerError,
  type BindingLedgerClient,
  type Digest,
  type ExportLine,
  type Verification,
  type VerifyProgress,
  type VerifyRequest,
} from '#client';
import type { LedgerName, Refusal } from '#domain';
import type { LedgerConfig, OpenedAudit } from '#runtime';
import { UsageError } from '../exit-codes.js';
import type { Output } from '../output.js';
import { openSession, placeOf, type GlobalOptions } from '../session.js';

export interface Auditor {
  digests(): AsyncIterable<Digest>;
  verify(ledger: LedgerName, request: VerifyRequest, watched: Watched): Promise<Verification>;
  export(ledger: LedgerName, signal: AbortSignal): AsyncIterable<ExportLine>;
  close(): Promise<void>;
}

export interface Watched {
  signal: AbortSignal;
  progress(at: VerifyProgress): void;
}

const PAGE_DIGESTS = 100;
/** A verification says how far it is long before, unless another one is going on that must be waited for. */
const MAX_WAIT_MS = 60_000;

export async function openAuditor(globals: GlobalOptions, output: Output): Promise<Auditor> {
  const place = placeOf(globals, process.env);
  if (place.url === undefined) return ofStores(place.folder);
  const { client, close } = await openSession(globals, output);
  return ofServer(client, close);
}

function ofServer(client: BindingLedgerClient, close: () => Promise<void>): Auditor {
  return {
    digests: () => client.digests(),
    verify: ({ backend, model }, request, { signal, progress }) =>
      client.ledger(backend, model).verify(request, { signal, progress, timeoutMs: MAX_WAIT_MS }),
    export: ({ backend, model }, signal) => client.ledger(backend, model).export({ signal }),
    close,
  };
}

async function ofStores(folder: string): Promise<Auditor> {
  const { openAudit } = await import('#runtime');
  const config = await configOf(folder);
  if (config.eventStoreUrl === undefined && !existsSync(folder)) throw new UsageError(`there is no data folder ${folder}`);
  const { audit, close }: OpenedAudit = await openAudit(config);
  return {
    async *digests() {
      for (let after: string | undefined; ;) {
        const { items, nextCursor } = await audit.digests(PAGE_DIGESTS, after);
        yield* items;
        if (nextCursor === null) return;
        after = nextCursor;
      }
    },
    verify: async (ledger, request, watched) => orThrow(await audit.verify(ledger, { ...request, ...watched })),
    async *export(ledger, signal) {
      for await (const lines of orThrow(await audit.export(ledger))) {
        signal.throwIfAborted();
        yield* lines;
      }
    },
    close,
  };
}

/** The folder takes the place of `LEDGER_DATA`; stores that the environment names come before both, as for a server. */
export async function configOf(folder: string): Promise<LedgerConfig> {
  const { configFromEnvironment } = await import('#runtime');
  return configFromEnvironment({ ...process.env, LEDGER_DATA: folder });
}

const UNAVAILABLE: ReadonlySet<string> = new Set(['BUSY', 'STORE_UNAVAILABLE', 'OUTCOME_UNKNOWN', 'BACKEND_PAUSED']);

/** A refusal as a server would have sent it. */
export function orThrow<T extends object>(answer: T | Refusal): T {
  if (!('refused' in answer && typeof answer.refused === 'string')) return answer as T;
  const { refused, detail } = answer as Refusal;
  throw new LedgerError({ status: 409, code: refused, detail, retryable: UNAVAILABLE.has(refused) });
}
