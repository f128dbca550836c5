/** Positions as they leave the ledger: opaque to whoever keeps them, and known again, or not, when they come back. */
import { START, type EventStore, type Position } from '#event-store';
import { sha256 } from './chain.js';
import type { StreamNames } from './streams.js';

/** The position before every event, as clients write it. */
export const FROM_START = 'start';
const CHECK_DIGITS = 10;

export type PublishPosition = (position: Position) => string;

/**
 * A position is given out with a check behind it, which is made over the position and the identity of the store: the id of the first
 * event of its catalog. So a position of another store, or of another prefix in the same one, is told from a position of this one, and
 * so is what never was a position.
 */
export class Positions {
  private identity: string | undefined;

  constructor(
    private readonly store: EventStore,
    private readonly streams: StreamNames,
  ) {}

  /** How positions that were read before are written for clients. */
  async publisher(): Promise<PublishPosition> {
    const identity = await this.identify();
    // No catalog, no ledger: whatever the position, nothing of this program stands before it.
    if (identity === undefined) return () => FROM_START;
    return (position) => (position === START ? FROM_START : `${position}-${checkOf(identity, position)}`);
  }

  /** The store's own position, or `undefined` for one that it does not know: another store's, a made-up one, or one beyond its end. */
  async read(text: string): Promise<Position | undefined> {
    if (text === FROM_START) return START;
    const dash = text.lastIndexOf('-');
    const identity = await this.identify();
    if (dash <= 0 || identity === undefined) return undefined;
    const position = text.slice(0, dash);
    if (checkOf(identity, position) !== text.slice(dash + 1)) return undefined;
    // A store that was restored from a backup ends before what it gave out once.
    return position <= (await this.store.endPosition()) ? position : undefined;
  }

  /** The first event of the catalog never changes, so it is looked up once. */
  private async identify(): Promise<string | undefined> {
    if (this.identity !== undefined) return this.identity;
    const [first] = await this.store.readStream(this.streams.types(), { limit: 1 });
    this.identity = first?.id;
    return this.identity;
  }
}

function checkOf(identity: string, position: Position): string {
  return sha256(`${identity}\n${position}`).slice(0, CHECK_DIGITS);
}
