import { isUnavailable, messageOf, type MongoConnection } from '#mongodb';
import { ReadModelError } from '../src/port.js';

/** What a caller may hear of an error: that the read model is not available; anything else is a broken invariant, as it is. */
export function toReadModelError(error: unknown, url: string): unknown {
  if (!isUnavailable(error)) return error;
  return new ReadModelError('UNAVAILABLE', `the read model cannot be used: ${messageOf(error, url)}`, { cause: error });
}

/** Asks the database, unless it was closed. */
export class Session {
  private closed = false;

  constructor(private readonly mongo: MongoConnection) {}

  get db(): MongoConnection['db'] {
    return this.mongo.db;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.closed) throw new ReadModelError('CLOSED', 'the read model is closed');
    try {
      return await work();
    } catch (error) {
      throw toReadModelError(error, this.mongo.url);
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.mongo.close();
  }
}
