import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Collection } from 'mongodb';
import { isDuplicateKey } from '#mongodb';
import type { ProjectionLease } from '../src/port.js';
import type { Session } from './errors.js';

const LEASES = 'leases';
const PROJECTION = { _id: { $eq: 'projection' } };

/** A holder that has not been heard of for so long has lost the lease to whoever asks. */
export const LEASE_MS = 5_000;

interface StoredLease {
  _id: string;
  /** `null` after it was released. */
  holder: string | null;
  beat: number;
}

type Heard = Pick<StoredLease, 'holder' | 'beat'> & { at: number };

/**
 * A lease without anybody's wall clock: the holder raises a number, and who sees it unchanged for `LEASE_MS` of its own time takes
 * over, by compare-and-set.
 */
export class MongoLease implements ProjectionLease {
  /** Machine and process are for whoever looks at the database. */
  private readonly holder = `${hostname()} ${process.pid} ${randomUUID()}`;
  private heard: Heard | undefined;

  constructor(
    private readonly session: Session,
    private readonly clock: () => number,
  ) {}

  hold(): Promise<boolean> {
    return this.session.run(async () => {
      const mine = await this.leases().updateOne({ ...PROJECTION, holder: { $eq: this.holder } }, { $inc: { beat: 1 } });
      if (mine.matchedCount === 1) return true;
      const lease = await this.leases().findOne(PROJECTION);
      if (lease === null) return this.insert();
      return this.isFree(lease) ? this.take(lease) : false;
    });
  }

  async release(): Promise<void> {
    await this.session.run(() =>
      this.leases().updateOne({ ...PROJECTION, holder: { $eq: this.holder } }, { $set: { holder: null }, $inc: { beat: 1 } }),
    );
  }

  private isFree({ holder, beat }: StoredLease): boolean {
    if (holder === null) return true;
    const now = this.clock();
    if (this.heard?.holder !== holder || this.heard?.beat !== beat) this.heard = { holder, beat, at: now };
    return now - this.heard.at >= LEASE_MS;
  }

  private async take({ holder, beat }: StoredLease): Promise<boolean> {
    const asSeen = { ...PROJECTION, holder: { $eq: holder }, beat: { $eq: beat } };
    const { matchedCount } = await this.leases().updateOne(asSeen, { $set: { holder: this.holder }, $inc: { beat: 1 } });
    return matchedCount === 1;
  }

  private async insert(): Promise<boolean> {
    try {
      await this.leases().insertOne({ _id: 'projection', holder: this.holder, beat: 0 });
      return true;
    } catch (error) {
      if (isDuplicateKey(error)) return false;
      throw error;
    }
  }

  private leases(): Collection<StoredLease> {
    return this.session.db.collection<StoredLease>(LEASES);
  }
}
