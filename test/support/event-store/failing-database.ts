import type { SqliteDatabase } from '#sqlite';

/** A connection whose next commit does what it does and then fails, or fails without having done it. */
export class FailingCommit implements SqliteDatabase {
  failNext: { errcode: number; committed: boolean } | undefined;
  readonly prepare: SqliteDatabase['prepare'];

  constructor(private readonly db: SqliteDatabase) {
    this.prepare = db.prepare.bind(db) as SqliteDatabase['prepare'];
  }

  get isOpen(): boolean {
    return this.db.isOpen;
  }

  get isTransaction(): boolean {
    return this.db.isTransaction;
  }

  exec(sql: string): void {
    const failure = sql === 'COMMIT' ? this.failNext : undefined;
    if (failure === undefined) return this.db.exec(sql);
    this.failNext = undefined;
    if (failure.committed) this.db.exec(sql);
    throw Object.assign(new Error('disk I/O error'), { errcode: failure.errcode });
  }

  close(): void {
    this.db.close();
  }
}
