/** A process that dies at one of its writes: that write is done or not, and nothing is done any more after it. */
import { EventStoreError, type EventStore } from '#event-store';
import type { Vault } from '#vault';

export interface CrashPlan {
  /** The first write is 1. */
  atWrite: number;
  /** Whether the write was done before the process died. */
  done: boolean;
}

export class Crash {
  writes = 0;
  dead = false;

  constructor(
    private readonly plan: CrashPlan | undefined,
    private readonly beforeAppend: (events: readonly { type: string }[]) => Promise<void> = async () => undefined,
  ) {}

  store(inner: EventStore): EventStore {
    const { alive, write } = this;
    return {
      append: (stream, expected, events) =>
        write(async () => {
          await this.beforeAppend(events);
          return inner.append(stream, expected, events);
        }),
      readStream: (stream, options) => alive(() => inner.readStream(stream, options)),
      headRevision: (stream) => alive(() => inner.headRevision(stream)),
      endPosition: () => alive(() => inner.endPosition()),
      readAll: (options) => alive(() => inner.readAll(options)),
      subscribe: (to, signal) => inner.subscribe(to, signal),
      ping: () => alive(() => inner.ping()),
      close: () => inner.close(),
    };
  }

  vault(inner: Vault): Vault {
    const { alive, write } = this;
    return {
      get: (key) => alive(() => inner.get(key)),
      put: (key, content, expected) => write(() => inner.put(key, content, expected)),
      delete: (key) => write(() => inner.delete(key)),
      deleteAll: (kind, id) => write(() => inner.deleteAll(kind, id)),
      list: (kind, options) => alive(() => inner.list(kind, options)),
      ping: () => alive(() => inner.ping()),
      close: () => inner.close(),
    };
  }

  private readonly alive = <T>(work: () => Promise<T>): Promise<T> => {
    if (this.dead) throw new EventStoreError('UNAVAILABLE', 'the process is dead');
    return work();
  };

  private readonly write = async <T>(work: () => Promise<T>): Promise<T> => {
    if (this.dead) throw new EventStoreError('UNAVAILABLE', 'the process is dead');
    this.writes += 1;
    if (this.plan === undefined || this.writes < this.plan.atWrite) return work();
    this.dead = true;
    if (this.plan.done) await work();
    throw new EventStoreError('UNAVAILABLE', 'the process died');
  };
}
