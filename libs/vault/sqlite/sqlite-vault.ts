import { randomUUID } from 'node:crypto';
import {
  VaultError,
  type ExpectedRevision,
  type ListOptions,
  type PutResult,
  type Vault,
  type VaultDocument,
  type VaultKey,
} from '#vault';
import { messageOf, transaction, type SqliteDatabase } from '#sqlite';
import { requireContent, requireListLimit } from '../src/arguments.js';

/** The port on one connection. Documents are small and few, so the calling thread does the work. */
export class SqliteVault implements Vault {
  readonly #db: SqliteDatabase;
  readonly #statements: ReturnType<typeof prepare>;

  constructor(db: SqliteDatabase) {
    this.#db = db;
    this.#statements = prepare(db);
  }

  async get({ kind, id, version }: VaultKey): Promise<VaultDocument | undefined> {
    const row = this.#run(() => this.#statements.get.get(kind, id, version));
    return row === undefined ? undefined : { content: Buffer.from(row.content).toString(), revision: row.revision };
  }

  async put({ kind, id, version }: VaultKey, content: string, expected?: ExpectedRevision): Promise<PutResult> {
    requireContent(content);
    const revision = randomUUID();
    return this.#run(() =>
      transaction(this.#db, (): PutResult => {
        const actual = this.#statements.get.get(kind, id, version)?.revision ?? null;
        if (expected !== undefined && expected !== actual) return { ok: false, actual };
        // As bytes: SQLite ends a text at its first NUL.
        this.#statements.put.run(kind, id, version, revision, Buffer.from(content));
        return { ok: true, revision };
      }),
    );
  }

  async delete({ kind, id, version }: VaultKey): Promise<boolean> {
    return this.#run(() => Number(this.#statements.delete.run(kind, id, version).changes) > 0);
  }

  async deleteAll(kind: string, id: string): Promise<number> {
    return this.#run(() => Number(this.#statements.deleteAll.run(kind, id).changes));
  }

  async list(kind: string, { limit, after }: ListOptions): Promise<VaultKey[]> {
    requireListLimit(limit);
    return this.#run(() =>
      after === undefined
        ? this.#statements.list.all(kind, limit)
        : this.#statements.listAfter.all(kind, after.id, after.version, limit),
    );
  }

  async ping(): Promise<void> {
    this.#run(() => transaction(this.#db, () => undefined));
  }

  async close(): Promise<void> {
    if (this.#db.isOpen) this.#db.close();
  }

  #run<T>(work: () => T): T {
    if (!this.#db.isOpen) throw new VaultError('CLOSED', 'The vault is closed');
    try {
      return work();
    } catch (error) {
      throw new VaultError('UNAVAILABLE', `The vault cannot be used: ${messageOf(error)}`, { cause: error });
    }
  }
}

function prepare(db: SqliteDatabase) {
  return {
    get: db.prepare<{ revision: string; content: Uint8Array }>(
      'SELECT revision, content FROM vault WHERE kind = ? AND id = ? AND version = ?',
    ),
    put: db.prepare(
      `INSERT INTO vault (kind, id, version, revision, content) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (kind, id, version) DO UPDATE SET revision = excluded.revision, content = excluded.content`,
    ),
    delete: db.prepare('DELETE FROM vault WHERE kind = ? AND id = ? AND version = ?'),
    list: db.prepare<VaultKey>('SELECT kind, id, version FROM vault WHERE kind = ? ORDER BY id, version LIMIT ?'),
    listAfter: db.prepare<VaultKey>(
      'SELECT kind, id, version FROM vault WHERE kind = ? AND (id, version) > (?, ?) ORDER BY id, version LIMIT ?',
    ),
    deleteAll: db.prepare('DELETE FROM vault WHERE kind = ? AND id = ?'),
  };
}
