/** A data folder with a ledger that has lived, and hands on its files: what an auditor may find. */
import { join } from 'node:path';
import { isRefusal, type Command } from '#domain';
import { chainHash, canonicalJson } from '../../../libs/ledger/src/chain.js';
import { openLedger, type OpenedLedger } from '#runtime';
import { openDatabase, type SqliteDatabase, type SqlValue } from '#sqlite';

export const AUDITED = { backend: 'shop', model: 'shop.partner' };
export const AUDITED_NAME = 'shop/shop.partner';
export const AUDITED_STREAM = 'ledger-shop/shop.partner';
const SYSTEM = { actor: 'operator', correlationId: 'c-operator' };
const JOB = { actor: 'job', correlationId: 'c-1', onBehalfOf: 'maria', causationId: 'event-7' };

/** Every kind of event of a binding, with and without a key, and what happens to the ledger itself between them. */
const BEFORE: Command[] = [
  { op: 'bind', recordId: '136', data: { website: 'fr', groups: [1, 2] }, direction: 'export', key: 'k-1' },
  { op: 'bind', recordId: '136', externalId: '879', direction: 'export', key: 'k-2' },
  { op: 'bind', recordId: '7', externalId: 'Großhandel', syncDate: '2026-01-01T00:00:00.000Z', direction: 'import' },
  { op: 'sync', externalId: '879', syncDate: '2026-01-02T00:00:00.000Z', force: true, data: { '10': 1, '9': 2 } },
  { op: 'changeData', externalId: '879', data: { website: null, vat: { number: 'FR1' } } },
];
const AFTER: Command[] = [
  { op: 'bind', recordId: '136', externalId: '100000200-1', ifBound: 'replace', reason: 'renumbered' },
  { op: 'move', fromRecordId: '136', toRecordId: '92', reason: 'merged', key: 'k-3' },
  { op: 'bind', recordId: '8', externalId: 'Großhandel', ifTaken: 'takeOver', syncDate: null, key: 'k-4' },
  { op: 'unbind', externalId: '100000200-1', cause: 'missingInBackend', reason: '404' },
  { op: 'bind', recordId: '92', externalId: '100000200-1', syncDate: '2026-01-03T00:00:00.000Z' },
  { op: 'bind', recordId: '10' },
];

export async function openAudited(folder: string): Promise<OpenedLedger> {
  return openLedger({ data: folder, threads: 'none' });
}

export async function defineAudited({ catalog, backends }: OpenedLedger): Promise<void> {
  done(await catalog.defineType({ type: 'shop' }, SYSTEM));
  done(await catalog.defineModel({ model: AUDITED.model, backendType: 'shop', localModel: 'partner' }, SYSTEM));
  done(await backends.register({ id: AUDITED.backend, type: 'shop', location: 'https://shop.example.org' }, SYSTEM));
}

export async function writeAudited(folder: string): Promise<void> {
  const opened = await openAudited(folder);
  try {
    await defineAudited(opened);
    await doAll(opened, BEFORE);
    done(await opened.backends.pause(AUDITED.backend, SYSTEM));
    done(await opened.backends.resume(AUDITED.backend, SYSTEM));
    const model = { model: AUDITED.model, backendType: 'shop', localModel: 'partner', indexes: ['website'] };
    done(await opened.catalog.defineModel(model, SYSTEM));
    await doAll(opened, AFTER);
    done({ ...(await opened.queries.await(AUDITED, { atLeast: 'head', timeoutMs: 30_000 })) });
  } finally {
    await opened.close();
  }
}

export async function doAll(opened: OpenedLedger, commands: readonly Command[]): Promise<void> {
  for (const command of commands) done(await opened.ledger.execute(AUDITED, command, JOB));
}

export function done(answer: object): void {
  if (isRefusal(answer)) throw new Error(`refused ${answer.refused}: ${answer.detail}`);
}

export interface Row {
  revision: number;
  id: string;
  type: string;
  data: string;
  metadata: string;
}
type Field = 'id' | 'type' | 'data' | 'metadata';

/** The events of the ledger as rows, open to whoever has the file. */
export class Rows {
  readonly db: SqliteDatabase;

  constructor(folder: string) {
    this.db = openDatabase(join(folder, 'ledger.sqlite'));
  }

  all(): Row[] {
    return this.db
      .prepare<Row>(`SELECT revision, id, type, data, metadata FROM events WHERE stream = ${this.stream} ORDER BY revision`)
      .all();
  }

  set(revision: number, field: Field, value: string): void {
    this.run(`UPDATE events SET ${field} = ? WHERE stream = ${this.stream} AND revision = ?`, value, revision);
  }

  remove(from: number, to = from): void {
    this.run(`DELETE FROM events WHERE stream = ${this.stream} AND revision BETWEEN ? AND ?`, from, to);
  }

  /** Moves everything behind a revision by so many; in two steps, for no revision may stand twice meanwhile. */
  shift(after: number, by: number): void {
    this.run(`UPDATE events SET revision = -1000 - revision - ? WHERE stream = ${this.stream} AND revision > ?`, by, after);
    this.run(`UPDATE events SET revision = -1000 - revision WHERE stream = ${this.stream} AND revision < 0`);
  }

  insert({ revision, id, type, data, metadata }: Row): void {
    this.run(
      `INSERT INTO events (position, stream, revision, id, type, data, metadata, stored_at)
       SELECT max(position) + 1, ${this.stream}, ?, ?, ?, ?, ?, 0 FROM events`,
      revision,
      id,
      type,
      data,
      metadata,
    );
  }

  /** Gives every event from a revision on the hash that its content has, as one would who knows how. */
  rehash(from: number): void {
    const rows = this.all();
    let hash = from === 0 ? '' : hashIn(rows[from - 1] as Row);
    for (const row of rows.slice(from)) {
      const { hash: _, ...rest } = JSON.parse(row.metadata) as Record<string, unknown>;
      hash = chainHash(hash, row.revision, row, canonicalJson(JSON.parse(row.data)), canonicalJson(rest));
      this.set(row.revision, 'metadata', JSON.stringify({ ...rest, hash }));
    }
  }

  close(): void {
    this.db.close();
  }

  private run(sql: string, ...values: SqlValue[]): void {
    this.db.prepare(sql).run(...values);
  }

  private get stream(): string {
    return `(SELECT no FROM streams WHERE name = '${AUDITED_STREAM}')`;
  }
}

export function hashIn({ metadata }: Pick<Row, 'metadata'>): string {
  return (JSON.parse(metadata) as { hash: string }).hash;
}
