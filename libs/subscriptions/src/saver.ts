/** Saves how far a run is. */
import type { Vault } from '#vault';
import type { CheckpointTracker } from './checkpoint.js';
import { deleteParked, newParkedVersion, writeParked, type SubscriberError } from './document.js';
import type { Lease, Saved } from './lease.js';
import type { Parking } from './parking.js';

/** Moments at which a crash must lose nothing; tests end the process there. */
export type RunPoint = 'handled' | 'parked-written' | 'checkpoint-saved' | 'parked-deleted';

export interface SaverTools {
  vault: Vault;
  lease: Lease;
  tracker: CheckpointTracker;
  parking: Parking;
  /** Ids of requests that are done, but stand in the document. */
  done: Set<string>;
  lastError(): SubscriberError | null;
  reached?(point: RunPoint): Promise<void> | void;
}

/** Checkpoint and parked events as of one moment; the write of the document decides, and only a holder's succeeds. */
export class Saver {
  private savedParking = 0;
  private gaveUp = false;

  constructor(private readonly tools: SaverTools) {}

  /** There is something that the document does not say yet. */
  get dirty(): boolean {
    const { lease, tracker, parking, done } = this.tools;
    const { position, lastError } = lease.document;
    return (
      tracker.checkpoint !== position ||
      parking.version !== this.savedParking ||
      this.tools.lastError() !== lastError ||
      done.size > 0
    );
  }

  /**
   * What was done since the last save has no place in the vault: from now on a save says what it is told to, and no more. False:
   * it is so already.
   */
  giveUp(): boolean {
    const first = !this.gaveUp;
    this.gaveUp = true;
    return first;
  }

  /** False: the lease is held by another instance. @throws {VaultError} */
  async save(more: Saved): Promise<boolean> {
    const { lease, tracker, parking, reached } = this.tools;
    if (this.gaveUp) return lease.save(more);
    const [parkingVersion, done, before] = [parking.version, new Set(this.tools.done), lease.document.parked];
    const changes: Saved = { position: tracker.checkpoint, lastError: this.tools.lastError(), done };
    if (parkingVersion !== this.savedParking && more.parked === undefined) {
      changes.parked = await this.park();
      await reached?.('parked-written');
    }
    if (!(await lease.save({ ...changes, ...more }))) return false;
    this.savedParking = parkingVersion;
    for (const id of done) this.tools.done.delete(id);
    await reached?.('checkpoint-saved');
    const { name, parked } = lease.document;
    if (before.version !== null && before.version !== parked.version)
      await deleteParked(this.tools.vault, name, before.version).catch(() => undefined);
    await reached?.('parked-deleted');
    return true;
  }

  /** The counts are those of what is written: handlers go on meanwhile, and may park more. */
  private async park(): Promise<Saved['parked']> {
    const { vault, lease, parking } = this.tools;
    const bindings = parking.all();
    const version = bindings.length === 0 ? null : newParkedVersion(lease.document.epoch);
    const parked = { version, events: parking.events, bindings: bindings.length, oldestAt: parking.oldestAt };
    if (version !== null) await writeParked(vault, lease.document.name, version, bindings);
    return parked;
  }
}
