import { setTimeout as sleep } from 'node:timers/promises';
import { refuse, type Refusal } from '#domain';
import type { EventStore, Position } from '#event-store';
import type { ReadModel } from '#read-model';

/** A start waits so long for the read model, so that the little it is behind after a crash is never seen. */
const WAIT_AT_START_MS = 2_000;
const LOOK_EVERY_MS = 50;
/** The store is asked less often: it may have to search what others wrote. */
const LOOKS_BEFORE_STORE = 20;

/**
 * While a read model is made anew, it knows less than was bound: until it has reached what the store held at the start,
 * queries are refused and the process is not ready. Commands go on, since they read the stream as well.
 */
export class CatchUp {
  private behind = true;
  private readonly ended = new AbortController();
  private following: Promise<void> | undefined;

  /** `end`: of the store at the start. Behind the last event of a ledger it may hold those of others. */
  constructor(
    private readonly readModel: Pick<ReadModel, 'position'>,
    private readonly store: Pick<EventStore, 'readAll'>,
    private readonly followed: readonly string[],
    private readonly end: Position,
  ) {}

  get refusal(): Refusal | undefined {
    return this.behind ? refuse('NOT_YET_PROJECTED', 'the read model is being made anew from the events') : undefined;
  }

  /** `stuck`: a projection that has stopped never arrives; what it has is answered, and health says what is wrong. */
  async begin(stuck: () => boolean): Promise<void> {
    this.following = this.follow(stuck);
    await Promise.race([
      this.following,
      sleep(WAIT_AT_START_MS, undefined, { signal: this.ended.signal, ref: false }).catch(() => undefined),
    ]);
  }

  async stop(): Promise<void> {
    this.ended.abort();
    await this.following;
  }

  private async follow(stuck: () => boolean): Promise<void> {
    for (let look = 0; !this.ended.signal.aborted; look += 1) {
      if (stuck() || (await this.hasArrived(look % LOOKS_BEFORE_STORE === 0).catch(() => false))) {
        this.behind = false;
        return;
      }
      await sleep(LOOK_EVERY_MS, undefined, { signal: this.ended.signal }).catch(() => undefined);
    }
  }

  /** At the end, or with nothing that concerns a ledger between it and the end. */
  private async hasArrived(askStore: boolean): Promise<boolean> {
    const reached = await this.readModel.position();
    if (reached >= this.end) return true;
    if (!askStore) return false;
    const { events, end } = await this.store.readAll({ after: reached, streamPrefixes: this.followed, limit: 1 });
    return events.length === 0 && end;
  }
}
