import { ledgerKey, refuse, type LedgerName, type Refusal } from '#domain';
import type { EventStore } from '#event-store';
import type { Digest, StreamNames } from '#ledger';
import { exportLedger, type ExportLine } from './export-file.js';
import { textOf } from './stored-event.js';
import { verifyLedger, type VerifyOptions, type VerifyReport, type VerifyTools } from './verify.js';

export interface LedgerAuditParts extends VerifyTools {
  /** Every ledger that there is or was. */
  ledgers(): Promise<LedgerName[]>;
  check(ledger: LedgerName): Promise<Refusal | undefined>;
}

export interface DigestPage {
  items: Digest[];
  nextCursor: string | null;
}

/** Verification, digests and export of the ledgers of this process. */
export class LedgerAudit {
  private verifying: string | undefined;

  constructor(private readonly parts: LedgerAuditParts) {}

  /** One at a time in a process, since it keeps all bindings of the ledger in memory: others are refused `BUSY`. */
  async verify(ledger: LedgerName, options: VerifyOptions = {}): Promise<VerifyReport | Refusal> {
    const name = ledgerKey(ledger);
    if (this.verifying !== undefined) return refuse('BUSY', `${this.verifying} is being verified: one ledger at a time`);
    this.verifying = name;
    try {
      return (await this.parts.check(ledger)) ?? (await verifyLedger(this.parts, ledger, options));
    } finally {
      this.verifying = undefined;
    }
  }

  /** The lines of an export, page by page, as they are taken. */
  async export(ledger: LedgerName): Promise<AsyncGenerator<ExportLine[]> | Refusal> {
    return (await this.parts.check(ledger)) ?? exportLedger(this.parts, ledger);
  }

  /** By ledger, after the given one. Each digest is read by itself: they are of about the same time. */
  async digests(limit: number, after = ''): Promise<DigestPage> {
    const keyed = (await this.parts.ledgers()).map((ledger) => ({ ledger, key: ledgerKey(ledger) }));
    const wanted = keyed.filter(({ key }) => key > after).sort((a, b) => (a.key < b.key ? -1 : 1));
    const items: Digest[] = [];
    for (const { ledger } of wanted.slice(0, limit)) items.push(await digestOf(this.parts, ledger));
    return { items, nextCursor: wanted.length > limit ? (items.at(-1)?.ledger ?? null) : null };
  }
}

/** Of a ledger as it is stored: nothing is checked. */
export async function digestOf(
  { store, streams }: { store: Pick<EventStore, 'readStream'>; streams: Pick<StreamNames, 'ledger'> },
  ledger: LedgerName,
): Promise<Digest> {
  const [head] = await store.readStream(streams.ledger(ledger), { direction: 'backwards', limit: 1 });
  const name = ledgerKey(ledger);
  if (head === undefined) return { ledger: name, revision: -1, hash: '', at: '' };
  return { ledger: name, revision: head.revision, hash: textOf(head.metadata['hash']), at: textOf(head.metadata['at']) };
}

const PAGE_EVENTS = 1_000;

/** Every ledger that a backend has registered, from the backends' streams alone: for a store that nothing else is open on. */
export async function ledgersIn(store: Pick<EventStore, 'readAll'>, streams: StreamNames): Promise<LedgerName[]> {
  const found = new Map<string, LedgerName>();
  for (let after = ''; ;) {
    const page = await store.readAll({ after, streamPrefixes: [streams.backend('')], limit: PAGE_EVENTS });
    for (const { stream, type, data } of page.events) {
      const backend = streams.backendOf(stream);
      if (type !== 'LedgerRegistered' || backend === undefined || typeof data['model'] !== 'string') continue;
      const ledger = { backend, model: data['model'] };
      found.set(ledgerKey(ledger), ledger);
    }
    if (page.end) return [...found.values()];
    after = page.position;
  }
}
