/** Ledgers whose history is decided beforehand, appended as it is, and projected; with a clock that stands where it is put. */
import { randomUUID } from 'node:crypto';
import { evolve, isBindingEvent, isRefusal, type Binding, type LedgerName } from '#domain';
import { NO_STREAM, type EventStore } from '#event-store';
import { openSqliteEventStore } from '#event-store/sqlite';
import { chainEvent, metadataOf, PastQueries, Positions, Projector, StreamNames, toNewEvent, type Place } from '#ledger';
import type { ReadModel } from '#read-model';
import { openSqliteReadModel } from '#read-model/sqlite';
import type { Step } from './command-arbitraries.js';
import { DecidingLedger, minutesAfterStart } from './deciding-ledger.js';

export const YOUNGEST_MS = 15_000;
const APPENDED_TOGETHER = 500;

export class PastWorld {
  readonly streams = new StreamNames();
  readonly past: PastQueries;
  /** Reads of the event store so far. */
  reads = 0;
  now = Date.parse(minutesAfterStart(1_000_000));
  private readonly projector: Projector;
  private readonly ledgers: LedgerName[] = [];

  private constructor(
    readonly store: EventStore,
    readonly readModel: ReadModel,
  ) {
    const { streams } = this;
    const readStream: EventStore['readStream'] = (...of) => {
      this.reads += 1;
      return store.readStream(...of);
    };
    const counted = new Proxy(store, {
      get: (target, name) => {
        if (name === 'readStream') return readStream;
        const member = target[name as keyof EventStore];
        return typeof member === 'function' ? (member.bind(target) as unknown) : member;
      },
    });
    this.projector = new Projector({
      store,
      readModel,
      streams,
      projectCatalog: async () => undefined,
      clock: () => this.now,
      sleep: async () => undefined,
      maxEvents: 1_000,
    });
    this.past = new PastQueries({
      store: counted,
      readModel,
      streams,
      queries: {
        placeFor: async (ledger): Promise<Place> => ({ ...ledger, localModel: 'res.partner' }),
        await: async () => undefined,
        positions: new Positions(store, streams),
      },
      ledgersOfLocalModel: async () => this.ledgers,
      clock: () => this.now,
      youngestMs: YOUNGEST_MS,
    });
  }

  static async open(): Promise<PastWorld> {
    const world = new PastWorld(await openSqliteEventStore({ folder: ':memory:' }), await openSqliteReadModel({ memory: true }));
    const type = { id: randomUUID(), type: 'BackendTypeDefined', data: {}, metadata: {} };
    await world.store.append(world.streams.types(), NO_STREAM, [type]);
    return world;
  }

  async close(): Promise<void> {
    await this.readModel.close();
    await this.store.close();
  }

  /** A ledger with this history, of a backend of its own. */
  async add({ history }: DecidingLedger, together = APPENDED_TOGETHER): Promise<LedgerName> {
    const ledger = { backend: `shop${this.ledgers.length}`, model: 'shop.partner' };
    const stream = this.streams.ledger(ledger);
    let hash = '';
    const events = history.map(({ event, stamp: { revision, at, reason } }) => {
      const metadata = metadataOf({ actor: 'tester', correlationId: `c${revision}` }, at, { reason });
      const chained = chainEvent(hash, revision, randomUUID(), event, metadata);
      hash = chained.hash;
      return toNewEvent(chained);
    });
    for (let first = 0; first < events.length; first += together) {
      await this.store.append(stream, first - 1, events.slice(first, first + together));
      await this.projector.project(await this.store.readStream(stream, { after: first - 1, limit: together }));
    }
    this.ledgers.push(ledger);
    return ledger;
  }
}

/** Every binding after the event at a revision, the slow and simple way. */
export function bindingsAfter({ history }: DecidingLedger, revision: number): Binding[] {
  const bindings = new Map<string, Binding>();
  for (const { event, stamp } of history.slice(0, revision + 1)) {
    if (!isBindingEvent(event)) continue;
    const { bindingId } = event.data;
    bindings.set(bindingId, evolve(bindings.get(bindingId), event, stamp));
  }
  return [...bindings.values()];
}

/** A ledger that did these steps, but for those that steer its state. */
export function play(steps: readonly Step[], many: boolean): DecidingLedger {
  const ledger = new DecidingLedger({ cardinality: many ? 'many' : 'one' });
  let minute = 0;
  for (const next of steps) {
    minute += next.later;
    ledger.at = minutesAfterStart(minute);
    if ('command' in next) ledger.run(next.command(minute));
  }
  return ledger;
}

/** The answer, where a refusal would be a mistake of the test. */
export function answered<T extends object>(answer: T): Exclude<T, { refused: string }> {
  if (isRefusal(answer)) throw new Error(`refused: ${JSON.stringify(answer)}`);
  return answer as Exclude<T, { refused: string }>;
}
