import { EventStoreError } from '#event-store';
import { checkpoint, messageOf, type SqliteDatabase } from '#sqlite';
import { AppendLog, type AppendAnswer, type AppendJob } from './append-log.js';

/** Where appends are executed: in the calling thread or in a worker thread. */
export interface Appender {
  /** Appends are executed in the order of the calls. */
  append(job: AppendJob): Promise<AppendAnswer>;
  /** @throws {EventStoreError} `UNAVAILABLE` when an append could not be executed now. */
  ping(): Promise<void>;
  /** Finishes what was accepted. */
  close(): Promise<void>;
}

/** Executes each append at once, in the calling thread, on a connection that its owner closes. */
export class ThreadAppender implements Appender {
  readonly #log: AppendLog;

  constructor(
    private readonly db: SqliteDatabase,
    private readonly onWritten: () => void,
  ) {
    this.#log = new AppendLog(db);
  }

  async append(job: AppendJob): Promise<AppendAnswer> {
    const [answer] = this.#log.appendGroup([job]);
    if (answer === undefined) throw new Error('An append was not answered');
    if (answer.outcome === 'stands') this.onWritten();
    return answer;
  }

  async ping(): Promise<void> {
    try {
      this.#log.ping();
    } catch (error) {
      throw new EventStoreError('UNAVAILABLE', messageOf(error), { cause: error });
    }
  }

  async close(): Promise<void> {
    checkpoint(this.db);
  }
}

/** For a store that was opened to be read. */
export class NoAppender implements Appender {
  async append(): Promise<AppendAnswer> {
    return { outcome: 'failed', code: 'UNAVAILABLE', message: 'The store was opened for reading only' };
  }

  async ping(): Promise<void> {}

  async close(): Promise<void> {}
}
