/** A local record across all ledgers. */
import { historyListing } from './events.js';
import type { Listing } from './listing.js';
import type { ReadOptions, WriteOptions } from './options.js';
import type { Transport } from './transport.js';
import { instantAsText, path, type Id, type Instant } from './values.js';
import type { Binding, Page, RecordBindingsAsOf, RecordDeletionAnswer } from './wire-bindings.js';
import type { HistoryEvent } from './wire-events.js';

export interface RecordBindingsQuery {
  /** Only on backends of this type. */
  backendType?: string;
  /** Former bindings too. */
  includeUnbound?: boolean;
  /** As it was at an instant. */
  asOf?: Instant;
}

export class LocalRecord {
  readonly #transport: Transport;
  readonly #path: string;

  constructor(transport: Transport, localModel: string, recordId: Id) {
    this.#transport = transport;
    this.#path = path`/v1/records/${localModel}/${recordId}`;
  }

  /** Every live binding of the record, on all backends. */
  async bindings({ backendType, includeUnbound, asOf }: RecordBindingsQuery = {}, options: ReadOptions = {}): Promise<Binding[]> {
    const query = { backendType, includeUnbound, asOf: asOf === undefined ? undefined : instantAsText(asOf) };
    const call = { method: 'GET' as const, path: `${this.#path}/bindings`, options };
    const all: Binding[] = [];
    for (let cursor: string | undefined; ;) {
      const { items, nextCursor } = await this.#transport.read<Page<Binding>>({ ...call, query: { ...query, cursor } });
      all.push(...items);
      if (typeof nextCursor !== 'string') return all;
      cursor = nextCursor;
    }
  }

  /** The live bindings of the record as they were at an instant, with the revision that was used of each ledger. */
  async bindingsAsOf(asOf: Instant, options: ReadOptions = {}): Promise<RecordBindingsAsOf> {
    const query = { asOf: instantAsText(asOf) };
    return this.#transport.read<RecordBindingsAsOf>({ method: 'GET', path: `${this.#path}/bindings`, query, options });
  }

  /** Every event of the record's bindings, in all ledgers, in the order in which they were recorded. */
  history(query: { limit?: number } = {}, options: ReadOptions = {}): Listing<HistoryEvent> {
    return historyListing(this.#transport, `${this.#path}/history`, query.limit, options);
  }

  /**
   * The record was deleted: unbinds it everywhere, with the cause `recordDeleted`. Repeating it is harmless.
   * Errors: `PARTLY_UNBOUND` with `problem.unbound` and `problem.refused`, when a ledger refused.
   */
  async delete(options: WriteOptions = {}): Promise<RecordDeletionAnswer> {
    return this.#transport.write({ method: 'DELETE', path: this.#path, options });
  }
}
