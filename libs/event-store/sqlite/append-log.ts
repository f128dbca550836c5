import { NO_STREAM, type Revision } from '#event-store';
import { messageOf, pragma, resultCode, setPragma, SQLITE_BUSY, SQLITE_FULL, transaction, type SqliteDatabase } from '#sqlite';
import type { SerializedAppend } from '../src/arguments.js';

/** An append as plain data, so that it can go to another thread. */
export interface AppendJob extends SerializedAppend {
  stream: string;
  expected: Revision;
  /** Milliseconds since 1970. */
  storedAt: number;
}

export type AppendAnswer =
  | { outcome: 'stands'; revision: Revision; position: number; storedAt: number }
  | { outcome: 'conflict'; actual: Revision }
  | { outcome: 'failed'; code: 'UNAVAILABLE' | 'OUTCOME_UNKNOWN'; message: string };

/** The writing side: executes appends on the one connection that writes events. */
export class AppendLog {
  readonly #db: SqliteDatabase;
  readonly #statements: Statements;
  /** The newest append could not be written. */
  #failing = false;

  constructor(db: SqliteDatabase) {
    this.#db = db;
    this.#statements = prepare(db);
  }

  /**
   * Executes appends in their order and answers each. They share one transaction, so they share one flush to the disk. When
   * that fails for certain each is tried alone: an append that does not fit on the disk takes no smaller one with it.
   */
  appendGroup(jobs: readonly AppendJob[]): AppendAnswer[] {
    let executed = false;
    try {
      const answers = transaction(this.#db, () => {
        const executing = jobs.map((job) => this.#execute(job));
        executed = true;
        return executing;
      });
      this.#failing = false;
      return answers;
    } catch (error) {
      this.#failing = true;
      const code = executed && !failsBeforeCommit(error) ? 'OUTCOME_UNKNOWN' : 'UNAVAILABLE';
      const alone = code === 'UNAVAILABLE' && jobs.length > 1 && resultCode(error) !== SQLITE_BUSY;
      if (alone) return jobs.flatMap((job) => this.appendGroup([job]));
      return jobs.map(() => ({ outcome: 'failed', code, message: messageOf(error) }));
    }
  }

  /**
   * Throws when an append could not be executed now. Taking the write lock and leaving it says so, as long as appends succeed;
   * after one that failed something must be written, because a full disk shows only then.
   */
  ping(): void {
    transaction(this.#db, () => {
      if (this.#failing) setPragma(this.#db, 'user_version', Number(pragma(this.#db, 'user_version')));
    });
    this.#failing = false;
  }

  #execute(job: AppendJob): AppendAnswer {
    const stream = this.#statements.streamNo.get(job.stream)?.no;
    const head = stream === undefined ? NO_STREAM : this.#headOf(stream);
    if (head === job.expected) return this.#insert(job, stream ?? this.#createStream(job.stream));
    const standing = stream === undefined || head < job.expected ? undefined : this.#findStanding(job, stream);
    return standing ?? { outcome: 'conflict', actual: head };
  }

  #headOf(stream: number): Revision {
    return this.#statements.head.get(stream)?.revision ?? NO_STREAM;
  }

  #createStream(name: string): number {
    return Number(this.#statements.createStream.run(name).lastInsertRowid);
  }

  #insert(job: AppendJob, stream: number): AppendAnswer {
    let revision = job.expected;
    let position = 0;
    const { ids, types, data, metadata, storedAt } = job;
    for (let index = 0; index < ids.length; index += 1) {
      revision += 1;
      const [id, type] = [ids[index] as string, types[index] as string];
      const row = [stream, revision, id, type, data[index] as string, metadata[index] as string, storedAt];
      position = Number(this.#statements.insert.run(...row).lastInsertRowid);
    }
    return { outcome: 'stands', revision, position, storedAt: job.storedAt };
  }

  /** The same events, right after the expected revision: the append was executed before. */
  #findStanding(job: AppendJob, stream: number): AppendAnswer | undefined {
    const first = job.expected + 1;
    const [firstThere] = this.#statements.standing.all(stream, first, 1);
    // An ordinary conflict ends here, without reading on.
    if (firstThere?.id !== job.ids[0]) return undefined;
    const there = this.#statements.standing.all(stream, first, job.ids.length);
    const last = there.at(-1);
    if (last === undefined || !job.ids.every((id, index) => there[index]?.id === id)) return undefined;
    return { outcome: 'stands', revision: last.revision, position: last.position, storedAt: last.storedAt };
  }
}

/**
 * After a full disk or a lock that was not free, the commit did not happen. After any other failure of the commit itself the
 * log may hold it: whether it counts shows when the log is next recovered.
 */
function failsBeforeCommit(error: unknown): boolean {
  const code = resultCode(error);
  return code === SQLITE_BUSY || code === SQLITE_FULL;
}

type Statements = ReturnType<typeof prepare>;

function prepare(db: SqliteDatabase) {
  return {
    streamNo: db.prepare<{ no: number }>('SELECT no FROM streams WHERE name = ?'),
    createStream: db.prepare('INSERT INTO streams (name) VALUES (?)'),
    head: db.prepare<{ revision: Revision | null }>('SELECT max(revision) AS revision FROM events WHERE stream = ?'),
    insert: db.prepare('INSERT INTO events (stream, revision, id, type, data, metadata, stored_at) VALUES (?, ?, ?, ?, ?, ?, ?)'),
    standing: db.prepare<{ id: string; revision: Revision; position: number; storedAt: number }>(
      `SELECT id, revision, position, stored_at AS storedAt FROM events
       WHERE stream = ? AND revision >= ? ORDER BY revision LIMIT ?`,
    ),
  };
}
