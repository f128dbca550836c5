import { setImmediate as breath } from 'node:timers/promises';
import {
  HISTORY_FIELDS,
  type HistoryField,
  type HistoryKey,
  type HistoryQuestion,
  type HistorySource,
  type KeyOfHolders,
  type KnownBinding,
} from '../src/history.js';
import type { ExternalHashes } from './external-hash.js';
import type { Statements } from './statements.js';

export type KnownRow = [number: number, createdRevision: number, revision: number];

/** After so many rows or statements other work of the process has its turn. */
const WORK_BEFORE_BREATH = 500;
/** Revisions as SQLite compares them: a number without end would be none. */
const LAST = Number.MAX_SAFE_INTEGER;

/** A ledger's documents and rows, by the numbers of its bindings. */
export class SqliteHistorySource implements HistorySource<number> {
  private work = 0;

  constructor(
    private readonly statements: Statements,
    private readonly ledger: number,
    private readonly externalHashes: ExternalHashes,
    private readonly run: <T>(work: () => T) => T,
  ) {}

  /** The checkpoint is read first: what is applied meanwhile is not asked for. */
  async answer<T>(
    key: HistoryKey,
    ask: (source: SqliteHistorySource, question: HistoryQuestion<number>) => Promise<T[]>,
  ): Promise<{ found: T[]; upTo: number }> {
    const [checkpoint = -1] = this.one(() => this.statements.ledgerCheckpoint.get(this.ledger)) ?? [];
    if (!('bindingId' in key)) return { found: await ask(this, { of: key, checkpoint }), upTo: checkpoint };
    const [binding] = this.one(() => this.statements.bindingNumber.get(this.ledger, key.bindingId)) ?? [];
    return { found: binding === undefined ? [] : await ask(this, { of: { binding }, checkpoint }), upTo: checkpoint };
  }

  async document(binding: number): Promise<KnownBinding<number> | undefined> {
    const row = this.one(() => this.statements.knownByNumber.get(binding));
    return row === undefined ? undefined : known(row);
  }

  live(key: KeyOfHolders): Promise<KnownBinding<number>[]> {
    const { liveKnownByRecord, liveKnownByExternalId } = this.statements;
    return this.known(() =>
      'recordId' in key
        ? liveKnownByRecord.all(key.recordId, this.ledger)
        : liveKnownByExternalId.all(this.hashesOf(key.externalId), this.ledger, key.externalId),
    );
  }

  private hashesOf(externalId: string): string {
    return JSON.stringify(this.externalHashes.ofAny([externalId], this.ledger));
  }

  unbound(key: KeyOfHolders, after: number, limit: number): Promise<KnownBinding<number>[]> {
    const { unboundByRecord, unboundByExternalId } = this.statements;
    return this.known(() =>
      'recordId' in key
        ? unboundByRecord.all(key.recordId, this.ledger, after, limit)
        : unboundByExternalId.all(key.externalId, this.ledger, after, limit),
    );
  }

  async former(key: KeyOfHolders, after: number, limit: number): Promise<{ binding: number; revision: number }[]> {
    const { formerRecord, formerExternalId } = this.statements;
    const rows = await this.several(() =>
      'recordId' in key
        ? formerRecord.all(key.recordId, this.ledger, after, limit)
        : formerExternalId.all(key.externalId, this.ledger, after, limit),
    );
    return rows.map(([binding, revision]) => ({ binding, revision }));
  }

  async events(binding: number, after: number, upTo: number, limit: number): Promise<number[]> {
    const rows = await this.several(() => this.statements.historyOf.all(binding, after, Math.min(upTo, LAST), limit));
    return rows.map(([revision]) => revision);
  }

  async newest(binding: number, upTo: number, field?: HistoryField): Promise<number | undefined> {
    const { newestRow, newestSetting } = this.statements;
    const last = Math.min(upTo, LAST);
    return this.one(() =>
      field === undefined ? newestRow.get(binding, last) : newestSetting.get(binding, last, bitsOf([field])),
    )?.[0];
  }

  private async known(read: () => KnownRow[]): Promise<KnownBinding<number>[]> {
    return (await this.several(read)).map(known);
  }

  private async several<Row>(read: () => Row[]): Promise<Row[]> {
    const rows = this.run(read);
    this.work += rows.length + 1;
    if (this.work >= WORK_BEFORE_BREATH) {
      this.work = 0;
      await breath();
    }
    return rows;
  }

  private one<Row>(read: () => Row): Row {
    this.work += 1;
    return this.run(read);
  }
}

/** Which fields an event set, as one number. */
export function bitsOf(fields: readonly HistoryField[]): number {
  return fields.reduce((bits, field) => bits | (1 << HISTORY_FIELDS.indexOf(field)), 0);
}

function known([binding, created, revision]: KnownRow): KnownBinding<number> {
  return { binding, created, revision };
}
