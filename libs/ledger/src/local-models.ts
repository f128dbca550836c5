import { ledgerKey, type LedgerName } from '#domain';
import type { EventStore } from '#event-store';
import { ReadModelError, type ReadModel } from '#read-model';
import { readLedgerEvent } from './chain.js';
import type { StreamNames } from './streams.js';

const MAX_KNOWN_LEDGERS = 10_000;

/** The local models of ledgers. That of a ledger never changes once it is open, so it is asked for once. */
export class LocalModels {
  private readonly models = new Map<string, string | null>();

  constructor(private readonly tools: { store: EventStore; readModel: ReadModel; streams: StreamNames }) {}

  /** `undefined` while it has not been asked for. */
  known(ledger: LedgerName): string | null | undefined {
    return this.models.get(ledgerKey(ledger));
  }

  /** `null` also for a ledger that is not open. */
  async of(ledger: LedgerName): Promise<string | null> {
    const known = this.known(ledger);
    if (known !== undefined) return known;
    const model = (await this.fromReadModel(ledger)) ?? (await this.fromStream(ledger));
    if (model === undefined) return null;
    if (this.models.size >= MAX_KNOWN_LEDGERS) this.models.clear();
    this.models.set(ledgerKey(ledger), model.localModel);
    return model.localModel;
  }

  /** What a read model that is away would say stands in the stream too. */
  private async fromReadModel(ledger: LedgerName): Promise<{ localModel: string | null } | undefined> {
    try {
      const document = await this.tools.readModel.ledgerDocument(ledger);
      return document?.state.opened === true ? document.state.rules : undefined;
    } catch (error) {
      if (error instanceof ReadModelError) return undefined;
      throw error;
    }
  }

  /** From the rules in the ledger's first event: for one that was opened a moment ago. */
  private async fromStream(ledger: LedgerName): Promise<{ localModel: string | null } | undefined> {
    const [first] = await this.tools.store.readStream(this.tools.streams.ledger(ledger), { limit: 1 });
    return first === undefined ? undefined : (readLedgerEvent(first).data as { rules?: { localModel: string | null } }).rules;
  }
}
