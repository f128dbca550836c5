/** Stores in memory, and on them as many control planes ("processes") as a test needs. */
import {
  isRefusal,
  type Command,
  type DefineBindingModel,
  type LedgerName,
  type Refusal,
  type RefusalCode,
  type RequestContext,
} from '#domain';
import { START, type EventStore } from '#event-store';
import { openSqliteEventStore } from '#event-store/sqlite';
import { ControlPlane, JsonSchemas, KeyRing, Projector, StreamNames, projectCatalog } from '#ledger';
import type { ReadModel } from '#read-model';
import { openSqliteReadModel } from '#read-model/sqlite';
import type { Vault } from '#vault';
import { openSqliteVault } from '#vault/sqlite';
import { Crash, type CrashPlan } from './crashing.js';
import { StreamLedgers } from './stream-ledgers.js';

export const CONTEXT: RequestContext = { actor: 'tester', correlationId: 'c-1' };
export const KEY = Buffer.alloc(32, 7).toString('base64');

/** It remembers nothing but compiled schemas, which are dear to make. */
const SCHEMAS = new JsonSchemas();

export interface Process {
  plane: ControlPlane;
  ledgers: StreamLedgers;
  crash: Crash;
}

export interface ProcessOptions {
  crashes?: CrashPlan;
  keys?: string;
  clock?: () => number;
  /** Runs before each append of this process: somebody else may be ahead. */
  beforeAppend?: (events: readonly { type: string }[]) => Promise<void>;
}

export class World {
  private constructor(
    readonly store: EventStore,
    readonly readModel: ReadModel,
    readonly vault: Vault,
    readonly streams: StreamNames,
  ) {}

  static async open(prefix = ''): Promise<World> {
    const store = await openSqliteEventStore({ folder: ':memory:' });
    const vault = await openSqliteVault({ folder: ':memory:' });
    return new World(store, await openSqliteReadModel({ memory: true }), vault, new StreamNames(prefix));
  }

  /** A process on these stores, with what it remembers of its own. */
  process({ crashes, keys = KEY, clock = Date.now, beforeAppend }: ProcessOptions = {}): Process {
    const crash = new Crash(crashes, beforeAppend);
    const store = crash.store(this.store);
    const ledgers = new StreamLedgers(store, this.streams);
    const plane = new ControlPlane({
      store,
      readModel: this.readModel,
      vault: crash.vault(this.vault),
      keys: KeyRing.parse(keys),
      streams: this.streams,
      amender: ledgers,
      schemas: SCHEMAS,
      tools: { sleep: async () => undefined, clock },
    });
    return { plane, ledgers, crash };
  }

  /** Applies everything to the read model, up to the end of the store. */
  async project(): Promise<void> {
    const { store, readModel, streams } = this;
    const projector = new Projector({
      store,
      readModel,
      streams,
      projectCatalog: (events) => projectCatalog({ store, readModel, streams }, events),
      clock: () => 0,
      sleep: async () => undefined,
      maxEvents: 1_000,
    });
    for (let after = (await readModel.position()) || START; ;) {
      const page = await store.readAll({ after, streamPrefixes: [streams.prefix], limit: 1_000 });
      await projector.project(page.events);
      await readModel.savePosition(page.position);
      if (page.end) return;
      after = page.position;
    }
  }

  async close(): Promise<void> {
    await this.store.close();
    await this.readModel.close();
    await this.vault.close();
  }

  /** Everything that the event store holds, as one text. */
  async everything(): Promise<string> {
    const { events } = await this.store.readAll({ after: START, streamPrefixes: [''], limit: 4_000 });
    return JSON.stringify(events);
  }

  async eventTypes(stream: string): Promise<string[]> {
    return (await this.store.readStream(stream, { limit: 1_000 })).map(({ type }) => type);
  }
}

/** A command as a sync job gives it. */
export function bind(of: Process, ledger: LedgerName, command: Omit<Extract<Command, { op: 'bind' }>, 'op'>): Promise<object> {
  return of.ledgers.run(ledger, { op: 'bind', ...command }, of.plane, CONTEXT);
}

/** The answer, where a refusal would be a mistake of the test. */
export async function done<T extends object>(answer: Promise<T | Refusal>): Promise<T> {
  const value = await answer;
  if (isRefusal(value)) throw new Error(`refused: ${JSON.stringify(value)}`);
  return value;
}

export async function refusedAs(answer: Promise<object>): Promise<RefusalCode | 'done'> {
  const value = await answer;
  return isRefusal(value) ? value.refused : 'done';
}

export const SHOP_MODEL: DefineBindingModel = { model: 'shop.partner', backendType: 'shop', localModel: 'res.partner' };
export const PARTNERS: LedgerName = { backend: 'berlin', model: 'shop.partner' };
export const ORDERS: LedgerName = { backend: 'berlin', model: 'shop.order' };

/** A type, two models of it and a backend. */
export async function setUp({ plane }: Process): Promise<void> {
  await done(
    plane.catalog.defineType({ type: 'shop', versions: [{ value: '1.6' }, { value: '1.7', label: 'Shop 1.7' }] }, CONTEXT),
  );
  await done(plane.catalog.defineModel(SHOP_MODEL, CONTEXT));
  await done(
    plane.catalog.defineModel(
      { model: 'shop.order', backendType: 'shop', localModel: 'sale.order', cardinality: 'many' },
      CONTEXT,
    ),
  );
  await done(plane.backends.register({ id: 'berlin', type: 'shop', location: 'https://berlin.example.com' }, CONTEXT));
}
