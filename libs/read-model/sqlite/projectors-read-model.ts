import { longTransaction } from '#sqlite';
import { toReadModelError } from './errors.js';
import { SqliteReadModel } from './read-model.js';

/** For a connection that only a projector uses. What it writes together is one transaction, which others see when it is committed. */
export class ProjectorsReadModel extends SqliteReadModel {
  async together<T>(work: () => Promise<T>): Promise<T> {
    this.requireOpen();
    try {
      return await longTransaction(this.db, work);
    } catch (error) {
      throw toReadModelError(error);
    }
  }
}
